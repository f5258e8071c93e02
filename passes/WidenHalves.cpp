// widen-halves: convolutions, pools and the like on f16 and bf16 are computed in f32, which is what
// their kernels hold in registers. Values between ops stay halves: each op rounds its result once.
// Casts of weights fold away.
#include "passes/Pass.h"

#include <algorithm>

namespace enfold {
namespace {

/// Ops whose kernels read f32 only. Others convert while they load.
constexpr OpKind kKinds[] = {
    OpKind::Conv,
    OpKind::ConvTranspose,
    OpKind::MaxPool,
    OpKind::AveragePool,
    OpKind::LpPool,
    OpKind::GlobalAveragePool,
    OpKind::GlobalMaxPool,
    OpKind::InstanceNormalization,
    OpKind::GroupNormalization,
    OpKind::LRN,
};

bool isHalf(const Value* v) {
  return v && (v->elem() == ElemType::F16 || v->elem() == ElemType::BF16);
}

class Widening {
public:
  Widening(Rewriter& rewriter, Op& op) : rewriter_(rewriter), op_(op) {}

  void run() {
    OpSpec spec{.kind = op_.kind(), .operands = {}, .attrs = op_.attrs()};
    for (Value* operand : op_.ownOperands()) spec.operands.push_back(wide(operand));
    spec.epilogue.assign(op_.epilogue().begin(), op_.epilogue().end());
    for (Value* operand : op_.operands().subspan(op_.numOwnOperands()))
      spec.epilogueOperands.push_back(wide(operand));
    spec.origins.assign(op_.origins().begin(), op_.origins().end());
    Value* result = rewriter_.create(std::move(spec), &op_)->result();
    Value* narrow = cast(result, op_.result()->elem());
    const std::string name = op_.result()->name();
    rewriter_.replace(op_.result(), narrow);
    rewriter_.eraseDead(&op_);
    rewriter_.rename(narrow, name);
  }

private:
  Value* cast(Value* value, ElemType to) {
    Op* made =
        rewriter_.create({.kind = OpKind::Cast, .operands = {value}, .attrs = {{"to", to}}}, &op_);
    rewriter_.addOrigins(made, op_.origins());
    return made->result();
  }
  Value* wide(Value* value) { return isHalf(value) ? cast(value, ElemType::F32) : value; }

  Rewriter& rewriter_;
  Op& op_;
};

} // namespace

Result<> widenHalves(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (std::ranges::find(kKinds, op.kind()) == std::end(kKinds) || op.numResults() != 1 ||
        !isHalf(op.own(0)))
      continue;
    if (!context.begin(op)) break;
    context.applied(Reason::Expanded, op, "computed in f32 and rounded once");
    Widening(context.rewriter(), op).run();
  }
  return {};
}

} // namespace enfold
