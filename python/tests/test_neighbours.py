"""enfold in one process with libraries that bring an LLVM or a protobuf of their own, imported before
it and after it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

USES = {
    # Compiles a function with the LLVM of numba.
    "llvmlite": """
import ctypes
from llvmlite import binding
for start in (binding.initialize_native_target, binding.initialize_native_asmprinter):
    start()
machine = binding.Target.from_default_triple().create_target_machine()
module = binding.parse_assembly("define i32 @f(i32 %x) { %y = mul i32 %x, 6 ret i32 %y }")
engine = binding.create_mcjit_compiler(module, machine)
engine.finalize_object()
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(engine.get_function_address("f"))
assert call(7) == 42
""",
    "numba": """
import numba
assert numba.njit(lambda x: x * 6)(7) == 42
""",
    # Parses and checks a model with the protobuf of its own extension.
    "onnx": """
import onnx, onnx.checker, onnx.parser
model = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }')
onnx.checker.check_model(onnx.shape_inference.infer_shapes(model))
""",
    "google.protobuf": """
from google.protobuf import struct_pb2
value = struct_pb2.Struct()
value.update({"a": 1})
assert struct_pb2.Struct.FromString(value.SerializeToString())["a"] == 1
""",
    "onnxruntime": """
import onnxruntime
assert "CPUExecutionProvider" in onnxruntime.get_available_providers()
""",
    "torch": """
import torch
layer = torch.nn.Conv2d(3, 4, 3)
assert layer(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 6, 6)
""",
    "tensorflow": """
import tensorflow
assert float(tensorflow.reduce_sum(tensorflow.ones([3]))) == 3
""",
}

ENFOLD = """
import enfold, numpy
scores = enfold.compile("zoo:cnn_batchnorm", threads=1)(numpy.zeros((16, 3, 32, 32), numpy.float32))
assert scores.shape == (16, 10) and numpy.isfinite(scores).all()
"""


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("library", USES)
def test_works_beside(library: str, order: str) -> None:
    try:
        found = importlib.util.find_spec(library)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{library} is not installed")
    program = USES[library] + ENFOLD if order == "before" else ENFOLD + USES[library]
    # Each is used again once the other has worked.
    program += ENFOLD if order == "before" else USES[library]
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
