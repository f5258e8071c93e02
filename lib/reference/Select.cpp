// Ops that pick or bound elements: Where, Clip and PRelu.
#include "reference/Pointwise.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace enfold::reference {
namespace {

/// The bound an operand of Clip states, or `unbounded` when it is absent.
template <typename N> Result<N> boundOf(const EvalContext& context, size_t operand, N unbounded) {
  if (!context.has(operand)) return unbounded;
  const Tensor& bound = context.operand(operand);
  if (bound.numElements() != 1)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("operand '{}' of clip must be a scalar, not of shape {}",
                               context.info().operands[operand].name, str(bound.shape())));
  return load<N>(bound).front();
}

} // namespace

Result<> evalSelect(EvalContext& context) {
  const Tensor& chosen = context.operand(context.operand().data<bool>()[0] ? 1 : 2);
  std::memcpy(context.result().mutableBytes(), chosen.bytes(), chosen.numBytes());
  return {};
}

/// Elements are moved as bytes, so any type will do.
Result<> evalWhere(EvalContext& context) {
  const Tensor &condition = context.operand(0), &x = context.operand(1), &y = context.operand(2);
  if (condition.elem() != ElemType::Bool) return context.unsupportedElem(condition.elem());
  const Shape shape = context.result().shape();
  const auto size = static_cast<int64_t>(byteSize(x.elem()));
  const bool* chosen = condition.data<bool>();
  std::byte* out = context.result().mutableBytes();
  forEachOffset<3>(shape,
                   {broadcastStrides(condition.shape(), shape), broadcastStrides(x.shape(), shape),
                    broadcastStrides(y.shape(), shape)},
                   [&](int64_t i, const std::array<int64_t, 3>& at) {
                     const std::byte* from =
                         chosen[at[0]] ? x.bytes() + at[1] * size : y.bytes() + at[2] * size;
                     std::memcpy(out + i * size, from, static_cast<size_t>(size));
                   });
  return {};
}

/// min(max, max(x, min)): where the bounds cross, the upper one wins. NaN stays.
Result<> evalClip(EvalContext& context) {
  const ElemType elem = context.elem(0);
  const auto refuse = [&]() -> Result<> { return context.unsupportedElem(elem); };
  return withExactNumber(
      elem,
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        if constexpr (Numeric<N>) {
          using Limits = std::numeric_limits<N>;
          constexpr N kLow = Real<N> ? -Limits::infinity() : Limits::lowest();
          constexpr N kHigh = Real<N> ? Limits::infinity() : Limits::max();
          ENFOLD_TRY(const N low, boundOf<N>(context, 1, kLow));
          ENFOLD_TRY(const N high, boundOf<N>(context, 2, kHigh));
          return mapElements(context, [=](std::same_as<N> auto x) {
            const N raised = x < low ? low : x;
            return raised > high ? high : raised;
          });
        } else {
          return refuse();
        }
      },
      refuse);
}

Result<> evalPRelu(EvalContext& context) {
  return zipElements(context, []<Numeric T>(T x, T slope) {
    return x < 0 ? wrapping(x) * wrapping(slope) : wrapping(x);
  });
}

} // namespace enfold::reference
