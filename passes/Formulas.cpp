// The table of formulas, and those that are about neither activations nor normalization.
#include "passes/Formulas.h"

#include "passes/Match.h"

#include <algorithm>

namespace enfold {
namespace {

/// Two transpositions in a row are one.
Op* composedTranspose(Op& op, Rewriter& rewriter) {
  Op* inner = op.kind() == OpKind::Transpose ? producedBy(op.own(0), OpKind::Transpose) : nullptr;
  if (!inner || !op.hasAttr("perm") || !inner->hasAttr("perm")) return nullptr;
  std::vector<int64_t> perm;
  for (int64_t axis : op.ints("perm"))
    perm.push_back(inner->ints("perm")[static_cast<size_t>(axis)]);
  return rewriter.create(
      {.kind = OpKind::Transpose, .operands = {inner->own(0)}, .attrs = {{"perm", perm}}}, &op);
}

/// A mean over all spatial axes that are kept is a global average pool.
Op* globalAverage(Op& op, Rewriter& rewriter) {
  if (op.kind() != OpKind::ReduceMean || !op.integer("keepdims") || !op.epilogue().empty())
    return nullptr;
  const Value* x = op.own(0);
  const auto axes = constantInts(op.own(1));
  const int64_t rank = x->type().rank();
  if (!axes || rank < 3 || !isFloat(x->elem()) || static_cast<int64_t>(axes->size()) != rank - 2)
    return nullptr;
  for (int64_t axis : *axes)
    if (frontAxis(axis, rank) < 2) return nullptr;
  return rewriter.create({.kind = OpKind::GlobalAveragePool, .operands = {op.own(0)}}, &op);
}

/// A pool over a window as large as the image is a global one.
Op* globalPool(Op& op, Rewriter& rewriter) {
  if (op.kind() != OpKind::AveragePool && op.kind() != OpKind::MaxPool) return nullptr;
  const Shape &x = op.own(0)->shape(), &y = op.result()->shape();
  const auto isAll = [](std::span<const int64_t> numbers, int64_t n) {
    return std::ranges::all_of(numbers, [n](int64_t number) { return number == n; });
  };
  if (op.ints("kernel_shape") != Shape(x.begin() + 2, x.end()) ||
      !isAll(std::span(y).subspan(2), 1))
    return nullptr;
  if (!isAll(op.ints("pads"), 0) || !isAll(op.ints("dilations"), 1)) return nullptr;
  const bool average = op.kind() == OpKind::AveragePool;
  return rewriter.create({.kind = average ? OpKind::GlobalAveragePool : OpKind::GlobalMaxPool,
                          .operands = {op.own(0)}},
                         &op);
}

/// The square and the inverse, written as powers.
Op* plainPower(Op& op, Rewriter& rewriter) {
  if (op.kind() != OpKind::Pow) return nullptr;
  Value* x = op.own(0);
  const auto exponent = splatValue(op.own(1));
  if (!exponent || op.result()->type() != x->type()) return nullptr;
  if (*exponent == 2) return rewriter.create({.kind = OpKind::Mul, .operands = {x, x}}, &op);
  if (*exponent == -1) return rewriter.create({.kind = OpKind::Reciprocal, .operands = {x}}, &op);
  return nullptr;
}

constexpr Formula kFormulas[] = {
    swish,         hardSwishOfSigmoid, hardOfClip,       gelu,
    layerNorm,     scaledLayerNorm,    shiftedLayerNorm, composedTranspose,
    globalAverage, globalPool,         plainPower,
};

} // namespace

std::span<const Formula> formulas() { return kFormulas; }

} // namespace enfold
