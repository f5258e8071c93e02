"""Values and where they are, under onnxruntime's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from enfold import _errors, _types


class OrtDevice:
    """The processor, the only device."""

    def __init__(self, device_type: str = "cpu", device_id: int = 0) -> None:
        self._type, self._id = device_type, device_id

    @staticmethod
    def make(device_type: str, device_id: int, vendor_id: int = -1) -> OrtDevice:
        return OrtDevice(device_type, device_id)

    @staticmethod
    def cpu() -> int:
        return 0

    def device_type(self) -> int:
        return self.cpu()

    def device_id(self) -> int:
        return self._id

    def device_mem_type(self) -> int:
        return 0

    def device_vendor_id(self) -> int:
        return 0

    def _get_c_device(self) -> OrtDevice:
        return self


def on_cpu(device_type: Any) -> None:
    name = device_type._type if isinstance(device_type, OrtDevice) else str(device_type)
    if name.lower() != "cpu":
        raise _errors.RuntimeException(f"there is no device '{name}', only 'cpu'")


class OrtValue:
    """A tensor, a sequence of tensors, or nothing: an optional value that is not there."""

    def __init__(self, array: Any, numpy_obj: Any = None) -> None:
        self._array = array._array if isinstance(array, OrtValue) else array

    @property
    def _ortvalue(self) -> OrtValue:
        """onnxruntime's native value, which some programs pass on; it is the same."""
        return self

    _get_c_value = _ortvalue.fget

    def as_sparse_tensor(self) -> Any:
        raise _errors.NotImplemented("enfold has no sparse tensors")

    @staticmethod
    def ort_value_from_sparse_tensor(sparse_tensor: Any) -> OrtValue:
        raise _errors.NotImplemented("enfold has no sparse tensors")

    @staticmethod
    def ortvalue_from_numpy(
        numpy_obj: Any, device_type: str = "cpu", device_id: int = 0, vendor_id: int = -1
    ) -> OrtValue:
        import numpy

        on_cpu(device_type)
        if numpy_obj.dtype.kind in "OSU":
            raise RuntimeError("only arrays of numbers can be values")
        return OrtValue(numpy.ascontiguousarray(numpy_obj).reshape(numpy_obj.shape))

    @staticmethod
    def ortvalue_from_numpy_with_onnx_type(data: Any, onnx_element_type: int) -> OrtValue:
        """An array of integers taken as elements of a type that numpy lacks, of their size."""
        from enfold import _arrays

        return OrtValue(_arrays.view_as(data, onnx_element_type))

    @staticmethod
    def ortvalue_from_shape_and_type(
        shape: Sequence[int],
        element_type: Any = None,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int = -1,
        memory_info: Any = None,
    ) -> OrtValue:
        import numpy

        from enfold import _arrays

        on_cpu(device_type)
        dtype = numpy.float32 if element_type is None else element_type
        if isinstance(dtype, int):
            dtype = _arrays.dtype_of(dtype)
        return OrtValue(numpy.zeros(shape, dtype))

    @staticmethod
    def from_dlpack(data: Any, is_bool_tensor: bool = False) -> OrtValue:
        import numpy

        array = numpy.from_dlpack(data)
        return OrtValue(array.astype(bool) if is_bool_tensor else array)

    def _tensor(self) -> Any:
        if not self.is_tensor():
            raise RuntimeError("the value is not a tensor")
        return self._array

    def numpy(self) -> Any:
        return self._tensor()

    def shape(self) -> list[int]:
        return list(self._tensor().shape)

    def data_type(self) -> str:
        if self.is_tensor_sequence():
            elem = _types.describe(self._array[0])[0] if self._array else 0
            return _types.type_string(elem, _types.SEQUENCE)
        return _types.type_string(self.element_type())

    def element_type(self) -> int:
        return _types.describe(self._tensor())[0]

    def data_ptr(self) -> int:
        return self._tensor().ctypes.data

    def device_name(self) -> str:
        return "cpu"

    def has_value(self) -> bool:
        return self._array is not None

    def is_tensor(self) -> bool:
        return self.has_value() and not self.is_tensor_sequence()

    def is_sparse_tensor(self) -> bool:
        return False

    def is_tensor_sequence(self) -> bool:
        return isinstance(self._array, list)

    def tensor_size_in_bytes(self) -> int:
        return self._tensor().nbytes

    def update_inplace(self, np_arr: Any) -> None:
        array = self._tensor()
        if np_arr.size != array.size:
            raise RuntimeError(
                f"an array of shape {list(np_arr.shape)} does not fit a value of {list(array.shape)}"
            )
        array[...] = np_arr.reshape(array.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._array if dtype is None else self._array.astype(dtype)

    def to_dlpack(self) -> Any:
        return self._array.__dlpack__()

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


def copy_tensors(src: Sequence[OrtValue], dst: Sequence[OrtValue], stream: Any = None) -> None:
    """Copies the contents of values to others of the same shapes."""
    if len(src) != len(dst):
        raise RuntimeError(f"{len(src)} values to copy to {len(dst)}")
    for source, target in zip(src, dst):
        target.update_inplace(source.numpy())


class OrtValueVector(list):
    """A list of values, under onnxruntime's name for it."""

    push_back = list.append
