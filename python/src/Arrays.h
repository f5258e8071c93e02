// Arrays of Python in the terms of the C interface.
#pragma once

#include "OutputMemory.h"

namespace enfold::python {

/// The element type of an array, 0 if ONNX has no such type.
int32_t elemOf(nb::dlpack::dtype dtype);

/// Whether an array lies densely in memory, in row-major order.
bool isDense(const nb::ndarray<nb::ro>& array);
/// The elements of an array with strides, one after the other.
void copyDense(const nb::ndarray<nb::ro>& array, char* to);

/// Any object as an array of an element type: arrays of types that DLPack lacks, numbers and lists,
/// as enfold._arrays makes them. Raises InvalidArgument naming the input.
std::pair<nb::ndarray<nb::ro>, int32_t> convert(nb::handle value, const char* name, int32_t elem);

/// The bytes of an output's elements.
size_t bytesOf(const enfold_tensor_info& info);
/// A new object for the memory of arrays of at least so many bytes.
nb::object makeBlock(size_t bytes);
/// An array for an output, large ones on memory of earlier runs, and where its elements lie.
std::pair<nb::object, void*> allocate(const enfold_tensor_info& info, OutputMemory& memory);
/// Where the elements of the caller's array for an output lie. Raises naming the output unless it
/// is writable, dense, and of the output's type.
void* outputMemory(nb::handle array, const enfold_tensor_info& info);
/// What a caller gets of an array that allocate() made.
nb::object finish(nb::object array, const enfold_tensor_info& info);

} // namespace enfold::python
