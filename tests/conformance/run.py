"""Runs the official ONNX test suite: the cases that scope.txt names, through the conformance program.

The cases come with the onnx package, which is installed into a virtual environment of its own and
writes them to files, once. Where that cannot be done, for lack of a network, the test is skipped.
scope.txt leaves out strings, sequences, control flow, recurrence, attention, training, random numbers
and results whose size depends on data; --all runs those too.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from environment import SKIPPED, python_with_packages  # noqa: E402

# From ml_dtypes 0.7 on, numbers outside of integers of 2 and 4 bits become 0, not their low bits.
PACKAGES = ["numpy", "ml_dtypes<0.7", "onnx==1.23.2"]
KINDS = ["node", "simple", "pytorch-converted", "pytorch-operator"]


def write_tensors(folder, label, values, infos):
    import numpy
    import onnx

    for number, value in enumerate(values):
        info = infos[number]
        try:
            if info.type.HasField("optional_type"):
                value = onnx.numpy_helper.from_optional(value, info.name)
            elif info.type.HasField("sequence_type"):
                value = onnx.numpy_helper.from_list(value, info.name)
                value.elem_type = onnx.SequenceProto.TENSOR  # of an empty one too
            elif not isinstance(value, onnx.TensorProto):
                value = onnx.numpy_helper.from_array(numpy.asarray(value), info.name)
        except Exception:  # a map or string: out of scope
            continue
        (folder / f"{label}_{number}.pb").write_bytes(value.SerializeToString())


def write_case(case, folder):
    """model.onnx, tolerance.json and a test_data_set_N for each set of data."""
    import onnx

    folder.mkdir(parents=True)
    model = case.model or onnx.load(pathlib.Path(case.model_dir) / "model.onnx")
    onnx.save(model, folder / "model.onnx")
    tolerance = {"rtol": case.rtol, "atol": case.atol}
    (folder / "tolerance.json").write_text(json.dumps(tolerance))
    for number, (inputs, outputs) in enumerate(case.data_sets or []):
        target = folder / f"test_data_set_{number}"
        target.mkdir()
        write_tensors(target, "input", inputs, model.graph.input)
        write_tensors(target, "output", outputs, model.graph.output)
    if not case.data_sets and case.model_dir:
        for data in pathlib.Path(case.model_dir).glob("test_data_set_*"):
            shutil.copytree(data, folder / data.name)


def write_cases(folder):
    """All cases of the suite, and the list of their names."""
    import onnx.backend.test.loader as loader

    warnings.simplefilter("ignore")
    names = []
    for kind in KINDS:
        for case in loader.load_model_tests(kind=kind):
            write_case(case, folder / kind / case.name)
            names.append(f"{kind}/{case.name}")
    (folder / "all.txt").write_text("\n".join(names) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="the conformance program")
    parser.add_argument("folder", type=pathlib.Path, help="where environment and cases are kept")
    parser.add_argument("--beyond", action="store_true", help="those of beyond.txt, not scope.txt")
    parser.add_argument("--all", action="store_true", help="every case of the suite")
    parser.add_argument("text", nargs="?", default="", help="only cases whose name contains this")
    options = parser.parse_args()
    environment, cases = options.folder / "venv", options.folder / PACKAGES[1].replace("==", "-")
    if pathlib.Path(sys.prefix).resolve() == environment.resolve():
        shutil.rmtree(cases, ignore_errors=True)
        write_cases(cases)
        return 0
    if not (cases / "all.txt").exists():
        python = python_with_packages(environment, PACKAGES)
        if python is None:
            return SKIPPED
        subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]], check=True)
    names = HERE / ("beyond.txt" if options.beyond else "scope.txt")
    if options.all:
        names = cases / "all.txt"
    return subprocess.run([options.program, cases, names, options.text]).returncode


if __name__ == "__main__":
    sys.exit(main())
