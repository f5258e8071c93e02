// convert-operands: an operand of an epilogue that is made from fewer bits by casts and arithmetic
// with constants is read as those bits, and converted where the epilogue reads it. A residual of
// quantized numbers so needs no tensor of floats. What made the operand goes once nothing else
// reads it.
#include "passes/Conversion.h"
#include "passes/Match.h"
#include "passes/Pass.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

constexpr size_t kMaxSteps = 32, kMaxOperands = 32;

/// Kinds that are no more work than reading the wider tensor would be.
bool isCheap(OpKind kind) {
  return kind == OpKind::Cast || kind == OpKind::Add || kind == OpKind::Sub || kind == OpKind::Mul;
}

/// The first operand of the op's epilogue that is converted, and has the result's shape.
std::optional<size_t> convertedOperand(const Op& op) {
  for (size_t i = op.numOwnOperands(); i < op.operands().size(); ++i) {
    const Value* operand = op.operand(i);
    if (operand->shape() == op.result()->shape() && operand->producer() &&
        convertsFewBits(*operand->producer()))
      return i;
  }
  return std::nullopt;
}

} // namespace

bool convertsFewBits(const Op& op) {
  if (!isCheap(op.kind()) || op.own(0)->constant()) return false;
  const Type &from = op.own(0)->type(), &to = op.result()->type();
  if (from.shape != to.shape || info(from.elem).bits >= info(to.elem).bits) return false;
  if (!hasArithmetic(from.elem) || !hasArithmetic(to.elem)) return false;
  return std::ranges::all_of(op.epilogue(),
                             [](const EpilogueStep& step) { return isCheap(step.kind); }) &&
         std::ranges::all_of(op.operands().subspan(1),
                             [](const Value* v) { return v && v->constant(); });
}

Result<> convertOperands(PassContext& context) {
  for (const auto& op : context.graph().ops()) {
    while (const auto index = convertedOperand(*op)) {
      const Op& producer = *op->operand(*index)->producer();
      if (op->epilogue().size() + producer.epilogue().size() >= kMaxSteps ||
          op->operands().size() + producer.operands().size() > kMaxOperands) {
        context.refused(Reason::EpilogueFull, producer, "the epilogue that reads it is full");
        break;
      }
      if (!context.begin(producer)) return {};
      context.applied(Reason::Fused, producer, "done by the epilogue of " + op->describe());
      context.rewriter().convertInEpilogue(op.get(), *index);
    }
  }
  return {};
}

} // namespace enfold
