// What became of every batch normalization of a model. Each has exactly one of five fates.
#pragma once

#include "diagnose/Json.h"
#include "passes/PassManager.h"

namespace enfold::diagnose {

enum class BatchNormFate : uint8_t {
  Folded,  ///< into the weights of a neighbour: costs nothing
  Fused,   ///< into the epilogue of the op before it: costs no pass over memory
  Alone,   ///< arithmetic of its own, with a pass over memory
  Removed, ///< nothing reads it, or its input is constant
  Kept,    ///< still a batch normalization: the passes that change it did not run
};

inline constexpr BatchNormFate kBatchNormFates[] = {BatchNormFate::Folded, BatchNormFate::Fused,
                                                    BatchNormFate::Alone, BatchNormFate::Removed,
                                                    BatchNormFate::Kept};

std::string_view name(BatchNormFate fate);

struct BatchNormAccount {
  std::string name; ///< of the ONNX node, or of its result when it has none
  BatchNormFate fate = BatchNormFate::Kept;
  /// Why it was not folded into the weights before it; none if it was, or nobody tried.
  std::optional<Remark> refusal;
  /// It follows a convolution or matrix product, so it is expected to be folded.
  bool looksFoldable = false;
  std::string detail; ///< where it went, or why it stands alone
};

/// The batch normalizations of a graph, by the names of their results.
std::vector<std::string> batchNormsOf(const Graph& graph);

/// The fate of each, from what the passes reported and the graph they left.
std::vector<BatchNormAccount> accountOf(const std::vector<std::string>& batchNorms,
                                        const Graph& optimized, const PipelineReport& report);

/// How many there are of each fate that occurs.
std::map<BatchNormFate, int64_t> countFates(std::span<const BatchNormAccount> accounts);

Json toJson(std::span<const BatchNormAccount> accounts);

} // namespace enfold::diagnose
