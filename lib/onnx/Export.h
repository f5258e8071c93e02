// Graph IR to ONNX.
//
// The model written is valid ONNX of the newest opset an op needs, before passes and after: fused
// ops become the ONNX ops they came from, and blocked layouts are left out, so that any other
// runtime can check what the passes did.
#pragma once

#include "ir/Graph.h"

#include <filesystem>

namespace enfold::onnx {

/// Writes the model whole or not at all. Errors name ops that ONNX cannot express.
Result<> exportModel(const Graph& graph, const std::filesystem::path& path);

} // namespace enfold::onnx
