// The number types reference functions compute in, and the way in and out of tensors.
//
// Floating point computes in double and rounds once. Integers compute in uint64_t: sums,
// differences and products modulo 2^64, cut to the element's width, are those of the wrapping
// element type.
#pragma once

#include "ir/Tensor.h"

#include <type_traits>
#include <vector>

namespace enfold::reference {

/// True for the storage types of floating-point elements.
template <typename T>
constexpr bool kIsFloat =
    std::is_floating_point_v<T> || std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

/// An element as the number to compute with: double for floating point, itself for others.
template <typename T> auto toNumber(T value) {
  if constexpr (kIsFloat<T>)
    return static_cast<double>(value);
  else
    return value;
}

/// A number as an element; doubles must suit T, integers are cut to its width.
template <typename T, typename N> T toElement(N number) {
  if constexpr (kIsFloat<T>)
    return T(static_cast<double>(number));
  else
    return static_cast<T>(number);
}

/// All elements of a tensor as numbers of type N: double, int64_t, uint64_t or bool.
template <typename N> std::vector<N> load(const Tensor& tensor);

/// Stores numbers, one an element. Doubles are rounded to the element type, integers cut to it.
template <typename N> void store(Tensor& tensor, const std::vector<N>& numbers);

/// Calls f(double{}) for floating-point elements and f(uint64_t{}) for integers; others give
/// fallback().
template <typename F, typename Fallback>
auto withNumber(ElemType elem, F&& f, Fallback&& fallback) {
  if (isFloat(elem)) return f(double{});
  if (isInteger(elem)) return f(uint64_t{});
  return fallback();
}

/// Calls f(N{}) with the number type that holds every element as it is: double, int64_t, uint64_t
/// or bool. Elements without arithmetic of their own, as in dispatchElem, give fallback().
template <typename F, typename Fallback>
auto withExactNumber(ElemType elem, F&& f, Fallback&& fallback) {
  switch (elem) {
  case ElemType::F32:
  case ElemType::F64:
  case ElemType::F16:
  case ElemType::BF16:
    return f(double{});
  case ElemType::I8:
  case ElemType::I16:
  case ElemType::I32:
  case ElemType::I64:
    return f(int64_t{});
  case ElemType::U8:
  case ElemType::U16:
  case ElemType::U32:
  case ElemType::U64:
    return f(uint64_t{});
  case ElemType::Bool:
    return f(bool{});
  default:
    return fallback();
  }
}

} // namespace enfold::reference
