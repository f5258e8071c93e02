// Activations spelled out: swish, hard sigmoid and hard swish, gelu.
#include "passes/Formulas.h"
#include "passes/Match.h"

#include <cmath>

namespace enfold {
namespace {

/// clip(x + 3, 0, 6) by its reader; null if it is something else.
Value* clippedPlusThree(const Value* value, const Op* user) {
  Op* clip = soleProducer(value, OpKind::Clip, user);
  if (!clip || scalarValue(clip->own(1)) != 0.0 || scalarValue(clip->own(2)) != 6.0) return nullptr;
  Op* add = soleProducer(clip->own(0), OpKind::Add, clip);
  const auto w = add ? withNumber(*add) : std::nullopt;
  return w && w->number == 3 ? w->x : nullptr;
}

/// What the op divides by 6, or multiplies by a sixth; null if it does something else.
Value* dividedBySix(const Op& op) {
  const auto w = withNumber(op);
  if (!w || !op.epilogue().empty()) return nullptr;
  const bool isSixth =
      op.kind() == OpKind::Div
          ? w->number == 6
          : op.kind() == OpKind::Mul && isNearly(w->number, 1.0 / 6, op.result()->elem());
  return isSixth ? w->x : nullptr;
}

/// The x of 1 + erf(x / sqrt 2), read by `user` only; null if it is something else.
Value* erfPlusOne(const Value* value, const Op* user) {
  Op* add = soleProducer(value, OpKind::Add, user);
  const auto one = add ? withNumber(*add) : std::nullopt;
  Op* erf = one && one->number == 1 ? soleProducer(one->x, OpKind::Erf, add) : nullptr;
  Op* scaled = erf ? erf->own(0)->producer() : nullptr;
  if (!scaled || !scaled->epilogue().empty() || !isOnlyUsedBy(erf->own(0), erf)) return nullptr;
  const auto w = withNumber(*scaled);
  if (!w) return nullptr;
  const ElemType elem = scaled->result()->elem();
  const bool divides = scaled->kind() == OpKind::Div && isNearly(w->number, M_SQRT2, elem);
  const bool multiplies = scaled->kind() == OpKind::Mul && isNearly(w->number, M_SQRT1_2, elem);
  return divides || multiplies ? w->x : nullptr;
}

/// What the op's attributes are as exact as: f32, in which they are stored, or its own elements.
ElemType attributeType(const Op& op) {
  return op.result()->elem() == ElemType::F64 ? ElemType::F64 : ElemType::F32;
}

} // namespace

/// x * sigmoid(x) is swish(x).
Op* swish(Op& op, Rewriter& rewriter) {
  if (op.kind() != OpKind::Mul) return nullptr;
  for (size_t i : {0, 1}) {
    Op* sigmoid = soleProducer(op.own(i), OpKind::Sigmoid, &op);
    if (!sigmoid || sigmoid->own(0) != op.own(1 - i)) continue;
    return rewriter.create({.kind = OpKind::Swish, .operands = {op.own(1 - i)}}, &op);
  }
  return nullptr;
}

/// x * hard_sigmoid(x; 1/6, 1/2) is hard_swish(x).
Op* hardSwishOfSigmoid(Op& op, Rewriter& rewriter) {
  if (op.kind() != OpKind::Mul) return nullptr;
  for (size_t i : {0, 1}) {
    Op* hard = soleProducer(op.own(i), OpKind::HardSigmoid, &op);
    if (!hard || hard->own(0) != op.own(1 - i)) continue;
    if (!isNearly(hard->real("alpha"), 1.0 / 6, attributeType(op)) || hard->real("beta") != 0.5f)
      continue;
    return rewriter.create({.kind = OpKind::HardSwish, .operands = {op.own(1 - i)}}, &op);
  }
  return nullptr;
}

/// x * clip(x + 3, 0, 6) / 6 is hard_swish(x), and clip(x + 3, 0, 6) / 6 is hard_sigmoid(x), but
/// for f64, of which an attribute holds no sixth.
Op* hardOfClip(Op& op, Rewriter& rewriter) {
  const auto hardSwish = [&](Value* x) {
    return rewriter.create({.kind = OpKind::HardSwish, .operands = {x}}, &op);
  };
  if (op.kind() == OpKind::Mul)
    for (size_t i : {0, 1}) {
      Op* sixth = op.own(i)->producer();
      Value* clipped = sixth && isOnlyUsedBy(op.own(i), &op) ? dividedBySix(*sixth) : nullptr;
      if (clipped && clippedPlusThree(clipped, sixth) == op.own(1 - i))
        return hardSwish(op.own(1 - i));
    }
  Value* whole = dividedBySix(op);
  if (!whole) return nullptr;
  if (Op* mul = soleProducer(whole, OpKind::Mul, &op))
    for (size_t i : {0, 1})
      if (Value* x = clippedPlusThree(mul->own(i), mul); x && x == mul->own(1 - i))
        return hardSwish(x);
  if (Value* x = clippedPlusThree(whole, &op); x && op.result()->elem() != ElemType::F64)
    return rewriter.create({.kind = OpKind::HardSigmoid,
                            .operands = {x},
                            .attrs = {{"alpha", 1.0f / 6}, {"beta", 0.5f}}},
                           &op);
  return nullptr;
}

/// x * 0.5 * (1 + erf(x / sqrt 2)), in the orders exporters write it, is gelu(x).
Op* gelu(Op& op, Rewriter& rewriter) {
  if (op.kind() != OpKind::Mul) return nullptr;
  const auto make = [&](Value* x) {
    return rewriter.create({.kind = OpKind::Gelu, .operands = {x}}, &op);
  };
  // (x * (1 + erf)) * 0.5
  if (const auto half = withNumber(op); half && half->number == 0.5)
    if (Op* mul = soleProducer(half->x, OpKind::Mul, &op))
      for (size_t i : {0, 1})
        if (Value* x = erfPlusOne(mul->own(i), mul); x && x == mul->own(1 - i)) return make(x);
  // (x * 0.5) * (1 + erf)
  for (size_t i : {0, 1}) {
    Value* x = erfPlusOne(op.own(i), &op);
    Op* mul = x ? soleProducer(op.own(1 - i), OpKind::Mul, &op) : nullptr;
    const auto half = mul ? withNumber(*mul) : std::nullopt;
    if (half && half->x == x && half->number == 0.5) return make(x);
  }
  return nullptr;
}

} // namespace enfold
