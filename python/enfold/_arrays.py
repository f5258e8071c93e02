"""Arrays for the compiled code: made for outputs, and made of whatever a caller gives."""

from __future__ import annotations

import struct
import sys
from typing import Any

from enfold import _errors, _types

try:
    import numpy
except ImportError:  # outputs are then plain buffers
    numpy = None

_STORAGE = {}
_DTYPES: dict[int, Any] = {}
if numpy is not None:
    _STORAGE = {row.number: numpy.dtype(row.storage) for row in _types.TABLE}


_CACHE_LINE = 64


def block(size: int) -> Any:
    """Memory for arrays of empty() of up to so many bytes."""
    size += _CACHE_LINE
    return bytearray(size) if numpy is None else numpy.empty(size, numpy.uint8)


def empty(elem: int, shape: tuple[int, ...], memory: Any = None) -> Any:
    """An array, dense and in row-major order; of integers where numpy lacks the type.

    It is new, or lies in the `memory`, from the first whole cache line on.
    """
    if numpy is not None:
        if memory is None:
            return numpy.empty(shape, _STORAGE[elem])
        address, _ = memory.__array_interface__["data"]
        return numpy.ndarray(shape, _STORAGE[elem], memory, -address % _CACHE_LINE)
    codes = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "?", 11: "d", 12: "I"}
    codes[13] = "Q"
    if elem not in codes:
        raise _errors.NotImplemented(
            f"without numpy there are no arrays of {_types.type_string(elem)}"
        )
    size = struct.calcsize(codes[elem])
    for length in shape:
        size *= length
    view = memoryview(bytearray(max(size, 1)) if memory is None else memory)[:size]
    return view.cast("B").cast(codes[elem], shape) if size else view.cast(codes[elem])


def dtype_of(elem: int) -> Any:
    """The dtype of an element type: numpy's, that of ml_dtypes, or an integer of its size."""
    if elem not in _DTYPES:
        row = _types.BY_NUMBER[elem]
        if row.numpy == row.storage:
            _DTYPES[elem] = _STORAGE[elem]
        else:
            try:
                import ml_dtypes

                _DTYPES[elem] = numpy.dtype(getattr(ml_dtypes, row.numpy))
            except (ImportError, AttributeError):
                _DTYPES[elem] = _STORAGE[elem]
    return _DTYPES[elem]


def view_as(array: Any, elem: int) -> Any:
    """An array of empty() in the type that it holds."""
    return array.view(dtype_of(elem)) if numpy is not None else array


def as_tensor(array: Any) -> Any:
    """A torch tensor on the memory of an array, of types that numpy lacks too."""
    import torch

    try:
        return torch.as_tensor(array)
    except TypeError:
        dtype = getattr(torch, str(array.dtype))
        return torch.as_tensor(array.view(f"i{array.itemsize}")).view(dtype)


def as_array(value: Any, name: str, elem: int) -> tuple[Any, int]:
    """An array of a type that DLPack knows, and the element type that it holds.

    Arrays of ml_dtypes are seen as integers; numbers and lists become the type that the model wants.
    Raises InvalidArgument naming the input.
    """
    dtype = getattr(value, "dtype", None)
    row = _types.BY_NUMPY.get(str(dtype).removeprefix("torch.")) if dtype is not None else None
    if str(dtype).startswith("torch."):  # one that needs gradients, or on another device
        value = value.detach()
        if row is not None and row.numpy != row.storage:
            value = value.view(getattr(sys.modules["torch"], f"int{8 * dtype.itemsize}"))
    if numpy is None:
        raise _errors.InvalidArgument(
            f"input '{name}': {type(value).__name__} is not an array of numbers"
        )
    try:
        if row is not None:
            array = numpy.asarray(value)
            return array.astype(array.dtype.newbyteorder("="), copy=False).view(
                _STORAGE[row.number]
            ), row.number
        wanted = _types.BY_NUMBER.get(elem)
        if dtype is None and wanted is not None:
            array = numpy.asarray(value, dtype_of(elem))
            return array.view(_STORAGE[elem]), elem
    except (TypeError, ValueError, RuntimeError) as error:
        raise _errors.InvalidArgument(f"input '{name}': {error}") from error
    raise _errors.InvalidArgument(
        f"input '{name}': {dtype or type(value).__name__} is no type of numbers; expected "
        f"{_types.type_string(elem)}"
    )
