// The equation of an einsum ("bij,bjk->bik"), resolved against the shapes of its operands: shared
// by inference and evaluation.
#pragma once

#include "ir/Type.h"

#include <span>
#include <string_view>

namespace enfold {

/// Labels are numbered from 0; the axes an ellipsis stands for have labels of their own, shared
/// between operands by their distance from the ellipsis' end.
struct EinsumLabels {
  std::vector<std::vector<size_t>> operands; ///< per operand, the label of each axis
  std::vector<size_t> output;                ///< the label of each axis of the result, each once
  std::vector<int64_t> sizes;                ///< per label; operands repeat along axes of size 1

  Shape outputShape() const;
};

/// Errors name what is wrong with the equation, or which label has conflicting sizes.
Result<EinsumLabels> parseEinsum(std::string_view equation, std::span<const Shape> shapes);

} // namespace enfold
