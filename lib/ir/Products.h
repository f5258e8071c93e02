// Ops that multiply what two operands hold.
#pragma once

#include "ir/Graph.h"

namespace enfold {

/// Whether each element of the result is a sum of products of elements of the first two operands,
/// perhaps with a bias.
inline bool sumsProducts(OpKind kind) {
  switch (kind) {
  case OpKind::Conv:
  case OpKind::ConvInteger:
  case OpKind::ConvTranspose:
  case OpKind::Gemm:
  case OpKind::MatMul:
  case OpKind::MatMulInteger:
    return true;
  default:
    return false;
  }
}

/// Whether the op multiplies bf16 and gives their sums in f32.
inline bool sumsHalvesInF32(const Op& op) { return op.hasAttr("sum"); }

/// Whether a product that may sum in f32 does: of numbers that are f32, or bf16.
inline bool sumsInF32(const Op& op) {
  return op.own(0)->elem() == ElemType::F32 || sumsHalvesInF32(op);
}

} // namespace enfold
