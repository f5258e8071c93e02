// Convolutions, matrix products and averages of dequantized tensors, seen as products of the
// integers themselves.
#pragma once

#include "passes/integer/Quantized.h"

namespace enfold {

/// A convolution, matrix product or average pool whose operands stand for integers. A pool is a
/// convolution of every channel by itself, with weights of one that stand for the reciprocal of
/// their number.
struct IntegerProduct {
  OpKind kind; ///< ConvInteger or MatMulInteger
  Value* x;    ///< codes
  Quantization xScale;
  Tensor w; ///< codes; of a matrix product [K,N]
  Quantization wScale;
  AttrMap attrs;             ///< of a convolution
  int64_t channels = 0;      ///< of the result
  Shape perChannel;          ///< the shape in which one number a channel broadcasts to the result
  std::vector<int32_t> bias; ///< added to the sums; empty: none
  Value* realBias = nullptr; ///< or added to the scaled sums, in the shape that it has
  std::vector<Op*> dequantizers;

  /// Scale of the sums of channel c.
  float scale(size_t c) const {
    return xScale.scales[0] * wScale.scales[wScale.isUniform() ? 0 : c];
  }
};

/// The op so, or why not. Its sums fit 32 bits.
OrRefusal<IntegerProduct> integerProductOf(const Op& op);

/// What stands between a product and the quantize_linear that rounds its result: relus and clips,
/// which become bounds of the result's codes.
struct QuantizedTail {
  Op* quantize;
  Quantization scale;
  CodeRange bounds; ///< of the codes less their zero point
  std::vector<Op*> ops;
};

/// The tail that alone reads `value`; none where that does not end in a quantize_linear to 8 bits.
std::optional<QuantizedTail> quantizedTailOf(const Value* value);

} // namespace enfold
