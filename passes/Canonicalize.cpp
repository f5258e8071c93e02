// canonicalize: ops that do nothing vanish, and formulas that exporters spell out become the single
// ops they mean.
#include "passes/Formulas.h"
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
    const auto ratio = scalarValue(op.own(1));
    const bool inference = !op.own(2) || (training && *training == 0) || (ratio && *ratio == 0);
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
  for (Formula formula : formulas()) {
    Op* made = formula(op, context.rewriter());
    if (!made) continue;
    // A constant of the formula may broadcast its operand to a larger shape, which one op would
    // not.
    if (made->result()->type() != op.result()->type()) {
      context.rewriter().eraseDead(made);
      continue;
    }
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
