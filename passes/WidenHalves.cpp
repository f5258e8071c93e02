// widen-halves: convolutions on f16 and bf16 are computed in f32, which is what their kernels
// hold in registers, and round their result in the first step of their epilogue: the numbers
// between ops are those of halves. Where the processor multiplies bf16, they are read as they are;
// else operands are f32. Casts of weights fold away; casts of other operands become the
// last step of what computes them, or stand alone where that has other readers.
#include "ir/Products.h"
#include "passes/Pass.h"

#include <algorithm>
#include <unordered_map>

namespace enfold {
namespace {

/// Ops whose kernels sum in f32. Others convert while they load and store.
constexpr OpKind kKinds[] = {OpKind::Conv, OpKind::ConvTranspose};

bool isHalf(const Value* v) {
  return v && (v->elem() == ElemType::F16 || v->elem() == ElemType::BF16);
}

class Widening {
public:
  explicit Widening(Rewriter& rewriter) : rewriter_(rewriter) {}

  void widen(Op& op, bool keepsOperands) {
    const ElemType half = op.ownElem();
    OpSpec spec{.kind = op.kind(), .operands = {}, .attrs = op.attrs()};
    if (keepsOperands) spec.attrs["sum"] = ElemType::F32;
    for (size_t i = 0; i < op.numOwnOperands(); ++i)
      spec.operands.push_back(keepsOperands && i < 2 ? op.own(i) : wide(op.own(i), op));
    spec.epilogue.push_back({OpKind::Cast, {{"to", half}}, {EpilogueStep::kAccumulator}});
    spec.epilogue.insert(spec.epilogue.end(), op.epilogue().begin(), op.epilogue().end());
    for (Value* operand : op.operands().subspan(op.numOwnOperands()))
      spec.epilogueOperands.push_back(operand);
    spec.origins.assign(op.origins().begin(), op.origins().end());
    Value* result = rewriter_.create(std::move(spec), &op)->result();
    const std::string name = op.result()->name();
    rewriter_.replace(op.result(), result);
    rewriter_.eraseDead(&op);
    rewriter_.rename(result, name);
  }

private:
  /// One cast of a value serves all that are widened.
  Value* wide(Value* value, Op& user) {
    if (!isHalf(value)) return value;
    Value*& made = wide_[value];
    if (!made) {
      Op* cast = rewriter_.create(
          {.kind = OpKind::Cast, .operands = {value}, .attrs = {{"to", ElemType::F32}}}, &user);
      rewriter_.addOrigins(cast, user.origins());
      made = cast->result();
    }
    return made;
  }

  Rewriter& rewriter_;
  std::unordered_map<const Value*, Value*> wide_;
};

/// Whether the target multiplies the op's operands as they are.
bool multipliesHalves(const PassContext& context, const Op& op) {
  if (!context.options().target.multipliesBf16 || op.own(0)->elem() != ElemType::BF16) return false;
  OpSpec spec{.kind = op.kind(), .operands = {op.own(0), op.own(1)}, .attrs = op.attrs()};
  spec.attrs["sum"] = ElemType::F32;
  return context.hasKernel(spec);
}

} // namespace

Result<> widenHalves(PassContext& context) {
  Widening widening(context.rewriter());
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (std::ranges::find(kKinds, op.kind()) == std::end(kKinds) || op.numResults() != 1 ||
        !isHalf(op.own(0)) || sumsHalvesInF32(op))
      continue;
    const bool keepsOperands = multipliesHalves(context, op);
    if (!context.begin(op)) break;
    context.applied(Reason::Expanded, op,
                    keepsOperands ? "sums products of bf16 in f32 and is rounded once"
                                  : "computed in f32 and rounded once");
    widening.widen(op, keepsOperands);
  }
  return {};
}

} // namespace enfold
