// canonicalize: ops that do nothing vanish, and patterns that exporters spell out become the single
// ops they mean. Each rule is a function that makes the value the op's result should be, or null.
#include "passes/Match.h"
#include "passes/Pass.h"

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// The operand an op passes on unchanged; null when it does something.
Value* unchangedOperand(const Op& op) {
  Value* x = op.own(0);
  switch (op.kind()) {
  case OpKind::Identity:
    return x;
  case OpKind::Dropout: {
    const auto training = scalarValue(op.own(2));
    const bool inference = !op.own(2) || (training && *training == 0);
    return inference && (op.numResults() == 1 || op.result(1)->numUses() == 0) ? x : nullptr;
  }
  case OpKind::Cast:
  case OpKind::CastLike:
  case OpKind::Reshape:
  case OpKind::Flatten:
  case OpKind::Squeeze:
  case OpKind::Unsqueeze:
  case OpKind::Expand:
  case OpKind::Tile:
    return op.result()->type() == x->type() ? x : nullptr;
  case OpKind::Transpose: {
    const std::vector<int64_t> perm = op.ints("perm");
    return op.hasAttr("perm") && std::ranges::is_sorted(perm) ? x : nullptr;
  }
  case OpKind::Pad: {
    const auto pads = constantInts(op.own(1));
    const bool none = pads && std::ranges::all_of(*pads, [](int64_t p) { return p == 0; });
    return none ? x : nullptr;
  }
  case OpKind::Slice: {
    const auto steps = op.own(4) ? constantInts(op.own(4)) : std::vector<int64_t>();
    const bool forward = steps && std::ranges::all_of(*steps, [](int64_t s) { return s > 0; });
    return forward && op.result()->type() == x->type() ? x : nullptr;
  }
  case OpKind::Concat:
  case OpKind::Sum:
  case OpKind::Mean:
  case OpKind::Max:
  case OpKind::Min:
    return op.numOwnOperands() == 1 ? x : nullptr;
  case OpKind::Add:
  case OpKind::Sub: {
    // Of floats only -0 is neutral in a sum: -0 + 0 is 0.
    const auto w = withNumber(op);
    const bool neutral =
        w && w->number == 0 &&
        (!isFloat(x->elem()) || std::signbit(w->number) == (op.kind() == OpKind::Add));
    return neutral && op.result()->type() == w->x->type() ? w->x : nullptr;
  }
  case OpKind::Mul:
  case OpKind::Div: {
    const auto w = withNumber(op);
    return w && w->number == 1 && op.result()->type() == w->x->type() ? w->x : nullptr;
  }
  case OpKind::Relu:
    return isNonNegative(x) ? x : nullptr;
  default:
    return nullptr;
  }
}

/// The op of that kind which alone feeds `value`, read by `user` only.
Op* soleProducer(const Value* value, OpKind kind, const Op* user) {
  Op* op = producedBy(value, kind);
  return op && op->epilogue().empty() && isOnlyUsedBy(value, user) ? op : nullptr;
}

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
    if (!isNearly(hard->real("alpha"), 1.0 / 6, ElemType::F32) ||
        !isNearly(hard->real("beta"), 0.5, ElemType::F32))
      continue;
    return rewriter.create({.kind = OpKind::HardSwish, .operands = {op.own(1 - i)}}, &op);
  }
  return nullptr;
}

/// clip(x + 3, 0, 6) by its reader; null if it is something else.
Value* clippedPlusThree(const Value* value, const Op* user) {
  Op* clip = soleProducer(value, OpKind::Clip, user);
  if (!clip || scalarValue(clip->own(1)) != 0.0 || scalarValue(clip->own(2)) != 6.0) return nullptr;
  Op* add = soleProducer(clip->own(0), OpKind::Add, clip);
  const auto w = add ? withNumber(*add) : std::nullopt;
  return w && w->number == 3 && w->x->shape() == add->result()->shape() ? w->x : nullptr;
}

/// What the op divides by 6, be it by a multiplication by a sixth; null if it does something else.
Value* dividedBySix(const Op& op) {
  const auto w = withNumber(op);
  if (!w || !op.epilogue().empty() || op.result()->shape() != w->x->shape()) return nullptr;
  const bool isSixth =
      op.kind() == OpKind::Div
          ? w->number == 6
          : op.kind() == OpKind::Mul && isNearly(w->number, 1.0 / 6, op.result()->elem());
  return isSixth ? w->x : nullptr;
}

/// x * clip(x + 3, 0, 6) / 6 is hard_swish(x), and clip(x + 3, 0, 6) / 6 is hard_sigmoid(x).
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
  if (Value* x = clippedPlusThree(whole, &op))
    return rewriter.create({.kind = OpKind::HardSigmoid,
                            .operands = {x},
                            .attrs = {{"alpha", 1.0f / 6}, {"beta", 0.5f}}},
                           &op);
  return nullptr;
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

using Rule = Op* (*)(Op&, Rewriter&);
constexpr Rule kRules[] = {swish, hardSwishOfSigmoid, hardOfClip,
                           gelu,  composedTranspose,  globalAverage};

/// Sum of two is an addition; the formulas are the same, but addition is what other passes know.
bool isTwoTermSum(const Op& op) { return op.kind() == OpKind::Sum && op.numOwnOperands() == 2; }

void replaceOp(PassContext& context, Op& op, Value* by, Op* made) {
  Rewriter& rewriter = context.rewriter();
  const std::string name = op.result()->name();
  if (made) rewriter.addOrigins(made, op.origins());
  rewriter.replace(op.result(), by);
  rewriter.eraseDead(&op);
  if (made) rewriter.rename(by, name);
}

/// True when the op was replaced.
bool canonicalizeOp(PassContext& context, Op& op) {
  if (op.numResults() == 0 || !op.epilogue().empty()) return false;
  if (Value* same = unchangedOperand(op)) {
    if (!context.begin(op)) return false;
    context.applied(Reason::Removed, op, "it passes its operand on unchanged");
    replaceOp(context, op, same, nullptr);
    return true;
  }
  if (isTwoTermSum(op)) {
    if (!context.begin(op)) return false;
    context.applied(Reason::Simplified, op, "a sum of two is an addition");
    Op* add =
        context.rewriter().create({.kind = OpKind::Add, .operands = {op.own(0), op.own(1)}}, &op);
    replaceOp(context, op, add->result(), add);
    return true;
  }
  return false;
}

bool recognize(PassContext& context, Op& op) {
  if (op.numResults() != 1 || !op.epilogue().empty()) return false;
  // Composed transpositions move data of any type; all other patterns are formulas over floats.
  if (op.kind() != OpKind::Transpose && !isFloat(op.result()->elem())) return false;
  if (!context.begin(op)) return false;
  for (Rule rule : kRules)
    if (Op* made = rule(op, context.rewriter())) {
      context.applied(Reason::Recognized, op, "with what precedes it, it is " + made->info().name);
      replaceOp(context, op, made->result(), made);
      return true;
    }
  context.rewriter().retract();
  return false;
}

} // namespace

Result<> canonicalize(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (op.kind() == OpKind::Constant || canonicalizeOp(context, op)) continue;
    recognize(context, op);
  }
  return {};
}

} // namespace enfold
