// NumPy's .npz format: a zip file of .npy files, stored or deflated.
#pragma once

#include "ir/Tensor.h"
#include "support/Result.h"

#include <span>
#include <string>
#include <vector>

namespace enfold::onnx {

/// The arrays in the order of the file, named as numpy.load names them. Checksums are verified.
/// Files of 4 GiB and more, whose zip is of another form, are refused.
Result<std::vector<NamedTensor>> decodeNpz(std::span<const std::byte> bytes);

/// Stored without compression. Element types NumPy lacks are widened as for .npy.
Result<std::string> encodeNpz(std::span<const NamedTensor> tensors);

} // namespace enfold::onnx
