// What sums of products begin with where pixels are multiplied as they are stored, zero point and
// all: minus the zero point times the weights that a sum meets.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

/// Of `terms` weights. Wraps around, as the kernels' sums do.
template <typename WeightOf> int32_t zeroSum(int64_t zeroPoint, int64_t terms, WeightOf weightOf) {
  uint32_t sum = 0;
  for (int64_t i = 0; i < terms; ++i) sum += static_cast<uint32_t>(weightOf(i));
  return static_cast<int32_t>(sum * static_cast<uint32_t>(-zeroPoint));
}

/// Of all weights of each output channel: `stored` numbers, zero past the last channel.
BufferRef packedZeroSums(const Op& op, int64_t zeroPoint, int64_t stored, Lowering& lowering);

/// What has been taken from the weights of each output channel to make them bytes, likewise.
BufferRef packedShifts(const Op& op, int64_t stored, Lowering& lowering);

} // namespace enfold::lower
