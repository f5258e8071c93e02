// What became of every batch normalization of a model: the account that `enfold explain` opens with
// and that gates check. Each is in exactly one of five states.
#pragma once

#include "passes/PassManager.h"

namespace enfold::diagnose {

enum class BatchNormFate : uint8_t {
  Folded,  ///< into the weights before or behind it: costs nothing
  Fused,   ///< a step of the op that produces its input: costs no pass over memory
  Alone,   ///< arithmetic of its own, with a pass over memory
  Removed, ///< nothing reads it, or its input is constant
  Kept,    ///< still a batch normalization: the passes that change it did not run
};

std::string_view name(BatchNormFate fate);

struct BatchNormAccount {
  std::string name; ///< of the ONNX node, or of its result when it has none
  BatchNormFate fate = BatchNormFate::Kept;
  /// The remark that tells why it was not folded into the weights before it; null if it was.
  const Remark* refusal = nullptr;
  /// What it reads is a convolution or matrix product, so that a reader expects it to be folded.
  bool looksFoldable = false;
  std::string detail; ///< where it went, or why it stands alone
};

/// The batch normalizations of a graph, to be told apart after the passes by their results' names.
std::vector<std::string> batchNormsOf(const Graph& graph);

/// The fate of each, from what the passes reported and the graph they left.
std::vector<BatchNormAccount> accountOf(const std::vector<std::string>& batchNorms,
                                        const Graph& optimized, const PipelineReport& report);

} // namespace enfold::diagnose
