"""What commands write with --json is as docs/schemas says: schemas_test.py ENFOLD VENV"""

import json
import pathlib
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(TREE / "tests"))
from environment import run_with_packages

MODEL = "zoo:cnn_batchnorm"
OPEN = TREE / "examples/shapes10/model.onnx"
QUANTIZED = TREE / "tests/tools/quantized.eir"
RUNS = [
    ("bench", MODEL, "--seconds", "0.01"),
    ("bench", MODEL, "--seconds", "0.01", "--compare", "unfused", "--profile"),
    ("bench", QUANTIZED, "--seconds", "0.01", "--profile"),
    ("bench", MODEL, "--streams", "2", "--seconds", "0.01"),
    ("bench", OPEN, "--seconds", "0.01", "--shapes", "SIZES"),
    ("explain", MODEL),
    ("explain", MODEL, "--measure"),
    ("inspect", MODEL),
    ("inspect", MODEL, "--threads", "1,16"),
    ("inspect", "COMPILED"),
    ("diff", MODEL, "--random", "--against", "reference", "--all"),
    ("diff", QUANTIZED, "--random", "--against", "reference"),
    ("reduce", MODEL, "--seconds", "0.01", "-o", "WRITTEN"),
    ("quantize", MODEL, "--random", "--samples", "2", "-o", "WRITTEN"),
    ("ops",),
    ("doctor",),
    ("doctor", MODEL),
]


def main():
    import jsonschema

    enfold = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        compiled = f"{folder}/model.so"
        subprocess.run([enfold, "compile", MODEL, "-o", compiled], check=True)
        sizes = pathlib.Path(folder) / "sizes.txt"
        sizes.write_text("# batches\nimages=1x3x32x32\nimages=3x3x32x32\n")
        for verb, *words in RUNS:
            paths = {"COMPILED": compiled, "WRITTEN": f"{folder}/codes.onnx", "SIZES": str(sizes)}
            kind = "bench-shapes" if "SIZES" in words else verb
            words = [paths.get(word, str(word)) for word in words]
            path = pathlib.Path(folder) / f"{verb}.json"
            path.unlink(missing_ok=True)
            done = subprocess.run(
                [enfold, verb, *words, "--json", path], capture_output=True, text=True
            )
            assert path.exists(), f"{verb} {words}: {done.stderr}"
            schema = json.loads((TREE / f"docs/schemas/{kind}.json").read_text())
            jsonschema.Draft202012Validator.check_schema(schema)
            jsonschema.validate(json.loads(path.read_text()), schema)
            print("ok:", verb, *words)


if __name__ == "__main__":
    sys.exit(run_with_packages(pathlib.Path(sys.argv[2]), ["jsonschema"], main))
