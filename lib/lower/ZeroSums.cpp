// One sum a channel.
#include "lower/ZeroSums.h"

#include "lower/IntegerWeights.h"

#include <fmt/format.h>

namespace enfold::lower {

BufferRef packedZeroSums(const Op& op, int64_t zeroPoint, int64_t stored, Lowering& lowering) {
  const IntegerWeights values(op);
  const auto pack = [=](const Tensor& weights, int32_t* to, int64_t) {
    for (int64_t k = 0; k < values.channels(); ++k)
      to[k] =
          zeroSum(zeroPoint, values.terms(), [&](int64_t i) { return values.term(weights, k, i); });
  };
  return lowering.packed<int32_t>(
      *op.own(1)->constant(), fmt::format("zero sums {} {} {}", zeroPoint, stored, values.key()),
      stored, pack);
}

BufferRef packedShifts(const Op& op, int64_t stored, Lowering& lowering) {
  const IntegerWeights values(op);
  const auto pack = [=](const Tensor& weights, int32_t* to, int64_t) {
    for (int64_t k = 0; k < values.channels(); ++k) to[k] = values.shiftOf(weights, k);
  };
  return lowering.packed<int32_t>(*op.own(1)->constant(),
                                  fmt::format("shifts {} {}", stored, values.key()), stored, pack);
}

} // namespace enfold::lower
