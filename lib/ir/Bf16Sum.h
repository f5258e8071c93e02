// How the numbers of bf16 tensors add up. The evaluator that ONNX publishes with its operators
// rounds a sum of bf16 to bf16 after each addition, in the order of the elements. Over a few
// elements that costs a bit or two; over many the sum stands still (256 + 1 = 256). So short sums
// are formed as ONNX's evaluator forms them, and agree with it bit for bit; longer ones are formed
// in f32 and rounded once.
#pragma once

#include <cstdint>

namespace enfold {

/// Elements up to which each addition is rounded: the error stays under kShortBf16Sum / 2 units in
/// the last place.
inline constexpr int64_t kShortBf16Sum = 64;

} // namespace enfold
