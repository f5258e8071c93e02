// Upper bounds of magnitudes, op by op.
#include "passes/Magnitude.h"

#include "passes/Match.h"
#include "passes/integer/Quantized.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::infinity();
constexpr double kLargest = 0x1p100;

/// With `times` roundings to f32, each by 2^-24 at most: (1 + u)^n <= 1 + 2 n u where n u <= 1.
double rounded(double bound, int64_t times) {
  const double sum = static_cast<double>(times) * 0x1p-24;
  return sum <= 1 ? bound * (1 + 2 * sum) : kUnknown;
}

double ofConstant(const Tensor& tensor) {
  double largest = 0;
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const double magnitude = std::abs(tensor.asDouble(i));
    if (!(magnitude <= largest)) largest = std::isnan(magnitude) ? kUnknown : magnitude;
  }
  return largest;
}

/// |code - zero| * |scale|, for the codes that the type has.
double ofDequantized(const Op& op) {
  const auto codes = quantizationOf(op);
  if (!codes) return kUnknown;
  const CodeRange range = codeRange(op.own(0)->elem());
  double largest = 0;
  for (size_t i = 0; i < codes->scales.size(); ++i) {
    const auto span =
        static_cast<double>(std::max(range.high - codes->zeros[i], codes->zeros[i] - range.low));
    largest = std::max(largest, span * static_cast<double>(codes->scales[i]));
  }
  return rounded(largest, 2);
}

/// How many products are added up for an element.
int64_t contractionOf(const Op& op) {
  if (op.kind() == OpKind::MatMul) return op.own(0)->shape().back();
  if (op.kind() == OpKind::Gemm) return op.own(0)->shape()[op.integer("transA") ? 0 : 1];
  // Weights of a convolution are [out, in, ...]; of a transposed one [in, out, ...], in groups.
  const Shape& weights = op.own(1)->shape();
  int64_t products = op.kind() == OpKind::Conv ? weights[1] : weights[0];
  for (size_t axis = 2; axis < weights.size(); ++axis) products *= weights[axis];
  return products;
}

int64_t windowOf(const Op& op) {
  int64_t size = 1;
  if (op.kind() == OpKind::AveragePool)
    for (const int64_t taps : op.ints("kernel_shape")) size *= taps;
  else
    for (const int64_t taps : spatialShape(op.own(0)->shape())) size *= taps;
  return size;
}

} // namespace

Magnitudes::Magnitudes(const Graph& graph) {
  for (const auto& op : graph.ops()) {
    if (op->kind() == OpKind::Constant || op->numResults() != 1 || !op->epilogue().empty() ||
        op->result()->elem() != ElemType::F32)
      continue;
    // Not of NaN either, which 0 * infinity gives.
    if (const double bound = resultOf(*op); bound <= kLargest)
      results_.emplace(op->result(), bound);
  }
}

std::optional<double> Magnitudes::boundOf(const Value* value) const {
  const double bound = of(value);
  return bound <= kLargest ? std::optional(bound) : std::nullopt;
}

double Magnitudes::of(const Value* value) const {
  if (!value) return 0;
  if (value->elem() != ElemType::F32) return kUnknown;
  if (const auto known = results_.find(value); known != results_.end()) return known->second;
  const Tensor* constant = value->constant();
  if (!constant) return kUnknown;
  const auto [known, isNew] = constants_.try_emplace(value, kUnknown);
  if (isNew) known->second = ofConstant(*constant);
  return known->second;
}

/// An operand that is absent adds and bounds nothing, and counts as 0.
double Magnitudes::resultOf(const Op& op) const {
  if (op.kind() == OpKind::DequantizeLinear) return ofDequantized(op);
  const double x = of(op.own(0));
  if (x == kUnknown) return kUnknown;
  const auto largest = [&] {
    double result = 0;
    for (const Value* operand : op.ownOperands()) result = std::max(result, of(operand));
    return result;
  };
  const auto magnitude = [&](std::string_view attribute) {
    return static_cast<double>(std::abs(op.real(attribute)));
  };
  switch (op.kind()) {
  case OpKind::Add:
  case OpKind::Sub:
    return rounded(x + of(op.own(1)), 1);
  case OpKind::Mul:
    return rounded(x * of(op.own(1)), 1);
  case OpKind::Conv:
  case OpKind::ConvTranspose:
  case OpKind::MatMul: {
    const int64_t products = contractionOf(op);
    return rounded(static_cast<double>(products) * x * of(op.own(1)) + of(op.own(2)),
                   2 * products + 1);
  }
  case OpKind::Gemm: {
    const int64_t products = contractionOf(op);
    return rounded(static_cast<double>(products) * x * of(op.own(1)) * magnitude("alpha") +
                       of(op.own(2)) * magnitude("beta"),
                   2 * products + 3);
  }
  // The sum is divided by the number of its terms, or a larger one.
  case OpKind::AveragePool:
  case OpKind::GlobalAveragePool:
    return rounded(x, windowOf(op) + 2);
  // The result is the operand or one of the bounds.
  case OpKind::Clip:
  case OpKind::Concat:
    return largest();
  // Between 0 and 1, if what is bounded so is a number.
  case OpKind::HardSigmoid:
    return x * magnitude("alpha") + magnitude("beta") <= kLargest ? 1 : kUnknown;
  case OpKind::Sigmoid:
  case OpKind::Tanh:
    return 1;
  case OpKind::LeakyRelu:
    return rounded(x * std::max(1.0, magnitude("alpha")), 1);
  // x times a number between 0 and 1.
  case OpKind::HardSwish:
    return rounded(x, 3);
  case OpKind::Relu:
    return x;
  // A window of a pool may lie in the padding alone, and its maximum is infinite.
  case OpKind::MaxPool:
    return kUnknown;
  default:
    return movesElements(op.kind()) ? x : kUnknown;
  }
}

} // namespace enfold
