// A model on its way to quantization: folded, and found fit for it.
#pragma once

#include "driver/Compiler.h"

namespace enfold::quantize {

/// The model with batch normalizations and the like folded into weights, in ONNX's ops. An error if
/// it computes with quantized numbers already.
Result<std::unique_ptr<Graph>> prepared(const Graph& model, const CompileOptions& options);

/// Whether two graphs are one but for the sizes of their tensors: the same ops, attributes and
/// constants.
bool areAlike(const Graph& a, const Graph& b);

} // namespace enfold::quantize
