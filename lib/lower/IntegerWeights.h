// The constant weights of a sum of products of integers, less their zero points, for packing.
#pragma once

#include "ir/Graph.h"

#include <string>
#include <vector>

namespace enfold::lower {

/// Of a conv_integer, or of a matmul_integer whose second operand is a matrix. Outlives the op.
class IntegerWeights {
public:
  explicit IntegerWeights(const Op& op);

  int64_t channels() const { return channels_; } ///< of the output
  int64_t terms() const { return terms_; }       ///< of a channel
  /// Element number `i` of `weights`, the op's own, of output channel `channel`.
  int at(const Tensor& weights, int64_t i, int64_t channel) const {
    const auto byte = static_cast<uint8_t>(weights.bytes()[i]);
    return (isSigned_ ? static_cast<int8_t>(byte) : byte) - zeroOf(channel);
  }
  /// Term number `i` of a channel.
  int term(const Tensor& weights, int64_t channel, int64_t i) const {
    return at(weights, isMatrix_ ? i * channels_ + channel : channel * terms_ + i, channel);
  }
  /// Whether all of them are signed bytes.
  bool areBytes(const Tensor& weights) const;
  /// What has to be taken from those of a channel to make them so: as little as can be.
  int shiftOf(const Tensor& weights, int64_t channel) const;
  /// Less their shifts.
  IntegerWeights asBytes(const Tensor& weights) const;
  /// Different for different zero points.
  std::string key() const;

private:
  int zeroOf(int64_t channel) const {
    return zeros_[zeros_.size() == 1 ? 0 : static_cast<size_t>(channel)];
  }

  bool isSigned_, isMatrix_; ///< isMatrix_: channels are columns, else what lies outermost
  int64_t channels_, terms_;
  std::vector<int> zeros_;
};

} // namespace enfold::lower
