// Measures the error of folding, and of rounding operands to bf16: runs each folded op on the
// tensors of the unfolded model and compares with what the unfolded model computes there. Both use
// the reference functions, with accumulators in double, so that only the folded numbers differ.
#pragma once

#include "passes/PassManager.h"

namespace enfold {

/// The certificate of one fold, or of the operands of one product being rounded.
struct FoldError {
  std::string pass;  ///< that did it
  std::string value; ///< the tensor of the model that the folded op computes
  std::string nodes; ///< the folded ONNX nodes
  double bound = 0;  ///< of the error by the folded numbers' rounding, for these inputs
  double maxAbs = 0; ///< measured
  double scale = 1;  ///< max(1, largest magnitude) of the tensor
  double relative() const { return maxAbs / scale; }
};

/// Runs `pipeline` without the passes that do not fold over a copy of the graph, and measures every
/// fold on the inputs.
Result<std::vector<FoldError>> measureFolds(const Graph& graph, const Pipeline& pipeline,
                                            const PipelineOptions& options,
                                            std::span<const Tensor> inputs);

/// The tensors whose folds cost more than `tolerance`, relative to max(1, largest magnitude), on
/// seeded random inputs.
Result<std::set<std::string>> foldsExceeding(double tolerance, const Graph& graph,
                                             const Pipeline& pipeline,
                                             const PipelineOptions& options);

/// The same of products whose operands are rounded, where the options' precision asks for it.
Result<std::set<std::string>> roundingsExceeding(double tolerance, const Graph& graph,
                                                 const Pipeline& pipeline,
                                                 const PipelineOptions& options);

/// Inputs to measure on: floats uniform in [0, 1), small integers.
std::vector<Tensor> sampleInputs(const Graph& graph);

} // namespace enfold
