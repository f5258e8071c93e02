// Questions passes ask about values and ops.
#include "passes/Match.h"

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

bool clipsBelowZero(const Op& op) {
  const auto least = scalarValue(op.own(1));
  return least && *least >= 0;
}

/// Kinds whose result is never negative, whatever the operand.
bool hasNonNegativeRange(OpKind kind) {
  switch (kind) {
  case OpKind::Relu:
  case OpKind::Sigmoid:
  case OpKind::HardSigmoid:
  case OpKind::Softplus:
  case OpKind::Exp:
  case OpKind::Abs:
  case OpKind::Sqrt:
    return true;
  default:
    return false;
  }
}

} // namespace

bool isOnlyUsedBy(const Value* value, const Op* op) {
  return value->outputUses() == 0 && !value->users().empty() &&
         std::ranges::all_of(value->users(), [&](const Op* user) { return user == op; });
}

Op* onlyUser(const Value* value) {
  if (value->users().empty() || !isOnlyUsedBy(value, value->users().front())) return nullptr;
  return value->users().front();
}

Op* producedBy(const Value* value, OpKind kind) {
  Op* op = value ? value->producer() : nullptr;
  return op && op->kind() == kind ? op : nullptr;
}

Op* soleProducer(const Value* value, OpKind kind, const Op* user) {
  Op* op = producedBy(value, kind);
  return op && op->epilogue().empty() && isOnlyUsedBy(value, user) ? op : nullptr;
}

std::optional<double> splatValue(const Value* value) {
  const Tensor* tensor = value ? value->constant() : nullptr;
  if (!tensor || tensor->numElements() == 0) return std::nullopt;
  const double first = tensor->asDouble(0);
  for (int64_t i = 1; i < tensor->numElements(); ++i)
    if (tensor->asDouble(i) != first) return std::nullopt;
  return first;
}

std::optional<double> scalarValue(const Value* value) {
  const Tensor* tensor = value ? value->constant() : nullptr;
  if (!tensor || tensor->numElements() != 1) return std::nullopt;
  return tensor->asDouble(0);
}

std::optional<WithNumber> withNumber(const Op& op) {
  if (op.numOwnOperands() != 2 || !op.own(0) || !op.own(1)) return std::nullopt;
  if (const auto number = splatValue(op.own(1))) return WithNumber{op.own(0), *number};
  if (!op.info().is(traits::Commutative)) return std::nullopt;
  const auto number = splatValue(op.own(0));
  return number ? std::optional(WithNumber{op.own(1), *number}) : std::nullopt;
}

std::optional<std::vector<int64_t>> constantInts(const Value* value) {
  const Tensor* tensor = value ? value->constant() : nullptr;
  if (!tensor || !isInteger(tensor->elem())) return std::nullopt;
  return tensor->toInts();
}

bool isNearly(double value, double wanted, ElemType elem) {
  double step = 0x1p-52; // spacing of numbers near 1
  if (elem == ElemType::F32) step = 0x1p-23;
  if (elem == ElemType::F16) step = 0x1p-10;
  if (elem == ElemType::BF16) step = 0x1p-7;
  // Numbers written in decimal with few digits may be a few steps away.
  return std::abs(value - wanted) <= 4 * step * std::abs(wanted);
}

bool isNonNegative(const Value* value) {
  const Op* op = value->producer();
  if (!op) return false;
  if (!op->epilogue().empty()) {
    const EpilogueStep& last = op->epilogue().back();
    if (last.kind != OpKind::Clip) return hasNonNegativeRange(last.kind);
    const int least = last.args.size() > 1 ? last.args[1] : EpilogueStep::kAbsent;
    const auto number =
        least >= 0 ? scalarValue(op->operand(static_cast<size_t>(least))) : std::nullopt;
    return number && *number >= 0;
  }
  if (op->kind() == OpKind::Clip) return clipsBelowZero(*op);
  return hasNonNegativeRange(op->kind());
}

} // namespace enfold
