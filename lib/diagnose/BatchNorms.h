// What became of every batch normalization of a model. Each has exactly one of five statuses.
#pragma once

#include "diagnose/Json.h"
#include "passes/PassManager.h"

namespace enfold::diagnose {

enum class BatchNormStatus : uint8_t {
  Folded,  ///< into the weights of a neighbour: costs nothing
  Fused,   ///< into the epilogue of the op before it: costs no pass over memory
  Alone,   ///< arithmetic of its own, with a pass over memory
  Removed, ///< nothing reads it, or its input is constant
  Kept,    ///< still a batch normalization: the passes that change it did not run
};

inline constexpr BatchNormStatus kBatchNormStatuses[] = {
    BatchNormStatus::Folded, BatchNormStatus::Fused, BatchNormStatus::Alone,
    BatchNormStatus::Removed, BatchNormStatus::Kept};

std::string_view name(BatchNormStatus status);

struct BatchNormAccount {
  std::string name; ///< of the ONNX node, or of its result when it has none
  BatchNormStatus status = BatchNormStatus::Kept;
  /// Why it was not folded into the weights before it; none if it was, or nobody tried.
  std::optional<Remark> refusal;
  /// It follows a convolution or matrix product, so it is expected to be folded.
  bool looksFoldable = false;
  std::string detail; ///< where it went, or why it stands alone
};

/// The batch normalizations of a graph, by the names of their results.
std::vector<std::string> batchNormsOf(const Graph& graph);

/// The status of each, from what the passes reported and the graph they left.
std::vector<BatchNormAccount> accountOf(const std::vector<std::string>& batchNorms,
                                        const Graph& optimized, const PipelineReport& report);

/// How many there are of each status that occurs.
std::map<BatchNormStatus, int64_t> countStatuses(std::span<const BatchNormAccount> accounts);

Json toJson(std::span<const BatchNormAccount> accounts);

} // namespace enfold::diagnose
