"""Checks exported models with ONNX Runtime, a judge from outside.

Every network of the zoo is exported twice, as it is built and after the passes. Both files must be
valid ONNX, and ONNX Runtime must answer for both what enfold answers, within the tolerance that holds
everywhere: |a-b| <= 1e-5 m + 1e-4 |b| with m = max(1, max|b|).

ONNX Runtime is installed into a virtual environment of its own, once. Where that cannot be done, for
lack of a network, the test is skipped.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from environment import python_with_packages  # noqa: E402

SKIPPED = 77
PACKAGES = ["numpy", "onnx", "onnxruntime"]


def enfold(options, *arguments):
    done = subprocess.run([options.enfold, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"enfold {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.stdout


def read_statistics(model):
    """Makes the running statistics of training-mode normalizations outputs: ONNX Runtime computes the
    normalization itself wrongly when nobody reads them."""
    import onnx

    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and len(node.output) == 3:
            for name in node.output[1:]:
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return model


def answers_of_onnxruntime(path, inputs):
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(path), full_check=True)
    model = onnx.load(path)
    names = [output.name for output in model.graph.output]
    session = onnxruntime.InferenceSession(
        read_statistics(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return dict(zip(names, session.run(names, inputs)))


def inputs_of(path):
    """Random numbers in [0, 1) for every input without a value."""
    import numpy
    import onnx

    graph = onnx.load(path).graph
    known = {tensor.name for tensor in graph.initializer}
    random = numpy.random.default_rng(1)
    return {
        value.name: random.random(
            [dim.dim_value for dim in value.type.tensor_type.shape.dim], numpy.float32
        )
        for value in graph.input
        if value.name not in known
    }


def complaint(ours, theirs):
    """Why the answers differ, or None; and the largest error as a part of the tolerance."""
    import numpy

    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return f"{ours.dtype}{ours.shape} instead of {theirs.dtype}{theirs.shape}", numpy.inf
    ours, theirs = ours.astype(numpy.float64), theirs.astype(numpy.float64)
    if not numpy.isfinite(theirs).all():
        return "ONNX Runtime's answer is not finite", numpy.inf
    allowed = 1e-5 * max(1, abs(theirs).max(initial=0)) + 1e-4 * abs(theirs)
    part = (abs(ours - theirs) / allowed).max(initial=0)
    return (None if part <= 1 else f"{part:.3g} times the tolerance"), part


def check_network(options, name, folder):
    """Complaints about one network."""
    import numpy

    raw, passed = folder / "raw.onnx", folder / "passed.onnx"
    enfold(options, "zoo", name, "-o", raw)
    enfold(options, "opt", f"zoo:{name}", "-o", passed)
    inputs = inputs_of(raw)
    arguments = []
    for number, (input_name, value) in enumerate(inputs.items()):
        file = folder / f"input_{number}.npy"
        numpy.save(file, value)
        arguments += ["--input", f"{input_name}={file}"]
    enfold(options, "run", f"zoo:{name}", *arguments, "--output", folder / "out")

    complaints, parts = [], []
    for path in (raw, passed):
        for output, theirs in answers_of_onnxruntime(path, inputs).items():
            why, part = complaint(numpy.load(folder / "out" / f"{output}.npy"), theirs)
            parts.append(part)
            if why:
                complaints.append(f"{name}, {path.stem}, output {output}: {why}")
    print(f"{name}: {max(parts):.3f} of the tolerance", flush=True)
    return complaints


def check_all(options):
    networks = options.network or [
        line.split()[0] for line in enfold(options, "zoo", "list").splitlines()
    ]
    complaints = []
    for name in networks:
        with tempfile.TemporaryDirectory() as folder:
            try:
                complaints += check_network(options, name, pathlib.Path(folder))
            except Exception as error:  # one network must not hide the others
                complaints.append(f"{name}: {error}")
    for line in complaints:
        print(line)
    return 1 if complaints or not networks else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("enfold", type=pathlib.Path, help="the enfold command")
    parser.add_argument("environment", type=pathlib.Path, help="folder of the virtual environment")
    parser.add_argument("network", nargs="*", help="these networks only")
    options = parser.parse_args()
    if pathlib.Path(sys.prefix).resolve() == options.environment.resolve():
        return check_all(options)
    python = python_with_packages(options.environment, PACKAGES)
    if python is None:
        return SKIPPED
    return subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]]).returncode


if __name__ == "__main__":
    sys.exit(main())
