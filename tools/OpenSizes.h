// Sizes that a model leaves open, for commands that write it anew.
#pragma once

#include "quantize/OpenSizes.h"
#include "tools/Common.h"

namespace enfold::tool {

/// The types of quantize::openSizes(), of a model that was loaded for `use`; a note says if it
/// computes with its sizes.
std::map<std::string, onnx::DeclaredType> openTypes(const ModelOptions& options,
                                                    const LoadedModel& model, ModelUse use,
                                                    const quantize::Prepare& prepare);

} // namespace enfold::tool
