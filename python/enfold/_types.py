"""Element types: the numbers of ONNX's TensorProto.DataType, their names, and those of numpy."""

from __future__ import annotations

from typing import Any, NamedTuple


class ElementType(NamedTuple):
    number: int
    name: str  # as in enfold's text form: "f32"
    onnx: str  # as in onnxruntime's type strings: "float"
    numpy: str  # a numpy dtype, or one of ml_dtypes
    storage: str  # a dtype of numpy's own, of the same size


TABLE = [
    ElementType(1, "f32", "float", "float32", "float32"),
    ElementType(2, "u8", "uint8", "uint8", "uint8"),
    ElementType(3, "i8", "int8", "int8", "int8"),
    ElementType(4, "u16", "uint16", "uint16", "uint16"),
    ElementType(5, "i16", "int16", "int16", "int16"),
    ElementType(6, "i32", "int32", "int32", "int32"),
    ElementType(7, "i64", "int64", "int64", "int64"),
    ElementType(9, "bool", "bool", "bool", "bool"),
    ElementType(10, "f16", "float16", "float16", "float16"),
    ElementType(11, "f64", "double", "float64", "float64"),
    ElementType(12, "u32", "uint32", "uint32", "uint32"),
    ElementType(13, "u64", "uint64", "uint64", "uint64"),
    ElementType(14, "c64", "complex64", "complex64", "complex64"),
    ElementType(15, "c128", "complex128", "complex128", "complex128"),
    ElementType(16, "bf16", "bfloat16", "bfloat16", "uint16"),
    ElementType(17, "f8e4m3fn", "float8e4m3fn", "float8_e4m3fn", "uint8"),
    ElementType(18, "f8e4m3fnuz", "float8e4m3fnuz", "float8_e4m3fnuz", "uint8"),
    ElementType(19, "f8e5m2", "float8e5m2", "float8_e5m2", "uint8"),
    ElementType(20, "f8e5m2fnuz", "float8e5m2fnuz", "float8_e5m2fnuz", "uint8"),
    ElementType(21, "u4", "uint4", "uint4", "uint8"),
    ElementType(22, "i4", "int4", "int4", "int8"),
    ElementType(23, "f4e2m1", "float4e2m1", "float4_e2m1fn", "uint8"),
    ElementType(24, "f8e8m0", "float8e8m0", "float8_e8m0fnu", "uint8"),
    ElementType(25, "u2", "uint2", "uint2", "uint8"),
    ElementType(26, "i2", "int2", "int2", "int8"),
]

BY_NUMBER = {row.number: row for row in TABLE}
BY_NUMPY = {row.numpy: row for row in TABLE}


SEQUENCE, OPTIONAL_TENSOR, OPTIONAL_SEQUENCE = 1, 2, 3  # enfold_kind


def type_string(number: int, kind: int = 0) -> str:
    """ "tensor(float)", "seq(tensor(float))", "optional(tensor(float))"."""
    text = f"tensor({BY_NUMBER[number].onnx})" if number in BY_NUMBER else "unknown"
    if kind in (SEQUENCE, OPTIONAL_SEQUENCE):
        text = f"seq({text})"
    return f"optional({text})" if kind in (OPTIONAL_TENSOR, OPTIONAL_SEQUENCE) else text


def describe(value: Any) -> tuple[int, tuple[int, ...]]:
    """Element type, 0 if it has none, and shape of an array or of what numpy makes one of."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        import numpy

        value = numpy.asarray(value)
        dtype = value.dtype
    name = str(dtype).removeprefix("torch.")
    row = BY_NUMPY.get(name)
    return (row.number if row else 0), tuple(value.shape)
