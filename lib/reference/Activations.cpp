// Activation functions: Relu and its relatives, and those that take parameters. NaN stays NaN.
#include "reference/Pointwise.h"

#include <cmath>
#include <numbers>

namespace enfold::reference {
namespace {

/// x limited to [low, high]; NaN stays.
double clamp(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double geluByTanh(double x) {
  const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return 0.5 * x * (1 + std::tanh(inner));
}

double geluByErf(double x) { return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2)); }

} // namespace

Result<> evalRelu(EvalContext& context) {
  return mapElements(context, [](Numeric auto x) { return x < 0 ? decltype(x){0} : x; });
}

Result<> evalLeakyRelu(EvalContext& context) {
  const double alpha = context.real("alpha");
  return mapElements(context, [=](Real auto x) { return x < 0 ? alpha * x : x; });
}

Result<> evalThresholdedRelu(EvalContext& context) {
  const double alpha = context.real("alpha");
  return mapElements(context, [=](Real auto x) { return x > alpha ? x : 0; });
}

Result<> evalElu(EvalContext& context) {
  const double alpha = context.real("alpha");
  return mapElements(context, [=](Real auto x) { return x < 0 ? alpha * std::expm1(x) : x; });
}

Result<> evalCelu(EvalContext& context) {
  const double alpha = context.real("alpha");
  return mapElements(context,
                     [=](Real auto x) { return x < 0 ? alpha * std::expm1(x / alpha) : x; });
}

Result<> evalSelu(EvalContext& context) {
  const double alpha = context.real("alpha"), gamma = context.real("gamma");
  return mapElements(context,
                     [=](Real auto x) { return gamma * (x <= 0 ? alpha * std::expm1(x) : x); });
}

Result<> evalGelu(EvalContext& context) {
  if (context.string("approximate") == "tanh")
    return mapElements(context, [](Real auto x) { return geluByTanh(x); });
  return mapElements(context, [](Real auto x) { return geluByErf(x); });
}

Result<> evalHardSigmoid(EvalContext& context) {
  const double alpha = context.real("alpha"), beta = context.real("beta");
  return mapElements(context, [=](Real auto x) { return clamp(alpha * x + beta, 0, 1); });
}

Result<> evalHardSwish(EvalContext& context) {
  return mapElements(context, [](Real auto x) { return x * clamp(x / 6 + 0.5, 0, 1); });
}

Result<> evalSwish(EvalContext& context) {
  const double alpha = context.real("alpha");
  return mapElements(context, [=](Real auto x) { return x * sigmoid(alpha * x); });
}

Result<> evalSwiGLU(EvalContext& context) {
  const double alpha = context.real("alpha");
  return zipElements(context, [=](Real auto a, Real auto b) { return a * sigmoid(alpha * a) * b; });
}

/// Sums of integers and a fraction are cut to integers.
Result<> evalShrink(EvalContext& context) {
  const double bias = context.real("bias"), lambd = context.real("lambd");
  return mapElements(context, [=]<Numeric T>(T x) {
    using N = std::conditional_t<Real<T>, double, int64_t>;
    const auto value = static_cast<double>(x);
    const bool isLow = value < -lambd;
    if (!isLow && !(value > lambd)) return N{0};
    const double shift = isLow ? bias : -bias;
    if (Real<T> || shift != std::trunc(shift)) return static_cast<N>(value + shift);
    return static_cast<N>(x) + static_cast<N>(shift);
  });
}

} // namespace enfold::reference
