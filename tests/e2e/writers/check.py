"""Checks that what ONNX Runtime's optimizer and quantizer write can be run.

The networks of recipes.py are written in every way of writers.py, and enfold must answer for each file
what ONNX Runtime answers for it. Every run takes a part of the combinations; --all takes all.

The packages are installed into a virtual environment, once. Where that cannot be done, for lack of a
network, the test is skipped.
"""

import argparse
import collections
import logging
import multiprocessing
import pathlib
import subprocess
import sys
import tempfile
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from environment import run_with_packages  # noqa: E402

PACKAGES = ["numpy", "onnx==1.23.2", "onnxruntime==1.32.0", "onnx_ir"]
OPSETS = (17, 13, 21, 11)
PART = 4  # every so manieth combination is run

# Where numbers are rounded to integers, one that is rounded the other way is a step off.
EXACT, QUANTIZED, HALF = (1e-4, 1e-5), (2e-2, 5e-2), (1e-2, 1e-2)


def tolerance_of(writer):
    if writer == "half":
        return HALF
    return EXACT if writer in ("basic", "extended", "all") else QUANTIZED


def difference(actual, expected, tolerance):
    """The largest error, as a part of what |a - b| <= atol m + rtol |b| allows."""
    import numpy

    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return numpy.inf
    rtol, atol = tolerance
    a, b = actual.astype(numpy.float64), expected.astype(numpy.float64)
    allowed = atol * max(1, abs(b).max(initial=0)) + rtol * abs(b)
    return (abs(a - b) / allowed).max(initial=0)


def check_one(job):
    """(name of the combination, complaint or None, operators beyond ONNX's)"""
    import numpy
    import onnx
    import onnxruntime
    import recipes
    import writers

    enfold, recipe, opset, writer = job
    name = f"{recipe} of opset {opset}, {writer}"
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "source.onnx", pathlib.Path(folder) / "target.onnx"
        onnx.save(recipes.build(getattr(recipes, recipe), opset), source)
        try:
            writers.WRITERS[writer](source, target)
            model = onnx.load(target)
            x = numpy.random.default_rng(1).standard_normal(recipes.IMAGE).astype(numpy.float32)
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = writers.Level.ORT_DISABLE_ALL
            options.intra_op_num_threads = 1
            options.log_severity_level = 4
            session = onnxruntime.InferenceSession(
                str(target), options, providers=["CPUExecutionProvider"]
            )
            expected = session.run(None, {model.graph.input[0].name: x})
        except Exception as error:  # what the writer cannot write, or the runtime cannot run
            return name, None, [f"{writer} not written: {type(error).__name__}"]
        file = pathlib.Path(folder) / "x.npy"
        numpy.save(file, x)
        results = pathlib.Path(folder) / "results"
        command = [enfold, "run", target, "--threads", "1", "--output", results]
        command += ["--input", f"{model.graph.input[0].name}={file}"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        kinds = sorted({f"{n.domain}:{n.op_type}" for n in model.graph.node if n.domain})
        if done.returncode:
            return name, done.stderr.strip()[:600], kinds
        for output, b in zip(model.graph.output, expected, strict=True):
            a = numpy.load(results / f"{output.name}.npy")
            part = difference(a, b, tolerance_of(writer))
            if not part <= 1:
                return name, f"output {output.name}: {part:.3g} times the tolerance", kinds
    return name, None, kinds


def check_all(options):
    import recipes
    import writers

    jobs = []
    for i, recipe in enumerate(recipes.RECIPES):
        for j, writer in enumerate(writers.WRITERS):
            for k, opset in enumerate(OPSETS):
                chosen = options.all or ((i + j) % len(OPSETS) == k and (i + j // 4) % PART == 0)
                if chosen and options.only in f"{recipe.__name__} {writer}":
                    jobs.append((options.enfold, recipe.__name__, opset, writer))
    wrong, seen = 0, collections.Counter()
    with multiprocessing.Pool(options.jobs) as pool:
        for name, complaint, kinds in pool.imap_unordered(check_one, jobs):
            seen.update(kinds)
            if complaint:
                wrong += 1
                print(f"{name}: {complaint}", flush=True)
    for kind, count in sorted(seen.items()):
        print(f"{count:5} {kind}")
    print(f"{len(jobs) - wrong} of {len(jobs)} files right")
    return 1 if wrong or not jobs else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("enfold", type=pathlib.Path, help="the enfold command")
    parser.add_argument("environment", type=pathlib.Path, help="folder of the virtual environment")
    parser.add_argument("only", nargs="?", default="", help="RECIPE WRITER that contain this")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--all", action="store_true", help="every combination")
    options = parser.parse_args()
    return run_with_packages(options.environment, PACKAGES, lambda: check_all(options))


if __name__ == "__main__":
    sys.exit(main())
