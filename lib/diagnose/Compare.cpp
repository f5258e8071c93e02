// Elementwise comparison in double.
#include "diagnose/Compare.h"

#include "passes/Pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::diagnose {

Comparison compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance) {
  Comparison result;
  if (a.type() != b.type()) {
    result.problem = fmt::format("{} where {} is expected", a.type().str(), b.type().str());
    return result;
  }
  const int64_t count = b.numElements();
  for (int64_t i = 0; i < count; ++i)
    if (const double magnitude = std::fabs(b.asDouble(i)); std::isfinite(magnitude))
      result.scale = std::max(result.scale, magnitude);
  for (int64_t i = 0; i < count; ++i) {
    const double x = a.asDouble(i), y = b.asDouble(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double error = std::fabs(x - y);
    if (!(error <= result.maxAbs)) {
      result.maxAbs = error;
      result.worst = i;
    }
    if (isInteger(b.elem())) ++result.steps[static_cast<int64_t>(error)];
    result.maxRelative = std::max(result.maxRelative, error / std::max(std::fabs(y), 1e-30));
    // Written so that a NaN on one side is a mismatch. Nothing is near infinity.
    if (!std::isfinite(y) || !(error <= tolerance.atol * result.scale +
                                            tolerance.rtol * std::fabs(y) + tolerance.rounding))
      ++result.mismatches;
  }
  return result;
}

Tolerance atPrecision(const Tolerance& standard, Precision precision) {
  if (precision == Precision::Model) return standard;
  // Of tensors that one side rounds: to bf16 here, or to f16 in the reference.
  const double halves = precision == Precision::Bf16 ? 0.03 : 0.004;
  return {std::max(standard.rtol, halves), std::max(standard.atol, halves), standard.rounding};
}

std::string Comparison::stepsText(int64_t elements) const {
  std::string text;
  for (const auto& [step, count] : steps)
    text += text.empty() ? fmt::format("of {} elements {} differ by {}", elements, count, step)
                         : fmt::format(", {} by {}", count, step);
  return text;
}

} // namespace enfold::diagnose
