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

/// All elements of a tensor as numbers of type N (double or uint64_t, as withNumber picks).
template <typename N> std::vector<N> load(const Tensor& tensor) {
  std::vector<N> numbers(static_cast<size_t>(tensor.numElements()));
  dispatchElem(
      tensor.elem(),
      [&](auto tag) {
        const auto* data = tensor.data<decltype(tag)>();
        for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<N>(data[i]);
      },
      [&] {
        for (size_t i = 0; i < numbers.size(); ++i)
          numbers[i] = static_cast<N>(tensor.asDouble(static_cast<int64_t>(i)));
      });
  return numbers;
}

/// Stores numbers, one an element. Doubles are rounded to the element type.
template <typename N> void store(Tensor& tensor, const std::vector<N>& numbers) {
  ENFOLD_CHECK(static_cast<int64_t>(numbers.size()) == tensor.numElements(),
               "stored a wrong number of elements");
  const auto storeEach = [&] {
    for (size_t i = 0; i < numbers.size(); ++i)
      tensor.setDouble(static_cast<int64_t>(i), static_cast<double>(numbers[i]));
  };
  dispatchElem(
      tensor.elem(),
      [&](auto tag) {
        using T = decltype(tag);
        if constexpr (kIsFloat<T> || std::is_integral_v<N>) {
          T* data = tensor.mutableData<T>();
          for (size_t i = 0; i < numbers.size(); ++i) data[i] = toElement<T>(numbers[i]);
        } else {
          storeEach();
        }
      },
      storeEach);
}

/// Calls f(double{}) for floating-point elements and f(uint64_t{}) for integers; others give
/// fallback().
template <typename F, typename Fallback>
auto withNumber(ElemType elem, F&& f, Fallback&& fallback) {
  if (isFloat(elem)) return f(double{});
  if (isInteger(elem)) return f(uint64_t{});
  return fallback();
}

} // namespace enfold::reference
