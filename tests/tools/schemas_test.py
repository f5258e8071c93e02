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
DATA = TREE / "examples/shapes10"
OPEN = DATA / "model.onnx"
WRONG = TREE / "tests/tools/bisect.eir"
QUANTIZED = TREE / "tests/tools/quantized.eir"
RUNS = [
    ("bench", MODEL, "--seconds", "0.01"),
    ("bench", MODEL, "--seconds", "0.01", "--compare", "unfused", "--profile"),
    ("bench", QUANTIZED, "--seconds", "0.01", "--profile"),
    ("bench", MODEL, "--streams", "2", "--seconds", "0.01"),
    ("bench", OPEN, "--seconds", "0.01", "--shapes", "SIZES"),
    ("bench", "zoo:yolo_nms", "--seconds", "0.01", "--shapes", "STAGED"),
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
    ("report", MODEL, "--seconds", "0", "-o", "WRITTEN.html"),
    ("run", MODEL, "--random"),
    ("run", OPEN, "--input", f"images={DATA}/images.npy", "--labels", f"{DATA}/labels.npy"),
    ("run", MODEL, "--random", "--against", "reference"),
    ("run", MODEL, "--random", "--against", "unfused"),
    ("compile", MODEL, "-o", "WRITTEN.so"),
    ("compile", OPEN, "-o", "WRITTEN.so", "--shapes", "SIZES"),
    ("compile", MODEL, "-o", "WRITTEN.kir"),
    ("compile", MODEL, "-o", "WRITTEN.eir"),
    ("opt", MODEL),
    ("bisect", MODEL, "--random"),
    ("bisect", MODEL, "--random", "--against", "unfused"),
    ("bisect", WRONG, "--random", "--assume-inference-bn", "-o", "CASE"),
    ("fuzz", "--count", "2"),
    ("cache", "ls", "--cache-dir", "CASE"),
    ("cache", "verify", "--cache-dir", "CASE"),
    ("cache", "prune", "--cache-dir", "CASE"),
    ("machine",),
    ("machine", "--list"),
    ("zoo",),
    ("passes",),
    ("errors",),
]

# Verbs that write scripts and pages for other programs.
WITHOUT_JSON = {"completion", "man"}


def commands(enfold):
    """The verbs that the help lists."""
    text = subprocess.run([enfold, "--help"], capture_output=True, text=True, check=True).stdout
    rows = text.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    return {row.split()[0] for row in rows if row.startswith("  ") and not row.startswith("   ")}


def check(document, kind):
    import jsonschema

    schema = json.loads((TREE / f"docs/schemas/{kind}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(document, schema)


def main():
    enfold = sys.argv[1]
    verbs = {verb for verb, *_ in RUNS}
    assert commands(enfold) == verbs | WITHOUT_JSON, commands(enfold) ^ (verbs | WITHOUT_JSON)
    with tempfile.TemporaryDirectory() as folder:
        compiled = f"{folder}/model.so"
        subprocess.run([enfold, "compile", MODEL, "-o", compiled], check=True)
        sizes = pathlib.Path(folder) / "sizes.txt"
        sizes.write_text("# batches\nimages=1x3x32x32\nimages=3x3x32x32\n")
        staged = pathlib.Path(folder) / "staged.txt"
        staged.write_text("input=1x3x64x96\ninput=1x3x96x64\n")
        paths = {"STAGED": str(staged)}
        paths |= {"COMPILED": compiled, "SIZES": str(sizes), "WRITTEN": f"{folder}/written.onnx"}
        paths["CASE"] = f"{folder}/case"
        paths |= {
            f"WRITTEN.{end}": f"{folder}/written.{end}" for end in ("so", "kir", "eir", "html")
        }
        for verb, *words in RUNS:
            of_sizes = verb == "bench" and "--shapes" in words
            kind = "bench-shapes" if of_sizes else verb
            words = [paths.get(word, str(word)) for word in words]
            path = pathlib.Path(folder) / f"{verb}.json"
            path.unlink(missing_ok=True)
            done = subprocess.run(
                [enfold, verb, *words, "--json", path],
                capture_output=True,
                text=True,
                cwd=folder,
            )
            assert path.exists(), f"{verb} {words}: {done.stderr}"
            check(json.loads(path.read_text()), kind)
            print("ok:", verb, *words)
        printed = subprocess.run(
            [enfold, "zoo", "--json", "-"], capture_output=True, text=True, check=True
        )
        check(json.loads(printed.stdout), "zoo")
        printed = subprocess.run(
            [enfold, "--version", "--json"], capture_output=True, text=True, check=True
        )
        check(json.loads(printed.stdout), "version")


if __name__ == "__main__":
    sys.exit(run_with_packages(pathlib.Path(sys.argv[2]), ["jsonschema"], main))
