// Element types, strides, and arrays that numpy makes.
#include "Arrays.h"

#include "Text.h"

#include <algorithm>
#include <cstring>

namespace enfold::python {
namespace {

using nb::dlpack::dtype_code;

int32_t integerOf(bool isSigned, int bits) {
  switch (bits) {
  case 8:
    return isSigned ? ENFOLD_I8 : ENFOLD_U8;
  case 16:
    return isSigned ? ENFOLD_I16 : ENFOLD_U16;
  case 32:
    return isSigned ? ENFOLD_I32 : ENFOLD_U32;
  case 64:
    return isSigned ? ENFOLD_I64 : ENFOLD_U64;
  default:
    return 0;
  }
}

/// The function of enfold._arrays, which is kept for the next time. An import lets go of the
/// interpreter's lock, so several threads may come here first; a static variable that was
/// initialized by one of them would have the others wait for it, with the lock that it needs.
nb::handle arrayFunction(PyObject*& kept, const char* name) {
  if (!kept) {
    nb::object found = nb::module_::import_("enfold._arrays").attr(name);
    if (!kept) kept = found.release().ptr();
  }
  return kept;
}

void copyAxis(const nb::ndarray<nb::ro>& array, size_t axis, size_t bytes, const char* from,
              char*& to) {
  if (axis == array.ndim()) {
    std::memcpy(to, from, bytes);
    to += bytes;
    return;
  }
  const int64_t stride = array.stride(axis) * static_cast<int64_t>(bytes);
  for (size_t i = 0; i < array.shape(axis); ++i)
    copyAxis(array, axis + 1, bytes, from + static_cast<int64_t>(i) * stride, to);
}

} // namespace

int32_t elemOf(nb::dlpack::dtype dtype) {
  if (dtype.lanes != 1) return 0;
  switch (static_cast<dtype_code>(dtype.code)) {
  case dtype_code::Int:
    return integerOf(true, dtype.bits);
  case dtype_code::UInt:
    return integerOf(false, dtype.bits);
  case dtype_code::Float:
    return dtype.bits == 32   ? ENFOLD_F32
           : dtype.bits == 64 ? ENFOLD_F64
           : dtype.bits == 16 ? ENFOLD_F16
                              : 0;
  case dtype_code::Bfloat:
    return dtype.bits == 16 ? ENFOLD_BF16 : 0;
  case dtype_code::Complex:
    return dtype.bits == 64 ? ENFOLD_C64 : dtype.bits == 128 ? ENFOLD_C128 : 0;
  case dtype_code::Bool:
    return ENFOLD_BOOL;
  case dtype_code::Float8_E4M3FN:
    return ENFOLD_F8E4M3FN;
  case dtype_code::Float8_E4M3FNUZ:
    return ENFOLD_F8E4M3FNUZ;
  case dtype_code::Float8_E5M2:
    return ENFOLD_F8E5M2;
  case dtype_code::Float8_E5M2FNUZ:
    return ENFOLD_F8E5M2FNUZ;
  case dtype_code::Float8_E8M0FNU:
    return ENFOLD_F8E8M0;
  default:
    return 0;
  }
}

bool isDense(const nb::ndarray<nb::ro>& array) {
  int64_t expected = 1;
  for (size_t i = array.ndim(); i-- > 0;) {
    if (array.shape(i) == 0) return true;
    if (array.shape(i) != 1 && array.stride(i) != expected) return false;
    expected *= static_cast<int64_t>(array.shape(i));
  }
  return true;
}

void copyDense(const nb::ndarray<nb::ro>& array, char* to) {
  copyAxis(array, 0, array.itemsize(), static_cast<const char*>(array.data()), to);
}

std::pair<nb::ndarray<nb::ro>, int32_t> convert(nb::handle value, const char* name, int32_t elem) {
  static PyObject* kept = nullptr;
  const nb::handle asArray = arrayFunction(kept, "as_array");
  const nb::tuple made = nb::cast<nb::tuple>(asArray(value, nameFrom(name), elem));
  return {nb::cast<nb::ndarray<nb::ro>>(made[0]), nb::cast<int32_t>(made[1])};
}

size_t bytesOf(const enfold_tensor_info& info) {
  auto bytes = static_cast<size_t>(enfold_elem_bytes(info.elem));
  for (int32_t i = 0; i < info.rank; ++i) bytes *= static_cast<size_t>(info.dims[i]);
  return bytes;
}

nb::object makeBlock(size_t bytes) {
  static PyObject* kept = nullptr;
  return nb::object(arrayFunction(kept, "block")(bytes));
}

std::pair<nb::object, void*> allocate(const enfold_tensor_info& info, OutputMemory& memory) {
  static PyObject* kept = nullptr;
  const nb::handle empty = arrayFunction(kept, "empty");
  nb::object dims = nb::steal(PyTuple_New(info.rank));
  for (int32_t i = 0; i < info.rank; ++i)
    PyTuple_SetItem(dims.ptr(), i, PyLong_FromLongLong(info.dims[i]));
  const size_t bytes = bytesOf(info);
  nb::object array = bytes < OutputMemory::kLarge ? empty(info.elem, dims)
                                                  : empty(info.elem, dims, memory.take(bytes));
  const auto view = nb::cast<nb::ndarray<>>(array);
  return {std::move(array), view.data()};
}

void* outputMemory(nb::handle array, const enfold_tensor_info& info) {
  const nb::module_ errors = nb::module_::import_("enfold._errors");
  nb::ndarray<> view;
  const bool writable = nb::try_cast(array, view, false);
  const bool fits = writable &&
                    enfold_elem_bytes(info.elem) == static_cast<int64_t>(view.itemsize()) &&
                    view.ndim() == static_cast<size_t>(info.rank) &&
                    std::equal(info.dims, info.dims + info.rank, view.shape_ptr()) &&
                    isDense(nb::ndarray<nb::ro>(view));
  if (!fits) {
    nb::list shape;
    for (int32_t i = 0; i < info.rank; ++i) shape.append(info.dims[i]);
    errors.attr("refuse_output")(nameFrom(info.name), info.elem, shape, array);
  }
  return view.data();
}

nb::object finish(nb::object array, const enfold_tensor_info& info) {
  // Types that numpy lacks are computed as integers of their size.
  const bool isOwn = info.elem == ENFOLD_BF16 || info.elem >= ENFOLD_F8E4M3FN;
  static PyObject* kept = nullptr;
  const nb::handle view = arrayFunction(kept, "view_as");
  return isOwn ? view(array, info.elem) : array;
}

} // namespace enfold::python
