// Zero points hold for all channels, or for one each.
#include "lower/IntegerWeights.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold::lower {

IntegerWeights::IntegerWeights(const Op& op)
    : isSigned_(op.own(1)->elem() == ElemType::I8), isMatrix_(op.kind() == OpKind::MatMulInteger),
      channels_(isMatrix_ ? op.own(1)->shape().back() : op.own(1)->shape().front()),
      terms_(op.own(1)->type().numElements() / std::max<int64_t>(1, channels_)), zeros_({0}) {
  if (!op.own(3)) return;
  const std::vector<int64_t> zeros = op.own(3)->constant()->toInts();
  zeros_.assign(zeros.begin(), zeros.end());
}

std::string IntegerWeights::key() const { return fmt::format("{}", fmt::join(zeros_, " ")); }

bool IntegerWeights::areBytes(const Tensor& weights) const {
  const auto isZero = [](int zero) { return zero == 0; };
  if (isSigned_ && std::ranges::all_of(zeros_, isZero)) return true;
  for (int64_t channel = 0; channel < channels_; ++channel)
    for (int64_t i = 0; i < terms_; ++i)
      if (const int w = term(weights, channel, i); w < -128 || w > 127) return false;
  return true;
}

int IntegerWeights::shiftOf(const Tensor& weights, int64_t channel) const {
  int least = 0, most = 0;
  for (int64_t i = 0; i < terms_; ++i) {
    least = std::min(least, term(weights, channel, i));
    most = std::max(most, term(weights, channel, i));
  }
  // No two weights of a channel are more than 255 apart.
  return std::max(most - 127, 0) + std::min(least + 128, 0);
}

IntegerWeights IntegerWeights::asBytes(const Tensor& weights) const {
  IntegerWeights bytes = *this;
  bytes.zeros_.resize(static_cast<size_t>(channels_), zeros_.front());
  for (int64_t channel = 0; channel < channels_; ++channel)
    bytes.zeros_[static_cast<size_t>(channel)] += shiftOf(weights, channel);
  return bytes;
}

} // namespace enfold::lower
