// Sizes that a model leaves open, for commands that write it anew.
#pragma once

#include "onnx/Signature.h"
#include "tools/Common.h"

namespace enfold::tool {

/// What of a loaded model is compared.
using Prepare = std::function<Result<std::unique_ptr<Graph>>(const Graph&)>;

/// Types of inputs and outputs with the sizes open that the model leaves open, where its
/// computation is the same for any: then it is the same for two. None where there is no such size;
/// a note says if the computation differs. `use` is how the model was loaded.
std::map<std::string, onnx::DeclaredType> openTypes(const ModelOptions& options,
                                                    const LoadedModel& model, ModelUse use,
                                                    const Prepare& prepare);

} // namespace enfold::tool
