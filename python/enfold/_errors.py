"""Exceptions, under the names that onnxruntime gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from enfold import _types

if TYPE_CHECKING:
    from typing_extensions import Self

    from enfold import _core


class Error(Exception):
    """What all others derive from. `number` and `label` are onnxruntime's."""

    number, label = 1, "FAIL"
    in_place_of_onnxruntime = False
    codes: tuple[str, ...] = ()
    """Causes that `enfold errors CODE` explains."""

    def coded(self, *codes: str) -> Self:
        self.codes = codes
        return self

    def __str__(self) -> str:
        text = super().__str__()
        if not Error.in_place_of_onnxruntime:
            return text
        return f"[ONNXRuntimeError] : {self.number} : {self.label} : {text}"


class Fail(Error):
    """Whatever has no class of its own."""


class InvalidArgument(Error, ValueError):
    """An input, output, option or setting that does not fit."""

    number, label = 2, "INVALID_ARGUMENT"


class NoSuchFile(Error, FileNotFoundError):
    """The model's path leads nowhere."""

    number, label = 3, "NO_SUCHFILE"


class NoModel(Error):
    """There is no model to run."""

    number, label = 4, "NO_MODEL"


class EngineError(Error):
    """The code that was generated cannot be run."""

    number, label = 5, "ENGINE_ERROR"


class RuntimeException(Error, RuntimeError):
    """The data that a run met cannot be computed with, or the run was stopped."""

    number, label = 6, "RUNTIME_EXCEPTION"


class InvalidProtobuf(Error):
    """The bytes are no ONNX model."""

    number, label = 7, "INVALID_PROTOBUF"


class ModelLoaded(Error):
    """The session has a model already."""

    number, label = 8, "MODEL_LOADED"


class NotImplemented(Error):
    """The model needs something that there is no code for; every such node is named."""

    number, label = 9, "NOT_IMPLEMENTED"


class InvalidGraph(Error):
    """The model contradicts itself; every problem is named."""

    number, label = 10, "INVALID_GRAPH"


class EPFail(Error):
    """An execution provider failed."""

    number, label = 11, "EP_FAIL"


class Stopped(RuntimeException):
    """A run or a compilation that was asked to stop, or whose time was over."""


# By enfold_status and enfold_compiler_status.
BY_STATUS: dict[int, type[Error]] = {
    1: InvalidArgument,
    2: EngineError,
    3: EngineError,
    4: EngineError,
    5: RuntimeException,
    6: RuntimeException,
    8: RuntimeException,
    9: Stopped,
    100: NoSuchFile,
    101: InvalidGraph,
    102: NotImplemented,
    103: Fail,
}


def of_status(status: int, text: str, codes: str) -> Error:
    """The error of a failed call of the compiler's C interface."""
    return BY_STATUS.get(status, Fail)(text).coded(*codes.split())


def of_opening(error: Error, model: str | bytes) -> Error:
    """The error of a model that cannot be opened, as onnxruntime words and classes it."""
    text = str(error.args[0])
    failed = f"Load model from {model} failed:" if isinstance(model, str) else ""
    if isinstance(error, NoSuchFile):
        worded: Error = NoSuchFile(
            f"{failed}Load model {model!s} failed. File doesn't exist ({text})"
        )
    elif "it has no graph" in text:
        worded = InvalidArgument(f"{failed}No graph was found in the protobuf. ({text})")
    elif {"not-onnx", "truncated-file"} & set(error.codes):
        words = failed + "P" if failed else "Failed to load model because p"
        worded = InvalidProtobuf(f"{words}rotobuf parsing failed. ({text})")
    else:
        return error
    return worded.coded(*error.codes)


def _names(tensors: Sequence[tuple[str, int, Any]]) -> list[str]:
    return [name for name, _, _ in tensors]


def check_names(network: _core.Network, feed: Mapping[str, object]) -> None:
    """Raises if inputs are missing or unknown."""
    required = _names(network.inputs)
    optional = (_types.OPTIONAL_TENSOR, _types.OPTIONAL_SEQUENCE)
    missing = [
        name for name in required if name not in feed and network.kinds.get(name) not in optional
    ]
    if missing:
        raise ValueError(f"Required inputs ({missing}) are missing from input feed ({list(feed)}).")
    known = required + _names(network.overridable)
    for name in feed:
        if name not in known:
            error = InvalidArgument(f"Invalid input name: {name}; the model has {known}")
            raise error.coded("unknown-input")


def check_types(network: _core.Network, feed: Mapping[str, object]) -> None:
    """Raises naming the first input whose type or shape is not the declared one."""
    for name, elem, shape in network.inputs + network.overridable:
        if name not in feed or name in network.kinds:
            continue
        given_elem, given_shape = _types.describe(feed[name])
        if given_elem != elem:
            raise InvalidArgument(
                f"Unexpected input data type. Actual: ({_types.type_string(given_elem)}) , "
                f"expected: ({_types.type_string(elem)}), for input '{name}'"
            ).coded("wrong-input")
        if shape is None:
            continue
        if len(given_shape) != len(shape):
            raise InvalidArgument(
                f"Invalid rank for input: {name} Got: {len(given_shape)} Expected: {len(shape)} "
                "Please fix either the inputs/outputs or the model."
            ).coded("wrong-input")
        wrong = [
            (axis, got, size)
            for axis, (got, size) in enumerate(zip(given_shape, shape))
            if isinstance(size, int) and got != size
        ]
        if wrong:
            listed = "\n ".join(
                f"index: {axis} Got: {got} Expected: {size}" for axis, got, size in wrong
            )
            raise InvalidArgument(
                f"Got invalid dimensions for input: {name} for the following indices\n {listed}\n"
                " Please fix either the inputs/outputs or the model."
            ).coded("wrong-input")


def refuse_output(name: str, elem: int, shape: Sequence[int], array: object) -> NoReturn:
    """Raises saying what an output's array must be."""
    raise InvalidArgument(
        f"the array for output '{name}' must be writable, dense and in row-major order, "
        f"{_types.type_string(elem)} of shape {list(shape)}; it is {type(array).__name__}"
    )
