// One rule for each kind of op that makes a step larger or smaller; others pass on the largest of
// their operands.
#include "diagnose/QuantizationSteps.h"

#include "ir/Products.h"

#include <algorithm>
#include <cmath>

namespace enfold::diagnose {
namespace {

/// What is known of a value: the size of a step, and about the largest magnitude.
struct Extent {
  double step = 0, most = 1;
};

double greatest(const Tensor& tensor) {
  double most = 0;
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    if (const double magnitude = std::fabs(tensor.asDouble(i)); std::isfinite(magnitude))
      most = std::max(most, magnitude);
  return most;
}

class Steps {
public:
  void visit(const Op& op) {
    Extent extent = extentOf(op);
    for (size_t i = 0; i < op.numResults(); ++i) extents_[op.result(i)] = extent;
    if (op.kind() == OpKind::DynamicQuantizeLinear)
      for (const size_t i : {1, 2}) extents_[op.result(i)] = {0, 1};
  }
  double step(const Value* value) const { return of(value).step; }

private:
  Extent of(const Value* value) const {
    const auto it = value ? extents_.find(value) : extents_.end();
    return it == extents_.end() ? Extent() : it->second;
  }
  Extent of(const Op& op, size_t i) const { return of(op.own(i)); }

  /// Of the operands, whichever is larger.
  Extent largest(const Op& op) const {
    Extent result{0, 0};
    for (const Value* operand : op.ownOperands()) {
      result.step = std::max(result.step, of(operand).step);
      result.most = std::max(result.most, of(operand).most);
    }
    return result;
  }

  /// A sum of `terms` products.
  static Extent product(const Extent& a, const Extent& b, double terms) {
    return {std::sqrt(terms) * (a.step * b.most + b.step * a.most),
            std::sqrt(terms) * a.most * b.most};
  }

  Extent dequantized(const Op& op) const {
    const Extent x = of(op, 0), scale = of(op, 1), zero = of(op, 2);
    return {x.step * scale.most, (x.most + (op.own(2) ? zero.most : 0)) * scale.most};
  }

  Extent extentOf(const Op& op) const;

  std::unordered_map<const Value*, Extent> extents_;
};

/// Terms of each sum of an op that multiplies by operand `weights`.
double termsOf(const Op& op, size_t weights) {
  const Shape &w = op.own(weights)->shape(), &y = op.result()->shape();
  const auto count = static_cast<double>(numElements(w));
  switch (op.kind()) {
  case OpKind::ConvTranspose:
    return count / static_cast<double>(std::max<int64_t>(w[1], 1));
  case OpKind::Gemm:
  case OpKind::MatMul:
  case OpKind::MatMulInteger:
  case OpKind::QLinearMatMul: {
    const Shape& a = op.own(0)->shape();
    return static_cast<double>(op.kind() == OpKind::Gemm && op.integer("transA") != 0 ? a[0]
                                                                                      : a.back());
  }
  default:
    return count / static_cast<double>(std::max<int64_t>(y[1], 1));
  }
}

Extent Steps::extentOf(const Op& op) const {
  if (sumsProducts(op.kind())) return product(of(op, 0), of(op, 1), termsOf(op, 1));
  switch (op.kind()) {
  case OpKind::Constant:
    return {0, greatest(op.tensor("value"))};
  case OpKind::QuantizeLinear:
  case OpKind::DynamicQuantizeLinear:
  case OpKind::QLinearConv:
  case OpKind::QLinearMatMul:
    return {1, std::ldexp(1.0, std::min(info(op.result()->elem()).bits, 16))};
  case OpKind::Round:
    return {1, of(op, 0).most};
  case OpKind::Cast:
  case OpKind::CastLike: {
    const Extent x = of(op, 0);
    return isInteger(op.result()->elem()) ? Extent{std::ceil(x.step), x.most} : x;
  }
  case OpKind::DequantizeLinear:
    return dequantized(op);
  case OpKind::Mul:
    return product(of(op, 0), of(op, 1), 1);
  case OpKind::Div: {
    const Extent x = of(op, 0), by = of(op, 1);
    const double divisor = by.most > 0 ? by.most : 1;
    return {x.step / divisor, x.most / divisor};
  }
  case OpKind::Add:
  case OpKind::Sub: {
    const Extent a = of(op, 0), b = of(op, 1);
    return {a.step + b.step, a.most + b.most};
  }
  case OpKind::ReduceSum: {
    const Extent x = of(op, 0);
    const double terms =
        static_cast<double>(op.own(0)->type().numElements()) /
        static_cast<double>(std::max<int64_t>(op.result()->type().numElements(), 1));
    return {x.step * std::sqrt(terms), x.most * terms};
  }
  case OpKind::Sigmoid:
  case OpKind::Softmax:
  case OpKind::Tanh:
    return {std::min(of(op, 0).step, 1.0), 1};
  default:
    return largest(op);
  }
}

} // namespace

std::unordered_map<std::string, double> quantizationSteps(const Graph& model) {
  Steps steps;
  std::unordered_map<std::string, double> result;
  for (const auto& op : model.ops()) {
    steps.visit(*op);
    for (size_t i = 0; i < op->numResults(); ++i)
      if (const double step = steps.step(op->result(i)); step > 0)
        result.emplace(op->result(i)->name(), step);
  }
  return result;
}

} // namespace enfold::diagnose
