// The table of formulas, and those that are about neither activations nor normalization.
#include "passes/Formulas.h"

#include "passes/Match.h"

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
    swish,           hardSwishOfSigmoid, hardOfClip,        gelu,          layerNorm,
    scaledLayerNorm, shiftedLayerNorm,   composedTranspose, globalAverage, plainPower,
};

} // namespace

std::span<const Formula> formulas() { return kFormulas; }

} // namespace enfold
