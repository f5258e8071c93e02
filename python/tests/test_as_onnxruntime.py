"""enfold under onnxruntime's name, in processes of their own."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

PROGRAM = """
import enfold.as_onnxruntime
import importlib.metadata, numpy
import onnxruntime as ort
from onnxruntime.capi import _pybind_state as C
from onnxruntime.capi.onnxruntime_inference_collection import (
    InferenceSession, OrtValue, Session, check_and_normalize_provider_args, get_ort_device_type)
from onnxruntime.capi.onnxruntime_pybind11_state import (
    EPFail, Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, ModelRequiresCompilation, NoSuchFile,
    NotImplemented, RuntimeException)

assert "enfold" in ort.get_build_info()
assert ort.__version__ == ort.get_version_string() == importlib.metadata.version("onnxruntime")
assert not hasattr(ort, "types") and not hasattr(ort, "compile") and not hasattr(ort, "Fail")
ort.set_default_logger_severity(3), ort.set_seed(1), ort.preload_dlls(), ort.disable_telemetry_events()
assert ort.get_device() == "CPU" and C.get_available_providers() == ["CPUExecutionProvider"]
assert check_and_normalize_provider_args(
    [("CPUExecutionProvider", {"a": 1}), "CUDAExecutionProvider"], None, ort.get_available_providers()
) == (["CPUExecutionProvider"], [{"a": "1"}])

options = ort.RunOptions()
options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
session = ort.InferenceSession(
    open(PATH, "rb").read(), providers=[("CPUExecutionProvider", {"arena_extend_strategy": "x"})])
assert isinstance(session, Session)
assert [meta.name for meta in session._inputs_meta] == ["x"] == [i.name for i in session.get_inputs()]
assert [meta.name for meta in session._outputs_meta] == ["y"]
x = numpy.ones((1, 3, 8, 8), numpy.float32)
expected = session.run(["y"], {"x": x}, options)[0]
value = ort.OrtValue.ortvalue_from_numpy(x)
assert (session.run(["y"], {"x": value})[0] == expected).all()
assert (session._sess.run(["y"], {"x": x}, None)[0] == expected).all()
assert (session.run_with_ort_values(None, {"x": value})[0].numpy() == expected).all()
assert (ort.OrtValue(value._ortvalue).numpy() == x).all() and value._get_c_value() is value
native = session._sess
assert [i.name for i in native.inputs_meta + native.outputs_meta] == ["x", "y"]
assert native.model_meta.graph_name == session.get_modelmeta().graph_name
binding = session.io_binding()
binding._iobinding.bind_ortvalue_input("x", value)
binding._iobinding.bind_output("y")
session.run_with_iobinding(binding)
assert (binding._iobinding.get_outputs()[0].numpy() == expected).all()
for call in (lambda: ort.SparseTensor.sparse_coo_from_numpy([], [], [], None), lambda: ort.LoraAdapter()):
    try:
        call()
    except NotImplemented as error:
        assert "enfold has no" in str(error)
    else:
        raise AssertionError
print("done")
"""

# What a program can name: the module's names, the members of the classes that programs use.
NAMES = """
import json, types
import onnxruntime as ort
import onnxruntime.capi.onnxruntime_pybind11_state as native

def public(thing):
    return [name for name in dir(thing)
            if not name.startswith("_") and not isinstance(getattr(thing, name), types.ModuleType)]

names = {name: public(getattr(ort, name)) for name in (
    "InferenceSession", "SessionOptions", "RunOptions", "OrtValue", "IOBinding", "OrtDevice")}
functions = [name for name in public(native) if isinstance(getattr(native, name), types.BuiltinFunctionType)]
meta = public(ort.InferenceSession(PATH).get_modelmeta())
argument = public(ort.InferenceSession(PATH).get_inputs()[0])
print(json.dumps({"onnxruntime": public(ort), "native": functions, "meta": meta,
                  "argument": argument, **names}))
"""

QUANTIZATION = """
import enfold.as_onnxruntime
import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, quantize_static

class Reader(CalibrationDataReader):
    def __init__(self):
        random = numpy.random.default_rng(1)
        self.batches = iter([{"x": random.normal(size=(1, 3, 8, 8)).astype("float32")} for _ in range(4)])
    def get_next(self):
        return next(self.batches, None)

quantize_static(PATH, PATH + ".int8", Reader())
x = {"x": numpy.random.default_rng(1).normal(size=(1, 3, 8, 8)).astype("float32")}
got, = onnxruntime.InferenceSession(PATH + ".int8").run(None, x)
expected, = onnxruntime.InferenceSession(PATH).run(None, x)
assert abs(got - expected).max() < 0.1 * abs(expected).max()
print("done")
"""


def output_of(program: str, net: bytes, folder: pathlib.Path) -> str:
    path = folder / "net.onnx"
    path.write_bytes(net)
    code = f"PATH = {str(path)!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_programs_call(net: bytes, tmp_path: pathlib.Path) -> None:
    assert output_of(PROGRAM, net, tmp_path) == "done\n"


def test_every_name(net: bytes, tmp_path: pathlib.Path) -> None:
    """All names that onnxruntime has are there; what they refuse is in docs/python.md."""
    pytest.importorskip("onnxruntime")
    theirs = json.loads(output_of(NAMES, net, tmp_path))
    ours = json.loads(
        output_of(
            "import enfold.as_onnxruntime\n"
            + NAMES.replace("types.BuiltinFunctionType", "types.FunctionType"),
            net,
            tmp_path,
        )
    )
    missing = {where: set(names) - set(ours[where]) for where, names in theirs.items()}
    assert not any(missing.values()), missing


def test_quantization_of_the_installed_package(net: bytes, tmp_path: pathlib.Path) -> None:
    """Parts of onnxruntime in Python alone work, with enfold's sessions under them."""
    pytest.importorskip("onnxruntime")
    assert output_of(QUANTIZATION, net, tmp_path).endswith("done\n")
