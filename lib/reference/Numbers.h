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

/// The number type that holds every element stored as T as it is.
template <typename T>
using ExactNumber = std::conditional_t<
    kIsFloat<T>, double,
    std::conditional_t<std::is_same_v<T, bool>, bool,
                       std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>>;

/// dispatchElem by number types: calls f(N{}) with double, int64_t, uint64_t or bool.
template <typename F, typename Fallback>
auto withExactNumber(ElemType elem, F&& f, Fallback&& fallback) {
  return dispatchElem(elem, [&](auto tag) { return f(ExactNumber<decltype(tag)>{}); }, fallback);
}

} // namespace enfold::reference
