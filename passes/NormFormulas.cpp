// Layer normalization spelled out, (x - mean) / sqrt(mean((x - mean)^2) + epsilon) over the last
// axes, then its scale and bias.
#include "passes/Formulas.h"
#include "passes/Match.h"

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// The first axis of a mean over the last ones, which are kept; none for any other op.
std::optional<int64_t> lastAxesOf(const Op& mean) {
  if (!mean.epilogue().empty()) return std::nullopt;
  if (mean.kind() == OpKind::GlobalAveragePool) return 2;
  if (mean.kind() != OpKind::ReduceMean) return std::nullopt;
  const auto axes = constantInts(mean.own(1));
  const int64_t rank = mean.own(0)->type().rank();
  if (!axes || axes->empty() || !mean.integer("keepdims")) return std::nullopt;
  std::vector<bool> reduced(static_cast<size_t>(rank), false);
  for (int64_t axis : *axes) reduced[static_cast<size_t>(frontAxis(axis, rank))] = true;
  const int64_t first = std::ranges::find(reduced, true) - reduced.begin();
  const bool all = std::count(reduced.begin() + first, reduced.end(), false) == 0;
  return all ? std::optional(first) : std::nullopt;
}

/// True when `square` is the square of `x`.
bool isSquareOf(const Value* x, const Op* square) {
  if (!square || !square->epilogue().empty()) return false;
  if (square->kind() == OpKind::Mul) return square->own(0) == x && square->own(1) == x;
  return square->kind() == OpKind::Pow && square->own(0) == x && splatValue(square->own(1)) == 2.0;
}

/// The variance plus epsilon in sqrt(mean(deviation^2) + epsilon).
struct Spread {
  int64_t axis;
  double epsilon;
};
std::optional<Spread> spreadOf(const Value* deviation, const Value* root, const Op* user) {
  const Op* sqrt = soleProducer(root, OpKind::Sqrt, user);
  const Op* add = sqrt ? soleProducer(sqrt->own(0), OpKind::Add, sqrt) : nullptr;
  const auto sum = add ? withNumber(*add) : std::nullopt;
  const Op* mean = sum && isOnlyUsedBy(sum->x, add) ? sum->x->producer() : nullptr;
  const auto axis = mean ? lastAxesOf(*mean) : std::nullopt;
  const Op* square = axis ? mean->own(0)->producer() : nullptr;
  if (!isSquareOf(deviation, square) || !isOnlyUsedBy(square->result(), mean)) return std::nullopt;
  return Spread{*axis, sum->number};
}

/// What an op of two operands combines a normalization with: parameters of the axes it normalizes.
struct WithParameters {
  Op* norm;
  Value* parameters;
};
std::optional<WithParameters> withParameters(const Op& op) {
  for (size_t i : {0, 1}) {
    Op* norm = soleProducer(op.own(i), OpKind::LayerNormalization, &op);
    Value* other = op.own(1 - i);
    if (!norm || norm->numResults() != 1 || !other->constant()) continue;
    const Shape& x = norm->own(0)->shape();
    const int64_t axis = frontAxis(norm->integer("axis"), static_cast<int64_t>(x.size()));
    if (other->shape() == Shape(x.begin() + axis, x.end())) return WithParameters{norm, other};
  }
  return std::nullopt;
}

} // namespace

Op* layerNorm(Op& op, Rewriter& rewriter) {
  const ElemType elem = op.result()->elem();
  if (op.kind() != OpKind::Div || (elem != ElemType::F32 && elem != ElemType::F64)) return nullptr;
  Value* deviation = op.own(0);
  const auto spread = spreadOf(deviation, op.own(1), &op);
  const Op* sub = spread ? producedBy(deviation, OpKind::Sub) : nullptr;
  if (!sub || !sub->epilogue().empty()) return nullptr;
  const Op* mean = sub->own(1)->producer();
  Value* x = sub->own(0);
  if (!mean || lastAxesOf(*mean) != spread->axis || mean->own(0) != x ||
      op.result()->type() != x->type())
    return nullptr;
  const auto epsilon = static_cast<float>(spread->epsilon);
  if (epsilon != spread->epsilon || !(epsilon >= 0)) return nullptr; // no attribute holds it
  Tensor ones(elem, Shape(x->shape().begin() + spread->axis, x->shape().end()));
  for (int64_t i = 0; i < ones.numElements(); ++i) ones.setDouble(i, 1);
  Value* scale = rewriter.constant(std::move(ones), x->name() + "_scale", &op);
  return rewriter.create({.kind = OpKind::LayerNormalization,
                          .operands = {x, scale},
                          .attrs = {{"axis", spread->axis}, {"epsilon", epsilon}}},
                         &op);
}

/// A normalization without a scale, times one.
Op* scaledLayerNorm(Op& op, Rewriter& rewriter) {
  const auto w = op.kind() == OpKind::Mul ? withParameters(op) : std::nullopt;
  if (!w || splatValue(w->norm->own(1)) != 1.0 || w->norm->own(2)) return nullptr;
  return rewriter.create({.kind = OpKind::LayerNormalization,
                          .operands = {w->norm->own(0), w->parameters},
                          .attrs = w->norm->attrs()},
                         &op);
}

/// A normalization without a bias, plus one.
Op* shiftedLayerNorm(Op& op, Rewriter& rewriter) {
  const auto w = op.kind() == OpKind::Add ? withParameters(op) : std::nullopt;
  if (!w || w->norm->own(2)) return nullptr;
  return rewriter.create({.kind = OpKind::LayerNormalization,
                          .operands = {w->norm->own(0), w->norm->own(1), w->parameters},
                          .attrs = w->norm->attrs()},
                         &op);
}

} // namespace enfold
