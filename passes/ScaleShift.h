// y = x * scale + shift with one pair of constants per channel: what an inference-mode batch
// normalization is, and what addition, multiplication, subtraction and division by per-channel
// constants are. All in double; whoever applies it rounds once.
#pragma once

#include "passes/Pass.h"

#include <vector>

namespace enfold {

struct ScaleShift {
  std::vector<double> scale, shift; ///< one number per channel

  int64_t channels() const { return static_cast<int64_t>(scale.size()); }
  bool hasScale() const;
  bool hasShift() const;
  bool isFinite() const;
  /// First this, then `next`.
  ScaleShift then(const ScaleShift& next) const;
};

/// True for the ops scaleShiftOf() knows, reading `x`.
bool isScaleShiftKind(const Op& op, const Value* x);

/// What `op` does to its operand `x` along `axis`. Refuses when the other operands are computed,
/// vary along other axes, broadcast x to a larger shape, or the op is a normalization by batch
/// statistics.
OrRefusal<ScaleShift> scaleShiftOf(const Op& op, const Value* x, int64_t axis,
                                   const PassOptions& options);

/// A constant of `elem` holding one number per channel, shaped to broadcast along `axis` of a
/// tensor of rank `rank`: [C,1,1].
Tensor channelTensor(std::span<const double> numbers, ElemType elem, int64_t axis, int64_t rank);

} // namespace enfold
