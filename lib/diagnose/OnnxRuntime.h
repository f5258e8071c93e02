// ONNX Runtime as an oracle, if there is a python3 with the onnxruntime package.
#pragma once

#include "ir/Graph.h"

namespace enfold::diagnose {

/// Exports the graph, runs it and returns its outputs. The interpreter is python3, or what
/// ENFOLD_PYTHON names; the error says what is missing.
Result<std::vector<Tensor>> runOnnxRuntime(const Graph& graph, std::span<const Tensor> inputs);

} // namespace enfold::diagnose
