// Max, Min, Sum and Mean of any number of broadcast operands. Intermediate results are not rounded.
#include "reference/Pointwise.h"

#include <cmath>

namespace enfold::reference {
namespace {

/// result = finish(combine(... combine(x0, x1) ..., xn)).
template <typename Combine, typename Finish>
Result<> foldOperands(EvalContext& context, Combine&& combine, Finish&& finish) {
  const ElemType elem = context.elem(0);
  const Shape shape = context.result().shape();
  const auto refuse = [&]() -> Result<> { return context.unsupportedElem(elem); };
  return withExactNumber(
      elem,
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        if constexpr (std::invocable<Combine, N, N>) {
          std::vector<N> folded(static_cast<size_t>(numElements(shape)));
          for (size_t k = 0; k < context.numOperands(); ++k) {
            const std::vector<N> data = load<N>(context.operand(k));
            forEachOffset<1>(shape, {broadcastStrides(context.shape(k), shape)},
                             [&](int64_t i, const std::array<int64_t, 1>& at) {
                               N& slot = folded[static_cast<size_t>(i)];
                               const N x = data[static_cast<size_t>(at[0])];
                               slot = k == 0 ? x : static_cast<N>(combine(slot, x));
                             });
          }
          for (N& number : folded) number = finish(number);
          store(context.result(), folded);
          return {};
        } else {
          return refuse();
        }
      },
      refuse);
}

constexpr auto kAsIs = [](auto x) { return x; };

template <Numeric T> bool isNaN(T x) { return x != x; }

} // namespace

Result<> evalMax(EvalContext& context) {
  return foldOperands(
      context, []<Numeric T>(T a, T b) { return isNaN(a) || a > b ? a : b; }, kAsIs);
}

Result<> evalMin(EvalContext& context) {
  return foldOperands(
      context, []<Numeric T>(T a, T b) { return isNaN(a) || a < b ? a : b; }, kAsIs);
}

Result<> evalSum(EvalContext& context) {
  return foldOperands(context, []<Real T>(T a, T b) { return a + b; }, kAsIs);
}

Result<> evalMean(EvalContext& context) {
  const auto count = static_cast<double>(context.numOperands());
  return foldOperands(
      context, []<Real T>(T a, T b) { return a + b; }, [=](double sum) { return sum / count; });
}

} // namespace enfold::reference
