// Values of constants in the text form: lists, splats, random numbers, hex and files.
#pragma once

#include "ir/Parser.h"

namespace enfold {

/// Stores the number `text` (or inf, -inf, nan, true, false) as element i, rounded once; false when
/// it is no number or out of the integer type's range.
bool storeElement(Tensor& tensor, int64_t i, std::string_view text);

/// Uniform numbers as Parser.h says.
void fillRandom(Tensor& tensor, uint64_t seed, double low, double high);

/// An input to try a network on, the same for the same seed: floats are uniform in [0, 1), integers
/// in [0, 8).
Tensor randomTensor(const Type& type, uint64_t seed);

/// False unless `hex` holds exactly the tensor's bytes.
bool fillHex(Tensor& tensor, std::string_view hex);

/// Reads the tensor's bytes from a file inside the folder.
Result<> fillFromFile(Tensor& tensor, const std::filesystem::path& folder, const std::string& name,
                      int64_t offset);

} // namespace enfold
