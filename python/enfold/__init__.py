"""enfold compiles ONNX convolutional networks to native code and runs them.

    model = enfold.compile("resnet18.onnx")
    scores = model(image)

In onnxruntime's place: `session = enfold.InferenceSession("resnet18.onnx")`, or, for programs that
import onnxruntime themselves, `import enfold.as_onnxruntime` first.
"""

from typing import TYPE_CHECKING, Any

from enfold._core import version as _version
from enfold._errors import (
    EngineError,
    EPFail,
    Error,
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    ModelLoaded,
    NoModel,
    NoSuchFile,
    NotImplemented,
    RuntimeException,
    Stopped,
)
from enfold._options import options
from enfold.model import Model, Tensor, compile, load
from enfold.session import (
    ExecutionMode,
    ExecutionOrder,
    GraphOptimizationLevel,
    InferenceSession,
    IOBinding,
    ModelMetadata,
    NodeArg,
    RunOptions,
    SessionOptions,
    disable_telemetry_events,
    enable_telemetry_events,
    get_all_providers,
    get_available_providers,
    get_build_info,
    get_device,
    preload_dlls,
    set_default_logger_severity,
    set_default_logger_verbosity,
    set_seed,
)
from enfold.values import OrtDevice, OrtValue

if TYPE_CHECKING:
    from enfold.quantization import quantize
    from enfold.reports import Diff, Explanation, Inspection, Profile, Quantization

__version__ = _version()

__all__ = [
    "Diff",
    "EPFail",
    "EngineError",
    "Error",
    "ExecutionMode",
    "ExecutionOrder",
    "Explanation",
    "Fail",
    "GraphOptimizationLevel",
    "IOBinding",
    "InferenceSession",
    "Inspection",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "Model",
    "ModelLoaded",
    "ModelMetadata",
    "NoModel",
    "NoSuchFile",
    "NodeArg",
    "NotImplemented",
    "OrtDevice",
    "OrtValue",
    "Profile",
    "Quantization",
    "RunOptions",
    "RuntimeException",
    "SessionOptions",
    "Stopped",
    "Tensor",
    "compile",
    "disable_telemetry_events",
    "enable_telemetry_events",
    "get_all_providers",
    "get_available_providers",
    "get_build_info",
    "get_device",
    "load",
    "options",
    "preload_dlls",
    "quantize",
    "set_default_logger_severity",
    "set_default_logger_verbosity",
    "set_seed",
]


_REPORTS = ("Diff", "Explanation", "Inspection", "Profile", "Quantization")


def __getattr__(name: str) -> Any:
    if name in _REPORTS:  # imported once they are wanted
        from enfold import reports

        return getattr(reports, name)
    if name == "quantize":
        from enfold.quantization import quantize

        return quantize
    raise AttributeError(f"module 'enfold' has no attribute '{name}'")
