// Loops of pointwise ops. The parameter types of the function say which elements an op works on:
// Real (floating point, computed in double), Integer, or Boolean; other elements are an error.
#pragma once

#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"

#include <concepts>

namespace enfold::reference {

template <typename T>
concept Real = std::same_as<T, double>;
template <typename T>
concept Boolean = std::same_as<T, bool>;
template <typename T>
concept Integer = std::integral<T> && !Boolean<T>;
template <typename T>
concept Numeric = Real<T> || Integer<T>;

/// A number in the type whose sums, differences and products wrap as elements do.
template <Numeric T> auto wrapping(T value) {
  if constexpr (Real<T>)
    return value;
  else
    return static_cast<uint64_t>(value);
}

/// The element a function's result is stored as: predicates give booleans, all others the type of
/// their operands.
template <typename T, typename R>
using StoredAs = std::conditional_t<std::is_same_v<R, bool>, bool, T>;

/// result = f(operand 0), element by element.
template <typename F> Result<> mapElements(EvalContext& context, F&& f) {
  const Tensor& input = context.operand();
  const auto refuse = [&]() -> Result<> { return context.unsupportedElem(input.elem()); };
  return dispatchElem(
      input.elem(),
      [&](auto tag) -> Result<> {
        using T = decltype(tag);
        if constexpr (std::invocable<F, decltype(toNumber(T{}))>) {
          using Out = StoredAs<T, std::invoke_result_t<F, decltype(toNumber(T{}))>>;
          const T* in = input.data<T>();
          Out* out = context.result().mutableData<Out>();
          for (int64_t i = 0, count = input.numElements(); i < count; ++i)
            out[i] = toElement<Out>(f(toNumber(in[i])));
          return {};
        } else {
          return refuse();
        }
      },
      refuse);
}

/// result = f(operand 0, operand 1), element by element with broadcasting; both have one type.
template <typename F> Result<> zipElements(EvalContext& context, F&& f) {
  const Tensor &a = context.operand(0), &b = context.operand(1);
  const Shape shape = context.result().shape();
  const auto refuse = [&]() -> Result<> { return context.unsupportedElem(a.elem()); };
  return dispatchElem(
      a.elem(),
      [&](auto tag) -> Result<> {
        using T = decltype(tag);
        using N = decltype(toNumber(T{}));
        if constexpr (std::invocable<F, N, N>) {
          using Out = StoredAs<T, std::invoke_result_t<F, N, N>>;
          const T *x = a.data<T>(), *y = b.data<T>();
          Out* out = context.result().mutableData<Out>();
          forEachOffset<2>(shape,
                           {broadcastStrides(a.shape(), shape), broadcastStrides(b.shape(), shape)},
                           [&](int64_t i, const std::array<int64_t, 2>& at) {
                             out[i] = toElement<Out>(f(toNumber(x[at[0]]), toNumber(y[at[1]])));
                           });
          return {};
        } else {
          return refuse();
        }
      },
      refuse);
}

} // namespace enfold::reference
