"""Checks that what `enfold quantize` writes means the same to ONNX Runtime.

The networks of ../writers/recipes.py are quantized; ONNX Runtime must load each with all of its
optimizations, and answer what enfold answers, up to steps of rounding. Both must answer about what
the network of floats does.

The packages are installed into a virtual environment, once. Where that cannot be done, for lack of a
network, the test is skipped.
"""

import argparse
import logging
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "writers"), str(HERE.parents[1])]
from environment import run_with_packages  # noqa: E402

PACKAGES = ["numpy", "onnx==1.23.2", "onnxruntime==1.32.0", "onnx_ir"]
WAYS = {
    "default": [],
    "outputs": ["--quantize-outputs", "--method", "minmax"],
    "reduced": ["--reduce-range", "--method", "mse", "--no-equalize", "--no-bias-correction"],
}
AGREE = 0.05  # of the largest element: some steps of rounding, grown by the layers behind them
LEAST_SIGNAL = 10  # decibels: weights are random, and so are samples


def signal_to_noise(expected, actual):
    import numpy

    noise = numpy.square(actual - expected).sum()
    return 10 * numpy.log10(numpy.square(expected).sum() / max(noise, 1e-300))


def answers(file, x):
    """ONNX Runtime's, with integer products that do not saturate."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})


def check_one(job):
    """(name of the combination, complaint or None)"""
    import numpy
    import onnx
    import recipes

    enfold, recipe, way = job
    name = f"{recipe} {way}"
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(recipes.build(getattr(recipes, recipe)), folder / "floats.onnx")
        samples = numpy.random.default_rng(1).standard_normal((4, *recipes.IMAGE[1:]))
        numpy.save(folder / "samples.npy", samples.astype(numpy.float32))
        x = samples[:1].astype(numpy.float32)
        numpy.save(folder / "x.npy", x)
        command = [enfold, "quantize", folder / "floats.onnx", "-o", folder / "codes.onnx"]
        command += ["--calibrate", folder / "samples.npy", "--threads", "1", *WAYS[way]]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            return name, done.stderr.strip()[:600]
        onnx.checker.check_model(folder / "codes.onnx", full_check=True)
        model = onnx.load(folder / "codes.onnx")
        floats, codes = (answers(folder / f"{kind}.onnx", x) for kind in ("floats", "codes"))
        command = [enfold, "run", folder / "codes.onnx", "--threads", "1"]
        command += ["--output", folder, "--input", f"{model.graph.input[0].name}={folder / 'x.npy'}"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            return name, done.stderr.strip()[:600]
        for output, expected, theirs in zip(model.graph.output, floats, codes, strict=True):
            if expected.dtype != numpy.float32:
                continue
            ours = numpy.load(folder / f"{output.name}.npy")
            apart = abs(ours - theirs).max() / max(abs(theirs).max(), 1e-30)
            if not apart <= AGREE:
                return name, f"output {output.name} lies {apart:.3g} from ONNX Runtime's"
            if not signal_to_noise(expected, ours) >= LEAST_SIGNAL:
                decibels = signal_to_noise(expected, ours)
                return name, f"output {output.name} has {decibels:.3g} dB of signal to noise"
    return name, None


def check_all(options):
    import recipes

    jobs = [
        (options.enfold, recipe.__name__, way)
        for i, recipe in enumerate(recipes.RECIPES)
        for j, way in enumerate(WAYS)
        if (options.all or i % len(WAYS) == j) and options.only in f"{recipe.__name__} {way}"
    ]
    wrong = 0
    with multiprocessing.Pool(options.jobs) as pool:
        for name, complaint in pool.imap_unordered(check_one, jobs):
            if complaint:
                wrong += 1
                print(f"{name}: {complaint}", flush=True)
    print(f"{len(jobs) - wrong} of {len(jobs)} networks right")
    return 1 if wrong or not jobs else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("enfold", type=pathlib.Path, help="the enfold command")
    parser.add_argument("environment", type=pathlib.Path, help="folder of the virtual environment")
    parser.add_argument("only", nargs="?", default="", help="RECIPE WAY that contain this")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--all", action="store_true", help="every combination")
    options = parser.parse_args()
    return run_with_packages(options.environment, PACKAGES, lambda: check_all(options))


if __name__ == "__main__":
    sys.exit(main())
