"""What is exported: networks, recorded models, cases of the official suite, random graphs."""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SUITE_STEP = 6  # every so manieth case of the suite's scope
FUZZED = 300


@dataclasses.dataclass
class Subject:
    """A model, and the data it is run on: folders with input_N.pb and output_N.pb, or none."""

    name: str
    model: str  # a file, or zoo:NAME
    data: list[pathlib.Path] = dataclasses.field(default_factory=list)
    rtol: float = 1e-4
    atol: float = 1e-5
    shapes: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    runtimes: tuple[str, ...] = ("onnxruntime", "evaluator")


def read_tolerance(subject, folder):
    """From tolerance.json, or from the options in `args`, where the folder has one."""
    if (folder / "tolerance.json").exists():
        stated = json.loads((folder / "tolerance.json").read_text())
        subject.rtol, subject.atol = stated["rtol"], stated["atol"]
    if (folder / "args").exists():
        words = (folder / "args").read_text().split()
        for option, value in zip(words, words[1:]):
            if option in ("--rtol", "--atol"):
                setattr(subject, option[2:], float(value))
    if (folder / "shapes.json").exists():
        subject.shapes = json.loads((folder / "shapes.json").read_text())


def recorded(kind, root):
    """The models of a folder, each with its data."""
    for folder in sorted(root.glob("*/")) if root.is_dir() else []:
        if (folder / "model.onnx").exists():
            sets = sorted(folder.glob("test_data_set_*"))[:1]
            subject = Subject(f"{kind}/{folder.name}", str(folder / "model.onnx"), sets)
            read_tolerance(subject, folder)
            yield subject


def shrink(file, size):
    """The model for images of `size` pixels a side."""
    import onnx

    model = onnx.load(file)
    del model.graph.value_info[:]
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    onnx.save(model, file)


def zoo(enfold, folder):
    """Networks for large images are run by ONNX Runtime; the evaluator, which is slow, gets them for
    small images, but for those that take one size only. Those of open sizes run in ../staged."""
    folder.mkdir()
    listed = subprocess.run([enfold, "zoo", "list"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        name, shape = line.split()[:2]
        if name in ("crnn", "yolo_nms"):
            continue
        large = int(shape.strip("[]").split(",")[-1]) > 64
        subject = Subject(f"zoo/{name}", f"zoo:{name}")
        if shape.count(",") == 3 and large:
            subject.runtimes = ("onnxruntime",)
            if name not in ("shufflenet_v2", "vgg16_bn"):
                file = folder / f"{name}.onnx"
                subprocess.run([enfold, "zoo", name, "-o", file], check=True)
                shrink(file, 96)
                yield Subject(f"zoo/{name}_small", str(file))
        yield subject


@functools.cache
def conformance():
    """The script that writes the cases of the official suite to files."""
    sys.path.insert(0, str(ROOT / "tests" / "conformance"))
    import run

    return run


def suite(folder):
    import warnings

    import onnx.backend.test.loader as loader

    warnings.simplefilter("ignore")
    scope = (ROOT / "tests" / "conformance" / "scope.txt").read_text().split()
    chosen = set(scope[::SUITE_STEP])
    for kind in sorted({name.split("/")[0] for name in chosen}):
        for case in loader.load_model_tests(kind=kind):
            if f"{kind}/{case.name}" in chosen:
                conformance().write_case(case, folder / kind / case.name)
    for kind in sorted(folder.glob("*/")):
        yield from recorded(f"suite/{kind.name}", kind)


def fuzzed(enfold, folder):
    command = [enfold, "fuzz", "--seed", "2026", "--count", str(FUZZED), "--write", folder]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for file in sorted(folder.glob("*.eir")):
        yield Subject(f"fuzz/{file.stem}", str(file))


def all_subjects(enfold, folder):
    """The slow ones first. `folder` is for files that are made on the way."""
    shared = pathlib.Path(os.environ.get("ENFOLD_SHARED", ROOT.parent / "shared"))
    for kind in ("models", "faults"):
        if not (shared / kind).is_dir():
            print(f"skipped: there is no folder {shared / kind}")
    yield from zoo(enfold, folder / "zoo")
    yield from recorded("models", shared / "models")
    yield from recorded("faults", shared / "faults")
    yield from suite(folder / "suite")
    yield from fuzzed(enfold, folder / "fuzz")
