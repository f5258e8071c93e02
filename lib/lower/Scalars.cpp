// Scalars of element types.
#include "lower/Scalars.h"

namespace enfold::lower {

std::optional<kir::Scalar> scalarOf(ElemType elem) {
  using kir::Scalar;
  switch (elem) {
  case ElemType::F32:
    return Scalar::F32;
  case ElemType::F64:
    return Scalar::F64;
  case ElemType::F16:
    return Scalar::F16;
  case ElemType::BF16:
    return Scalar::BF16;
  case ElemType::I8:
    return Scalar::I8;
  case ElemType::I16:
    return Scalar::I16;
  case ElemType::I32:
    return Scalar::I32;
  case ElemType::I64:
    return Scalar::I64;
  case ElemType::U8:
    return Scalar::U8;
  case ElemType::U16:
    return Scalar::U16;
  case ElemType::U32:
    return Scalar::U32;
  case ElemType::U64:
    return Scalar::U64;
  case ElemType::Bool:
    return Scalar::Bool;
  default:
    return std::nullopt;
  }
}

kir::Scalar computeScalar(kir::Scalar storage) {
  return kir::isHalf(storage) ? kir::Scalar::F32 : storage;
}

} // namespace enfold::lower
