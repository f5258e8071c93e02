// Small queries on values and ops.
#include "passes/Match.h"

#include "ir/Float16.h"

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

bool isConstantFromZero(const Value* bound) {
  const auto number = scalarValue(bound);
  return number && *number >= 0;
}

/// The theorem of isNonNegative() for one op or step: `low` and `high` are the bounds of a clip.
bool givesNonNegative(OpKind kind, ElemType elem, const Value* low, const Value* high) {
  switch (kind) {
  case OpKind::Relu:
  case OpKind::Sigmoid:
  case OpKind::HardSigmoid:
  case OpKind::Softplus:
  case OpKind::Exp:
  case OpKind::Sqrt:
    return true;
  case OpKind::Abs:
    return info(elem).cls != ElemClass::Signed;
  case OpKind::Clip:
    return isConstantFromZero(low) && (!high || isConstantFromZero(high));
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
  for (int64_t i = 1; i < tensor->numElements(); ++i) {
    const double next = tensor->asDouble(i);
    if (next != first || std::signbit(next) != std::signbit(first)) return std::nullopt;
  }
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
  if (elem == ElemType::F16) return value == Half(wanted);
  if (elem == ElemType::BF16) return value == BFloat16(wanted);
  const int bits = elem == ElemType::F32 ? 23 : 52;
  return std::abs(value - wanted) <= std::ldexp(1, std::ilogb(wanted) - bits);
}

bool isNonNegative(const Value* value) {
  const Op* op = value->producer();
  if (!op) return false;
  if (op->epilogue().empty())
    return givesNonNegative(op->kind(), value->elem(), op->own(1), op->own(2));
  const EpilogueStep& last = op->epilogue().back();
  // A computed bound is no constant; the accumulator is one of them if it is not what is clipped.
  const auto bound = [&](size_t i) -> const Value* {
    const int arg = i < last.args.size() ? last.args[i] : EpilogueStep::kAbsent;
    if (arg == EpilogueStep::kAccumulator) return value;
    return arg == EpilogueStep::kAbsent ? nullptr : op->operand(static_cast<size_t>(arg));
  };
  return givesNonNegative(last.kind, value->elem(), bound(1), bound(2));
}

bool movesElements(OpKind kind) {
  switch (kind) {
  case OpKind::DepthToSpace:
  case OpKind::Expand:
  case OpKind::Flatten:
  case OpKind::Gather:
  case OpKind::MaxPool:
  case OpKind::Reshape:
  case OpKind::Slice:
  case OpKind::SpaceToDepth:
  case OpKind::Squeeze:
  case OpKind::Tile:
  case OpKind::Transpose:
  case OpKind::Unsqueeze:
    return true;
  default:
    return false;
  }
}

bool isNearestResize(const Op& op) {
  return op.kind() == OpKind::Resize && op.string("mode") == "nearest" && !op.own(1) &&
         op.string("coordinate_transformation_mode") != "tf_crop_and_resize";
}

} // namespace enfold
