// Softmax, its logarithm, and hardmax, along one axis.
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

double sumOfExp(const std::vector<double>& line, double largest) {
  double sum = 0;
  for (double value : line) sum += std::exp(value - largest);
  return sum;
}

} // namespace

Result<> evalSoftmax(EvalContext& context) {
  return alongAxis(context, [](std::vector<double>& line) {
    const double largest = *std::max_element(line.begin(), line.end());
    const double sum = sumOfExp(line, largest);
    for (double& value : line) value = std::exp(value - largest) / sum;
  });
}

Result<> evalLogSoftmax(EvalContext& context) {
  return alongAxis(context, [](std::vector<double>& line) {
    const double largest = *std::max_element(line.begin(), line.end());
    const double log = std::log(sumOfExp(line, largest));
    for (double& value : line) value = value - largest - log;
  });
}

/// 1 at the first largest element, 0 elsewhere.
Result<> evalHardmax(EvalContext& context) {
  return alongAxis(context, [](std::vector<double>& line) {
    const auto largest = std::max_element(line.begin(), line.end()) - line.begin();
    std::fill(line.begin(), line.end(), 0);
    line[static_cast<size_t>(largest)] = 1;
  });
}

} // namespace enfold::reference
