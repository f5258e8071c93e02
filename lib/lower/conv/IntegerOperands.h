// Operands of a convolution of words as its kernels read them: pixels, of which some have to become
// words first, and of integers pixels and weights less their zero points.
#pragma once

#include "lower/InputZero.h"
#include "lower/Words.h"

namespace enfold::lower {

/// Why no kernel takes the operands of a conv_integer. Empty if one does.
std::string refuseIntegerOperands(const Op& op);

/// Of the input as words hold it: bytes of the other sign are shifted by 128.
int64_t zeroPointOf(const Op& op, const Words& words);

/// The weights less their zero points, for packing: they outlive the op.
class IntegerWeights {
public:
  explicit IntegerWeights(const Op& op);

  /// Element number `i` of `weights`, the op's own, of output channel `channel`.
  int at(const Tensor& weights, int64_t i, int64_t channel) const {
    const auto byte = static_cast<uint8_t>(weights.bytes()[i]);
    return (isSigned_ ? static_cast<int8_t>(byte) : byte) - zeroOf(channel);
  }
  /// Whether all of them are signed bytes.
  bool areBytes(const Tensor& weights) const;
  /// Different for different zero points.
  std::string key() const;

private:
  int zeroOf(int64_t channel) const {
    return zeros_[zeros_.size() == 1 ? 0 : static_cast<size_t>(channel)];
  }

  bool isSigned_;
  std::vector<int> zeros_;
};

/// An input in memory.
struct ConvSource {
  BufferRef memory;
  Type type; ///< of its spatial sizes only the product counts
};

/// What the kernel reads for such words: the input itself, or a copy in which pixels are words,
/// those that a strided window of one tap skips are left out, and plain channels are a block.
bool isStaged(const Op& op, const Words& words);
Type stagedType(const Op& op, const Words& words);
ConvSource stageInput(const Op& op, const Words& words, Lowering& lowering);

/// Cycles that making the copy takes, on one core; 0 if there is none.
double stageCycles(const Op& op, const Words& words, const kir::Machine& machine);

} // namespace enfold::lower
