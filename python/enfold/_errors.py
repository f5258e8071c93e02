"""Exceptions, under the names that onnxruntime gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from enfold import _types

if TYPE_CHECKING:
    from enfold import _core


class Fail(Exception):
    """Whatever has no class of its own. All others derive from it."""


class InvalidArgument(Fail, ValueError):
    """An input, output, option or setting that does not fit."""


class NoSuchFile(Fail, FileNotFoundError):
    """The model's path leads nowhere."""


class NoModel(Fail):
    """There is no model to run."""


class EngineError(Fail):
    """The code that was generated cannot be run."""


class RuntimeException(Fail, RuntimeError):
    """The data that a run met cannot be computed with, or the run was stopped."""


class InvalidProtobuf(Fail):
    """The bytes are no ONNX model."""


class ModelLoaded(Fail):
    """The session has a model already."""


class NotImplemented(Fail):
    """The model needs something that there is no code for; every such node is named."""


class InvalidGraph(Fail):
    """The model contradicts itself; every problem is named."""


class EPFail(Fail):
    """An execution provider failed."""


class Stopped(RuntimeException):
    """A run or a compilation that was asked to stop, or whose time was over."""


# By enfold_status and enfold_compiler_status.
BY_STATUS: dict[int, type[Fail]] = {
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


def _names(tensors: Sequence[tuple[str, int, Any]]) -> list[str]:
    return [name for name, _, _ in tensors]


def check_names(network: _core.Network, feed: Mapping[str, object]) -> None:
    """Raises if inputs are missing or unknown."""
    required = _names(network.inputs)
    missing = [name for name in required if name not in feed]
    if missing:
        raise ValueError(f"Required inputs ({missing}) are missing from input feed ({list(feed)}).")
    known = required + _names(network.overridable)
    for name in feed:
        if name not in known:
            raise InvalidArgument(f"Invalid input name: {name}; the model has {known}")


def check_types(network: _core.Network, feed: Mapping[str, object]) -> None:
    """Raises naming the first input whose type or shape is not the declared one."""
    for name, elem, shape in network.inputs + network.overridable:
        if name not in feed:
            continue
        given_elem, given_shape = _types.describe(feed[name])
        if given_elem != elem:
            raise InvalidArgument(
                f"Unexpected input data type for '{name}': it is "
                f"({_types.type_string(given_elem)}), expected: ({_types.type_string(elem)})"
            )
        if shape is None:
            continue
        if len(given_shape) != len(shape):
            raise InvalidArgument(
                f"Invalid rank for input: {name} Got: {len(given_shape)} Expected: {len(shape)} "
                "Please fix either the inputs/outputs or the model."
            )
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
            )


def refuse_output(name: str, elem: int, shape: Sequence[int], array: object) -> NoReturn:
    """Raises saying what an output's array must be."""
    raise InvalidArgument(
        f"the array for output '{name}' must be writable, dense and in row-major order, "
        f"{_types.type_string(elem)} of shape {list(shape)}; it is {type(array).__name__}"
    )
