// Types of normalizations and of what works along one axis like them.
#include "ir/Graph.h"
#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

using Types = Result<std::vector<Type>>;

Result<> needsFloats(const InferContext& c) {
  if (isFloat(c.type(0).elem)) return {};
  return failure(ErrorCode::TypeMismatch,
                 fmt::format("{} is not defined for {}", c.info().name, name(c.type(0).elem)));
}

/// Operands [first, last] have one value a channel.
Result<> onePerChannel(const InferContext& c, size_t first, size_t last) {
  const Shape& x = c.shape(0);
  const int64_t channels = x.size() > 1 ? x[1] : 1;
  for (size_t i = first; i <= last; ++i)
    if (c.has(i) && c.shape(i) != Shape{channels})
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("operand '{}' of {} is {} where {} channels need one value each",
                                 c.info().operands[i].name, c.info().name, str(c.shape(i)),
                                 channels));
  return {};
}

/// Operands [first, last] broadcast to the input.
Result<> broadcastsToInput(const InferContext& c, size_t first, size_t last) {
  for (size_t i = first; i <= last; ++i) {
    if (!c.has(i)) continue;
    const auto joint = broadcastShapes(c.shape(i), c.shape(0));
    if (!joint || *joint != c.shape(0))
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("operand '{}' of {} is {}, which does not broadcast to {}",
                                 c.info().operands[i].name, c.info().name, str(c.shape(i)),
                                 str(c.shape(0))));
  }
  return {};
}

} // namespace

Types inferBatchNorm(const InferContext& c) {
  const Shape& x = c.shape(0);
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 1));
  ENFOLD_RETURN_IF_ERROR(onePerChannel(c, 1, 4));
  const int64_t channels = x.size() > 1 ? x[1] : 1;
  const Type statistic{c.type(3).elem, {channels}, {}};
  if (c.numResults() > 1 && !c.integer("training_mode"))
    return invalid("batch_norm has running statistics as results in training mode only");
  return std::vector{Type{c.type(0).elem, x, {}}, statistic, statistic};
}

Types inferLayerNorm(const InferContext& c) {
  const Shape& x = c.shape(0);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  ENFOLD_RETURN_IF_ERROR(broadcastsToInput(c, 1, 2));
  Shape statistics = x;
  std::fill(statistics.begin() + static_cast<ptrdiff_t>(axis), statistics.end(), 1);
  return std::vector{c.type(0), Type{ElemType::F32, statistics, {}},
                     Type{ElemType::F32, statistics, {}}};
}

Types inferRMSNorm(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsFloats(c));
  ENFOLD_RETURN_IF_ERROR(normalizeAxis(c.integer("axis"), c.type(0).rank()));
  ENFOLD_RETURN_IF_ERROR(broadcastsToInput(c, 1, 1));
  return std::vector{c.type(0)};
}

Types inferInstanceNorm(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsFloats(c));
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 2));
  ENFOLD_RETURN_IF_ERROR(onePerChannel(c, 1, 2));
  return std::vector{c.type(0)};
}

Types inferGroupNorm(const InferContext& c) {
  ENFOLD_TRY(std::vector<Type> types, inferInstanceNorm(c));
  const int64_t channels = c.shape(0)[1], groups = c.integer("num_groups");
  if (channels % groups)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} channels cannot be divided into {} groups", channels, groups));
  return types;
}

Types inferMeanVarianceNorm(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsFloats(c));
  std::vector<int64_t> seen;
  for (const int64_t axis : c.ints("axes")) {
    ENFOLD_TRY(const int64_t front, normalizeAxis(axis, c.type(0).rank()));
    if (std::ranges::find(seen, front) != seen.end())
      return failure(ErrorCode::BadAttribute, fmt::format("axis {} is given twice", axis));
    seen.push_back(front);
  }
  return std::vector{c.type(0)};
}

Types inferLRN(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsFloats(c));
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 2));
  return std::vector{c.type(0)};
}

// Softmax and its kin, and normalization by a norm.
Types inferAlongAxis(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsFloats(c));
  ENFOLD_RETURN_IF_ERROR(normalizeAxis(c.integer("axis"), c.type(0).rank()));
  return std::vector{c.type(0)};
}

} // namespace enfold
