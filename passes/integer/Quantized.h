// What the integers of quantized tensors stand for, where that is known when the model is compiled.
#pragma once

#include "passes/Pass.h"

namespace enfold {

/// How codes stand for real numbers: code q for (q - zero) * scale.
struct Quantization {
  std::vector<float> scales;  ///< one for all codes, or one for each index of `axis`
  std::vector<int64_t> zeros; ///< as many
  int64_t axis = 0;

  bool isUniform() const { return scales.size() == 1; }
  bool operator==(const Quantization&) const = default;
};

/// Numbers of a type: lowest and highest.
struct CodeRange {
  int64_t low, high;
};
CodeRange codeRange(ElemType elem);

/// The parameters of a quantize_linear or dequantize_linear between f32 and integers, which must be
/// constants with finite, positive scales.
OrRefusal<Quantization> quantizationOf(const Op& op);

/// The dequantize_linear that computes the value; null if there is none.
Op* dequantizationOf(const Value* value);

/// The code that stands for `value`, as quantize_linear rounds and saturates it.
int64_t codeOf(float value, const Quantization& uniform, ElemType elem);

} // namespace enfold
