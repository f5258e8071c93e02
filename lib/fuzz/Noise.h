// What the reference computes of a graph, and how far rounding may carry an answer from it: as far
// as small errors do that are made on purpose.
#pragma once

#include "ir/Graph.h"

#include <optional>
#include <span>
#include <string>
#include <unordered_map>

namespace enfold::fuzz {

/// Where products multiply bf16: what any number may be off by.
constexpr double kHalfNoise = 0x1p-7;

/// The outputs and values of a run by the reference.
struct Run {
  std::vector<Tensor> outputs;
  std::unordered_map<std::string, Tensor> values; ///< by name, but constants
};

Result<Run> runAll(const Graph& graph, std::span<const Tensor> inputs);

/// The same when every op errs a little; or, with a noise stated, when all numbers are off by that,
/// inputs and constants too.
Result<Run> runWithNoise(const Graph& graph, std::span<const Tensor> inputs, uint64_t seed,
                         std::optional<double> stated = {});

/// How a tensor differs from what is expected by more than a few times what noise makes of it;
/// empty if it does not.
std::string disagreement(const std::string& what, const Tensor& result, const Tensor& expected,
                         const Tensor& noisy);

} // namespace enfold::fuzz
