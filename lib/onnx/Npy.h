// NumPy's .npy format, versions 1 to 3 (numpy.lib.format, "Format Version 1.0" and following).
#pragma once

#include "ir/Tensor.h"
#include "support/Result.h"

#include <span>
#include <string>

namespace enfold::onnx {

/// Whether these are the bytes of such a file.
bool isNpy(std::span<const std::byte> bytes);

/// Reads an array of little-endian numbers or booleans, in C or Fortran order.
Result<Tensor> decodeNpy(std::span<const std::byte> bytes);

/// Version 1.0, C order. Element types NumPy lacks are widened to float32 or int32.
std::string encodeNpy(const Tensor& tensor);

} // namespace enfold::onnx
