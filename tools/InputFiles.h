// The files that --input names: .npy, .npz, .pb, images, and raw numbers, which are told apart by
// their first bytes.
#pragma once

#include "tools/Common.h"
#include "tools/Pixels.h"

namespace enfold::tool {

/// `texts` are NAME=FILE, NAME=raw:FILE, or FILE.npz, whose arrays are named; - is standard input.
/// Several images of one name are a batch. What raw numbers and images are to be follows from what
/// the model declares.
Result<std::vector<NamedTensor>> readInputFiles(const std::vector<std::string>& texts,
                                                const PixelOptions& pixels,
                                                const ModelOptions& model);

} // namespace enfold::tool
