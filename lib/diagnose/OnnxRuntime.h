// ONNX Runtime as an oracle, by way of python3 with the onnxruntime package, where there is one.
#pragma once

#include "ir/Graph.h"

namespace enfold::diagnose {

/// Runs the graph, written as ONNX, and gives its outputs. The interpreter is python3 or what
/// ENFOLD_PYTHON names; an error tells what is missing.
Result<std::vector<Tensor>> runOnnxRuntime(const Graph& graph, std::span<const Tensor> inputs);

} // namespace enfold::diagnose
