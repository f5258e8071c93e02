// Softmax, its logarithm, and hardmax, along one axis. ONNX defines the first two by a function, in
// which the differences, their powers and the sum are tensors; halves round them there (sums of
// bf16: ir/Bf16Sum.h).
#include "ir/Bf16Sum.h"
#include "reference/EvalContext.h"
#include "reference/Numbers.h"

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

/// Calls f on each line along the axis, gathered into a vector and stored back.
template <typename F> Result<> alongAxis(EvalContext& context, F&& f) {
  const Shape& x = context.shape(0);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(context.integer("axis"), context.operand().rank()));
  const auto length = static_cast<size_t>(x[static_cast<size_t>(axis)]);
  size_t stride = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < x.size(); ++i)
    stride *= static_cast<size_t>(x[i]);
  std::vector<double> values = load<double>(context.operand());
  std::vector<double> line(length);
  for (size_t k = 0; length && k < values.size() / length; ++k) {
    const size_t start = k / stride * stride * length + k % stride;
    for (size_t i = 0; i < length; ++i) line[i] = values[start + i * stride];
    f(line);
    for (size_t i = 0; i < length; ++i) values[start + i * stride] = line[i];
  }
  store(context.result(), values);
  return {};
}

/// A number as a tensor of halves would hold it; wider types keep it.
double rounded(double number, ElemType elem) {
  if (elem == ElemType::F16) return Half(number);
  if (elem == ElemType::BF16) return BFloat16(number);
  return number;
}

/// exp(x - max) of each element, and their sum.
struct Powers {
  Powers(const std::vector<double>& line, ElemType elem)
      : largest(*std::max_element(line.begin(), line.end())) {
    const bool inOrder =
        elem == ElemType::BF16 && static_cast<int64_t>(line.size()) <= kShortBf16Sum;
    for (const double value : line) {
      values.push_back(rounded(std::exp(rounded(value - largest, elem)), elem));
      sum += values.back();
      if (inOrder) sum = rounded(sum, elem);
    }
    sum = rounded(sum, elem);
  }

  double largest, sum = 0;
  std::vector<double> values;
};

} // namespace

Result<> evalSoftmax(EvalContext& context) {
  return alongAxis(context, [elem = context.operand().elem()](std::vector<double>& line) {
    Powers powers(line, elem);
    for (double& value : powers.values) value /= powers.sum;
    line = std::move(powers.values);
  });
}

Result<> evalLogSoftmax(EvalContext& context) {
  return alongAxis(context, [elem = context.operand().elem()](std::vector<double>& line) {
    const Powers powers(line, elem);
    const double log = std::log(powers.sum);
    for (double& value : line) value = value - powers.largest - log;
  });
}

/// 1 at the first largest element, which a NaN is, 0 elsewhere.
Result<> evalHardmax(EvalContext& context) {
  const auto isLess = [](double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); };
  return alongAxis(context, [&](std::vector<double>& line) {
    const auto largest = std::max_element(line.begin(), line.end(), isLess) - line.begin();
    std::fill(line.begin(), line.end(), 0);
    line[static_cast<size_t>(largest)] = 1;
  });
}

} // namespace enfold::reference
