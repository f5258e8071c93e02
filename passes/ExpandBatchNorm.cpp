// expand-batchnorm: an inference-mode batch normalization that no weights could take becomes a
// multiplication and an addition by per-channel constants, which fuse into what produces its input.
#include "passes/Match.h"
#include "passes/ScaleShift.h"

namespace enfold {
namespace {

void expand(PassContext& context, Op& op) {
  Value* x = op.own(0);
  if (x->type().rank() < 2) return;
  const auto s = scaleShiftOf(op, x, 1, context.options());
  if (!s) return context.refused(s.error(), op);
  if (!context.begin(op)) return;
  context.applied(Reason::Expanded, op, "written as a scale and a shift per channel");
  Rewriter& rewriter = context.rewriter();
  const int64_t rank = x->type().rank();
  const std::string name = op.result()->name();
  Value* scale =
      rewriter.constant(channelTensor(s->scale, x->elem(), 1, rank), name + "_scale", &op);
  Value* shift =
      rewriter.constant(channelTensor(s->shift, x->elem(), 1, rank), name + "_shift", &op);
  Op* mul = rewriter.create({.kind = OpKind::Mul, .operands = {x, scale}}, &op);
  Op* add = rewriter.create({.kind = OpKind::Add, .operands = {mul->result(), shift}}, &op);
  rewriter.addOrigins(mul, op.origins());
  rewriter.addOrigins(add, op.origins());
  rewriter.replace(op.result(), add->result());
  rewriter.eraseDead(&op);
  rewriter.rename(add->result(), name);
}

} // namespace

Result<> expandBatchNorm(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (op.kind() == OpKind::BatchNormalization) expand(context, op);
  }
  return {};
}

} // namespace enfold
