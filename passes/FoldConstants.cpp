// fold-constants: ops whose operands are all constants are computed by the reference functions. A
// tensor without elements is a constant whoever computes it, and shapes are static, so what reads
// no more than a type is constant too. Weights of integers that multiply integers are kept.
#include "ir/Verifier.h"
#include "passes/Pass.h"
#include "reference/KnownValues.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

/// The operands' tensors, or nothing when one is not constant. With `shapesHold`, those without
/// elements are.
std::optional<std::vector<Tensor>> constantOperands(const Op& op, bool shapesHold) {
  std::vector<Tensor> tensors;
  for (const Value* operand : op.operands()) {
    const Tensor* tensor = operand ? operand->constant() : nullptr;
    if (!operand)
      tensors.emplace_back();
    else if (tensor)
      tensors.push_back(*tensor);
    else if (operand->type().numElements() == 0 && shapesHold)
      tensors.emplace_back(operand->elem(), operand->shape());
    else if (reference::readsTypeOnly(op.kind()))
      tensors.emplace_back(operand->elem(), operand->shape(), nullptr);
    else
      return std::nullopt;
  }
  return tensors;
}

/// Whether all results are without elements: then they are known whatever the operands are.
bool givesNothing(const Op& op) {
  for (size_t i = 0; i < op.numResults(); ++i)
    if (op.result(i)->type().numElements() > 0) return false;
  return true;
}

/// What the op makes of its operands, within the budget. Unless it can be computed, a remark says
/// why not.
std::optional<std::vector<Tensor>> computed(PassContext& context, const Op& op,
                                            std::span<const Tensor> operands) {
  int64_t budget = context.options().constantBudget, bytes = 0, elements = 0, most = 0;
  for (const Tensor& tensor : operands)
    if (tensor.bytes()) {
      budget = std::max(budget, static_cast<int64_t>(tensor.numBytes()));
      most = std::max(most, tensor.numElements());
    }
  for (size_t i = 0; i < op.numResults(); ++i) {
    bytes += op.result(i)->type().numBytes();
    elements += op.result(i)->type().numElements();
  }
  const auto refuse = [&](Reason reason, std::string why) {
    context.refused(reason, op, std::move(why));
    return std::nullopt;
  };
  if (bytes > budget && elements > most)
    return refuse(Reason::TooLarge, fmt::format("the result would take {} bytes", bytes));
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < operands.size(); ++i)
    pointers.push_back(op.operand(i) ? &operands[i] : nullptr);
  auto results = reference::evaluate(op, pointers);
  if (!results) return refuse(Reason::NotEvaluated, results.error().str());
  for (size_t i = 0; i < op.numResults(); ++i)
    if ((*results)[i].type() != op.result(i)->type())
      return refuse(Reason::DataDependent, "the result's shape depends on data");
  return *std::move(results);
}

/// Whether the op dequantizes weights, or a bias, that multiply dequantized data: what is summed
/// may be the integers (integer-arithmetic).
bool servesIntegers(const Op& op) {
  if (op.kind() != OpKind::DequantizeLinear || op.result()->users().empty()) return false;
  return std::ranges::all_of(op.result()->users(), [&](const Op* user) {
    const bool multiplies = user->kind() == OpKind::Conv || user->kind() == OpKind::Gemm ||
                            user->kind() == OpKind::MatMul;
    if (!multiplies || user->own(0) == op.result()) return false;
    const Op* data = user->own(0)->producer();
    return data && data->kind() == OpKind::DequantizeLinear && !data->own(0)->constant();
  });
}

void fold(PassContext& context, Op& op, bool shapesHold) {
  std::optional<std::vector<Tensor>> results;
  if (const auto operands = constantOperands(op, shapesHold)) {
    results = computed(context, op, *operands);
  } else if (shapesHold && givesNothing(op)) {
    results.emplace();
    for (size_t i = 0; i < op.numResults(); ++i)
      results->emplace_back(op.result(i)->elem(), op.result(i)->shape());
  }
  if (!results || !context.begin(op)) return;
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
  // Where a shape depends on data, a run finds out whether what follows from it is really empty.
  const bool shapesHold = std::ranges::none_of(context.graph().ops(),
                                               [](const auto& op) { return dependsOnData(*op); });
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    const bool stays = op.kind() == OpKind::Constant || op.numResults() == 0 || servesIntegers(op);
    if (!stays) fold(context, op, shapesHold);
  }
  return {};
}

} // namespace enfold
