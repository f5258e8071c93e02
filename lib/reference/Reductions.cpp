// Reductions over axes, arg-reductions, running sums and products, and top-k.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"
#include "support/ErrorCodes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace enfold::reference {
namespace {

/// For every element of the operand the result element it is reduced into.
std::vector<int64_t> targets(const EvalContext& context) {
  const Shape& x = context.shape(0);
  std::vector<bool> reduced(x.size(), true);
  const std::vector<int64_t> axes =
      context.has(1) ? context.operand(1).toInts() : std::vector<int64_t>();
  if (!axes.empty() || context.integer("noop_with_empty_axes")) {
    std::fill(reduced.begin(), reduced.end(), false);
    for (int64_t axis : axes)
      reduced[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.size()) : axis)] = true;
  }
  Strides strides(x.size(), 0);
  int64_t stride = 1;
  for (size_t i = x.size(); i-- > 0;)
    if (!reduced[i]) {
      strides[i] = stride;
      stride *= x[i];
    }
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(numElements(x)));
  forEachIndex(x, [&](std::span<const int64_t> index) {
    int64_t at = 0;
    for (size_t i = 0; i < index.size(); ++i) at += index[i] * strides[i];
    result.push_back(at);
  });
  return result;
}

/// Folds every element into its target with step(accumulator, element), then finish(accumulator,
/// number of elements folded).
template <typename N, typename Step, typename Finish>
void foldAs(EvalContext& context, N initial, Step&& step, Finish&& finish) {
  const std::vector<int64_t> to = targets(context);
  std::vector<N> values = load<N>(context.operand());
  std::vector<N> sums(static_cast<size_t>(context.result().numElements()), initial);
  for (size_t i = 0; i < to.size(); ++i) {
    N& sum = sums[static_cast<size_t>(to[i])];
    sum = step(sum, values[i]);
  }
  const double count =
      sums.empty() ? 0 : static_cast<double>(values.size()) / static_cast<double>(sums.size());
  for (N& sum : sums) sum = finish(sum, count);
  store(context.result(), sums);
}

/// Reductions made of additions and products, in double or wrapping integers.
template <typename Step, typename Finish>
Result<> fold(EvalContext& context, int initial, Step&& step, Finish&& finish) {
  return withNumber(
      context.elem(0),
      [&](auto tag) -> Result<> {
        foldAs(context, static_cast<decltype(tag)>(initial), step, finish);
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

constexpr auto kKeep = [](auto sum, double) { return sum; };

/// A function of the sum, rounded for integer types.
template <typename F> auto through(F f) {
  return [f](auto sum, double) { return static_cast<decltype(sum)>(f(static_cast<double>(sum))); };
}

template <typename Better> Result<> extreme(EvalContext& context, bool largest, Better better) {
  return dispatchElem(
      context.elem(0),
      [&](auto tag) -> Result<> {
        using T = decltype(tag);
        const std::vector<int64_t> to = targets(context);
        const T* x = context.operand().template data<T>();
        Tensor& y = context.result();
        std::vector<bool> seen(static_cast<size_t>(y.numElements()), false);
        T* out = y.template mutableData<T>();
        for (size_t i = 0; i < to.size(); ++i) {
          const auto at = static_cast<size_t>(to[i]);
          if (!seen[at] || better(toNumber(x[i]), toNumber(out[at]))) out[at] = x[i];
          seen[at] = true;
        }
        // An empty reduction gives the identity.
        for (size_t i = 0; i < seen.size(); ++i)
          if (!seen[i]) {
            if constexpr (kIsFloat<T>)
              out[i] = T(largest ? -INFINITY : INFINITY);
            else
              out[i] = largest ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
          }
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

/// NaN wins.
constexpr auto kGreater = [](auto a, auto b) { return a > b || (a != a && b == b); };
constexpr auto kLess = [](auto a, auto b) { return a < b || (a != a && b == b); };

struct Lines {
  int64_t count, length, stride; ///< runs along one axis, `stride` elements apart
  int64_t start(int64_t line) const { return line / stride * stride * length + line % stride; }
};

Lines linesAlong(const Shape& shape, int64_t axis) {
  if (axis < 0) axis += static_cast<int64_t>(shape.size());
  Lines lines{1, 1, 1};
  for (size_t i = 0; i < shape.size(); ++i) {
    if (static_cast<int64_t>(i) == axis) {
      lines.length = shape[i];
      continue;
    }
    lines.count *= shape[i];
    if (static_cast<int64_t>(i) > axis) lines.stride *= shape[i];
  }
  return lines;
}

/// Calls f with all elements as numbers that tell them apart.
template <typename F> Result<> withElements(const Tensor& x, F&& f) {
  const auto with = [&](auto tag) -> Result<> {
    f(load<decltype(tag)>(x));
    return {};
  };
  return withExactNumber(x.elem(), with, [&] { return with(double{}); });
}

template <typename Better> Result<> argExtreme(EvalContext& context, Better better) {
  const Lines lines = linesAlong(context.shape(0), context.integer("axis"));
  const bool last = context.integer("select_last_index") != 0;
  int64_t* out = context.result().mutableData<int64_t>();
  return withElements(context.operand(), [&](const auto& x) {
    for (int64_t line = 0; line < lines.count; ++line) {
      const auto element = [&](int64_t i) {
        return x[static_cast<size_t>(lines.start(line) + i * lines.stride)];
      };
      int64_t best = 0;
      for (int64_t i = 1; i < lines.length; ++i)
        if (better(element(i), element(best)) || (last && element(i) == element(best))) best = i;
      out[line] = best;
    }
  });
}

template <typename Step> Result<> scan(EvalContext& context, int initial, Step step) {
  const Tensor& axisTensor = context.operand(1);
  if (axisTensor.numElements() != 1)
    return failure(ErrorCode::ShapeMismatch, "axis must be one number");
  ENFOLD_TRY(const int64_t axis, normalizeAxis(axisTensor.asInt(0), context.operand().rank()));
  const Lines lines = linesAlong(context.shape(0), axis);
  const bool exclusive = context.integer("exclusive") != 0,
             reverse = context.integer("reverse") != 0;
  return withNumber(
      context.elem(0),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        const std::vector<N> x = load<N>(context.operand());
        std::vector<N> y(x.size());
        for (int64_t line = 0; line < lines.count; ++line) {
          N sum = static_cast<N>(initial);
          for (int64_t i = 0; i < lines.length; ++i) {
            const auto at = static_cast<size_t>(
                lines.start(line) + (reverse ? lines.length - 1 - i : i) * lines.stride);
            if (exclusive) y[at] = sum;
            sum = step(sum, x[at]);
            if (!exclusive) y[at] = sum;
          }
        }
        store(context.result(), y);
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

} // namespace

Result<> evalReduceSum(EvalContext& context) {
  return fold(context, 0, [](auto sum, auto x) { return sum + x; }, kKeep);
}

Result<> evalReduceMean(EvalContext& context) {
  return fold(
      context, 0, [](auto sum, auto x) { return sum + x; },
      [](auto sum, double count) {
        using N = decltype(sum);
        if constexpr (std::is_integral_v<N>)
          return count > 0 ? static_cast<N>(static_cast<int64_t>(sum) / static_cast<int64_t>(count))
                           : N{0};
        else
          return sum / count;
      });
}

Result<> evalReduceProd(EvalContext& context) {
  return fold(context, 1, [](auto product, auto x) { return product * x; }, kKeep);
}

Result<> evalReduceSumSquare(EvalContext& context) {
  return fold(context, 0, [](auto sum, auto x) { return sum + x * x; }, kKeep);
}

Result<> evalReduceL1(EvalContext& context) {
  return fold(
      context, 0,
      [](auto sum, auto x) {
        using N = decltype(sum);
        if constexpr (std::is_integral_v<N>)
          return sum + static_cast<N>(std::abs(static_cast<int64_t>(x)));
        else
          return sum + std::fabs(x);
      },
      kKeep);
}

Result<> evalReduceL2(EvalContext& context) {
  return fold(
      context, 0, [](auto sum, auto x) { return sum + x * x; },
      through([](double sum) { return std::sqrt(sum); }));
}

Result<> evalReduceLogSum(EvalContext& context) {
  return fold(
      context, 0, [](auto sum, auto x) { return sum + x; },
      through([](double sum) { return std::log(sum); }));
}

/// Shifted by the largest element, so that no exponential overflows.
Result<> evalReduceLogSumExp(EvalContext& context) {
  const std::vector<int64_t> to = targets(context);
  const std::vector<double> x = load<double>(context.operand());
  const auto size = static_cast<size_t>(context.result().numElements());
  std::vector<double> largest(size, -INFINITY), sums(size, 0);
  for (size_t i = 0; i < x.size(); ++i) {
    double& top = largest[static_cast<size_t>(to[i])];
    if (kGreater(x[i], top)) top = x[i];
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const auto at = static_cast<size_t>(to[i]);
    sums[at] += std::isinf(largest[at]) ? (x[i] == largest[at]) : std::exp(x[i] - largest[at]);
  }
  for (size_t i = 0; i < size; ++i)
    sums[i] = sums[i] == 0 ? -INFINITY : largest[i] + std::log(sums[i]);
  store(context.result(), sums);
  return {};
}

Result<> evalReduceMax(EvalContext& context) { return extreme(context, true, kGreater); }
Result<> evalReduceMin(EvalContext& context) { return extreme(context, false, kLess); }
Result<> evalArgMax(EvalContext& context) { return argExtreme(context, kGreater); }
Result<> evalArgMin(EvalContext& context) { return argExtreme(context, kLess); }

Result<> evalCumSum(EvalContext& context) {
  return scan(context, 0, [](auto sum, auto x) { return sum + x; });
}
Result<> evalCumProd(EvalContext& context) {
  return scan(context, 1, [](auto product, auto x) { return product * x; });
}

/// Equal elements keep the order of their indices.
Result<> evalTopK(EvalContext& context) {
  const Tensor& x = context.operand();
  const Lines lines = linesAlong(x.shape(), context.integer("axis"));
  const Lines out = linesAlong(context.result().shape(), context.integer("axis"));
  const bool largest = context.integer("largest") != 0;
  const size_t size = byteSize(x.elem());
  return withElements(x, [&](const auto& elements) {
    for (int64_t line = 0; line < lines.count; ++line) {
      std::vector<int64_t> order(static_cast<size_t>(lines.length));
      std::iota(order.begin(), order.end(), int64_t{0});
      const auto at = [&](int64_t i) {
        return static_cast<size_t>(lines.start(line) + i * lines.stride);
      };
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return largest ? kGreater(elements[at(a)], elements[at(b)])
                       : kLess(elements[at(a)], elements[at(b)]);
      });
      for (int64_t i = 0; i < out.length; ++i) {
        const int64_t to = out.start(line) + i * out.stride, from = order[static_cast<size_t>(i)];
        std::copy_n(x.bytes() + at(from) * size, size,
                    context.result(0).mutableBytes() + static_cast<size_t>(to) * size);
        if (context.numResults() > 1) context.result(1).mutableData<int64_t>()[to] = from;
      }
    }
  });
}

} // namespace enfold::reference
