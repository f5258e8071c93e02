// fold-constants: ops whose operands are all constants are computed by the reference functions.
// Shapes are static, so shape and size ops are constants whatever they read.
#include "passes/Pass.h"
#include "reference/Reference.h"

#include <fmt/format.h>

namespace enfold {
namespace {

bool isStaticQuestion(OpKind kind) { return kind == OpKind::Shape || kind == OpKind::Size; }

/// The operands' tensors, or nothing when one is not constant.
std::optional<std::vector<Tensor>> constantOperands(const Op& op) {
  std::vector<Tensor> tensors;
  for (const Value* operand : op.operands()) {
    const Tensor* tensor = operand ? operand->constant() : nullptr;
    if (operand && !tensor && !isStaticQuestion(op.kind())) return std::nullopt;
    // A shape op looks at the type only.
    tensors.push_back(tensor    ? *tensor
                      : operand ? Tensor(operand->elem(), operand->shape(), nullptr)
                                : Tensor());
  }
  return tensors;
}

void fold(PassContext& context, Op& op) {
  const auto operands = constantOperands(op);
  if (!operands) return;
  int64_t budget = context.options().constantBudget, bytes = 0;
  for (const Tensor& tensor : *operands)
    if (tensor.bytes()) budget = std::max(budget, static_cast<int64_t>(tensor.numBytes()));
  for (size_t i = 0; i < op.numResults(); ++i) bytes += op.result(i)->type().numBytes();
  if (bytes > budget)
    return context.refused(Reason::TooLarge, op,
                           fmt::format("the result would take {} bytes", bytes));
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < operands->size(); ++i)
    pointers.push_back(op.operand(i) ? &(*operands)[i] : nullptr);
  const auto results = reference::evaluate(op, pointers);
  if (!results) return context.refused(Reason::NotEvaluated, op, results.error().str());
  for (size_t i = 0; i < op.numResults(); ++i)
    if ((*results)[i].type() != op.result(i)->type())
      return context.refused(Reason::DataDependent, op, "the result's shape depends on data");
  if (!context.begin(op)) return;
  context.applied(Reason::FoldedConstant, op, "computed at compile time");
  std::vector<std::pair<Value*, std::string>> made;
  for (size_t i = 0; i < op.numResults(); ++i) {
    Value* result = op.result(i);
    Value* constant = context.rewriter().constant((*results)[i], result->name(), &op);
    context.rewriter().replace(result, constant);
    made.emplace_back(constant, result->name());
  }
  context.rewriter().erase(&op);
  for (const auto& [constant, name] : made) context.rewriter().rename(constant, name);
}

} // namespace

Result<> foldConstants(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    const bool drawsData = op.kind() == OpKind::Constant || op.numResults() == 0;
    if (!drawsData) fold(context, op);
  }
  return {};
}

} // namespace enfold
