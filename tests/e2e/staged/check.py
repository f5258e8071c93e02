"""Checks networks whose sizes are open, or whose sizes or way data decide, against ONNX Runtime.

The models are written here, with random weights, or are of the zoo. `enfold run --check` compares
what the compiled stages and the reference functions answer with what ONNX Runtime does.

The packages are installed into a virtual environment, once. Where that cannot be done, for lack of a
network, the test is skipped.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from environment import run_with_packages

PACKAGES = ["numpy", "onnx==1.23.2", "onnxruntime==1.32.0"]
# Networks of the zoo whose sizes are open, and sizes of images.
ZOO = {
    "crnn": [[1, 1, 32, 100], [3, 1, 32, 37], [1, 1, 32, 6]],
    "yolo_nms": [[1, 3, 160, 96], [2, 3, 64, 64], [1, 3, 32, 32]],
}


def write_case(folder, model, inputs):
    """model.onnx, and a test_data_set_N with the answers of ONNX Runtime for each set of inputs."""
    import onnx
    import onnxruntime

    onnx.save(model, folder / "model.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    for number, feed in enumerate(inputs):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        outputs = session.run(None, feed)
        for label, tensors in (
            ("input", feed.items()),
            ("output", zip([output.name for output in model.graph.output], outputs, strict=True)),
        ):
            for place, (name, value) in enumerate(tensors):
                proto = onnx.numpy_helper.from_array(value, name)
                (data / f"{label}_{place}.pb").write_bytes(proto.SerializeToString())


def of_zoo(enfold, name):
    """What makes the network and inputs for it, from a seed."""

    def build(seed):
        import numpy as np
        import onnx

        written = subprocess.run([enfold, "zoo", name, "-o", "-"], capture_output=True, check=True)
        random = np.random.default_rng(seed)
        inputs = [{"input": random.random(size, np.float32)} for size in ZOO[name]]
        return onnx.load_from_string(written.stdout), inputs

    build.__name__ = f"zoo_{name}"
    return build


def check_model(enfold, build, seed):
    """What is wrong with the answers to one model; "" if nothing is."""
    model, inputs = build(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_case(folder, model, inputs)
        for flags in ([], ["--reference"]):
            command = [
                enfold,
                "run",
                folder / "model.onnx",
                "--check",
                folder,
                "--threads",
                "1",
                *flags,
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                return " ".join(flags) + done.stdout + done.stderr
    return ""


def check_all(options):
    from models import MODELS

    wrong = count = 0
    for build in MODELS + [of_zoo(options.enfold, name) for name in ZOO]:
        if options.only and not any(part in build.__name__ for part in options.only):
            continue
        for seed in range(options.seeds):
            count += 1
            problem = check_model(options.enfold, build, seed)
            wrong += bool(problem)
            if problem or options.verbose:
                print(f"{build.__name__} {seed}: {problem or 'right'}", flush=True)
    print(f"{count} models, {wrong} wrong")
    return 1 if wrong or not count else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("enfold", type=pathlib.Path, help="the enfold command")
    parser.add_argument("environment", type=pathlib.Path, help="folder of the virtual environment")
    parser.add_argument("only", nargs="*", help="models whose name contains one of these")
    parser.add_argument("--seeds", type=int, default=3, help="random variants of each model")
    parser.add_argument("--verbose", action="store_true", help="a line for every model")
    options = parser.parse_args()
    return run_with_packages(options.environment, PACKAGES, lambda: check_all(options))


if __name__ == "__main__":
    sys.exit(main())
