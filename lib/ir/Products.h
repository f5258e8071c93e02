// Ops that multiply what two operands hold.
#pragma once

#include "ir/OpInfo.h"

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

} // namespace enfold
