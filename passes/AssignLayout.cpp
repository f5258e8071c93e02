// assign-layout: ops whose kernels work on blocks of channels get them; reorders stand where
// layouts meet. One sweep decides for each op by the layouts of its operands, in order: kernel
// families say in which layouts they compute it best (TargetFacts). Reorders of one value are made
// once, and a reorder there and back cancels.
#include "passes/Match.h"
#include "passes/Pass.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <map>

namespace enfold {
namespace {

class LayoutAssigner {
public:
  explicit LayoutAssigner(PassContext& context)
      : context_(context), rewriter_(context.rewriter()) {}

  Result<> run();

private:
  void expand(Op& op, size_t operand);
  void fold(Op* op);
  /// The value in that layout: itself, an earlier reorder of it, or a new one before `user`.
  Value* inLayout(Value* value, const Layout& layout, Op* user);
  Layout layoutOfOperand(const Op& op, size_t i, const OpLayouts& layouts) const;
  void apply(Op& op, const OpLayouts& layouts);
  void plainOutputs();

  PassContext& context_;
  Rewriter& rewriter_;
  std::map<std::pair<Value*, int>, Value*> reorders_; ///< by value and block
};

/// Gives an operand of the epilogue the shape of the result.
void LayoutAssigner::expand(Op& op, size_t operand) {
  const Shape y = op.result()->shape();
  Value* v = op.operand(operand);
  Value* sizes = rewriter_.constant(Tensor::of<int64_t>({std::ssize(y)}, y), "sizes", &op);
  Op* expand = rewriter_.create({.kind = OpKind::Expand,
                                 .operands = {inLayout(v, {}, &op), sizes},
                                 .resultNames = {v->name() + "_expanded"}},
                                &op);
  rewriter_.setOperand(&op, operand, expand->result());
  if (v->constant()) fold(expand);
}

/// Replaces an op of constants by what it computes, when that can be computed.
void LayoutAssigner::fold(Op* op) {
  std::vector<const Tensor*> operands;
  for (const Value* operand : op->operands()) operands.push_back(operand->constant());
  const auto results = reference::evaluate(*op, operands);
  if (!results) return;
  const std::string name = op->result()->name();
  Value* constant = rewriter_.constant(results->front(), name, op);
  rewriter_.replace(op->result(), constant);
  rewriter_.erase(op);
  rewriter_.rename(constant, name);
}

Value* LayoutAssigner::inLayout(Value* value, const Layout& layout, Op* user) {
  if (value->type().layout == layout) return value;
  // Undoing a reorder is taking what it read.
  if (Op* reorder = producedBy(value, OpKind::Reorder);
      reorder && reorder->own(0)->type().layout == layout)
    return reorder->own(0);
  Value*& made = reorders_[{value, layout.block}];
  if (!made) {
    Op* op = rewriter_.create(
        {.kind = OpKind::Reorder,
         .operands = {value},
         .attrs = {{"block", int64_t{layout.block}}},
         .resultNames = {value->name() + (layout.isPlain() ? "_plain" : "_blocked")}},
        user);
    context_.count("reorders");
    made = op->result();
  }
  return made;
}

Layout LayoutAssigner::layoutOfOperand(const Op& op, size_t i, const OpLayouts& layouts) const {
  const bool isElementwise = op.info().is(traits::Elementwise);
  const size_t data = op.kind() == OpKind::Gather ? 1 : 0; // the table has no channels
  if (!isElementwise && i < op.numOwnOperands())
    return i == data || op.kind() == OpKind::Concat ? layouts.data : Layout{};
  // Operands of the result's shape come in its layout; smaller ones may, too, or else are plain.
  const Type& type = op.operand(i)->type();
  const bool follows = type.shape == op.result()->shape() || type.layout == layouts.result;
  return follows && type.numElements() != 1 ? layouts.result : Layout{};
}

void LayoutAssigner::apply(Op& op, const OpLayouts& layouts) {
  for (size_t i = 0; i < op.operands().size(); ++i) {
    Value* value = op.operand(i);
    if (!value) continue;
    const Layout wanted = layouts.arePlain() ? Layout{} : layoutOfOperand(op, i, layouts);
    if (Value* moved = inLayout(value, wanted, &op); moved != value)
      rewriter_.setOperand(&op, i, moved);
  }
  for (size_t i = 0; i < op.numResults(); ++i)
    if (op.result(i)->type().rank() > 0) rewriter_.setLayout(op.result(i), layouts.result);
}

void LayoutAssigner::plainOutputs() {
  Graph& graph = rewriter_.graph();
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    // The last op is a position behind everything; a reorder goes to the very end.
    if (Value* output = graph.outputs()[i]; !output->type().layout.isPlain())
      rewriter_.setOutput(i, inLayout(output, {}, nullptr));
}

Result<> LayoutAssigner::run() {
  // All of it is one rewrite: a graph cut in the middle would not be consistent.
  const auto& ops = context_.graph().ops();
  if (ops.empty() || !context_.begin(*ops.front())) return {};
  const auto& layoutsOf = context_.options().target.layoutsOf;
  for (auto it = ops.begin(); it != ops.end();) {
    Op& op = **it++;
    if (op.kind() == OpKind::Constant || op.kind() == OpKind::Reorder) continue;
    const OpLayouts layouts = layoutsOf(op);
    for (const size_t operand : layouts.expanded) expand(op, operand);
    apply(op, layouts);
    if (!layouts.result.isPlain())
      context_.applied(Reason::Blocked, op,
                       fmt::format("channels in blocks of {}", layouts.result.block));
  }
  plainOutputs();
  return {};
}

} // namespace

Result<> assignLayout(PassContext& context) {
  if (!context.options().target.layoutsOf) return {};
  return LayoutAssigner(context).run();
}

} // namespace enfold
