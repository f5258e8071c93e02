// The weights of a convolution as f32, for packing: as they are, or widened from bf16.
#pragma once

#include "ir/Tensor.h"

#include <algorithm>
#include <vector>

namespace enfold::lower {

class FloatWeights {
public:
  /// `weights` must outlive it.
  explicit FloatWeights(const Tensor& weights) {
    if (weights.elem() == ElemType::F32) {
      data_ = weights.data<float>();
      return;
    }
    const std::span<const BFloat16> halves = weights.values<BFloat16>();
    widened_.assign(halves.begin(), halves.end());
    data_ = widened_.data();
  }
  FloatWeights(const FloatWeights&) = delete;
  FloatWeights& operator=(const FloatWeights&) = delete;

  const float* data() const { return data_; }

private:
  std::vector<float> widened_;
  const float* data_;
};

} // namespace enfold::lower
