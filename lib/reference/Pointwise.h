// Loops of pointwise ops. The parameter types of the function say which elements an op works on:
// Real (floating point, computed in double), Integer (in 64 bits, and cut), or Boolean; other
// elements are an error.
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

/// What a function's result is stored as: predicates give booleans, all others the number type of
/// their operands.
template <typename N, typename R>
using StoredAs = std::conditional_t<std::is_same_v<R, bool>, bool, N>;

/// result = f(operand 0), element by element.
template <typename F> Result<> mapElements(EvalContext& context, F&& f) {
  const Tensor& input = context.operand();
  const auto refuse = [&]() -> Result<> { return context.unsupportedElem(input.elem()); };
  return withExactNumber(
      input.elem(),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        if constexpr (std::invocable<F, N>) {
          using Out = StoredAs<N, std::invoke_result_t<F, N>>;
          const std::vector<N> in = load<N>(input);
          std::vector<Out> out(in.size());
          for (size_t i = 0; i < in.size(); ++i) out[i] = static_cast<Out>(f(N{in[i]}));
          store(context.result(), out);
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
  return withExactNumber(
      a.elem(),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        if constexpr (std::invocable<F, N, N>) {
          using Out = StoredAs<N, std::invoke_result_t<F, N, N>>;
          const std::vector<N> x = load<N>(a), y = load<N>(b);
          std::vector<Out> out(static_cast<size_t>(numElements(shape)));
          forEachOffset<2>(
              shape, {broadcastStrides(a.shape(), shape), broadcastStrides(b.shape(), shape)},
              [&](int64_t i, const std::array<int64_t, 2>& at) {
                const N left = x[static_cast<size_t>(at[0])], right = y[static_cast<size_t>(at[1])];
                out[static_cast<size_t>(i)] = static_cast<Out>(f(left, right));
              });
          store(context.result(), out);
          return {};
        } else {
          return refuse();
        }
      },
      refuse);
}

} // namespace enfold::reference
