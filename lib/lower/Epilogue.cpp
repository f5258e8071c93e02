// Epilogue steps as Kernel IR.
#include "lower/Epilogue.h"

#include "ir/Steps.h"
#include "lower/Elementwise.h"
#include "lower/Scalars.h"

#include <algorithm>
#include <functional>

namespace enfold::lower {
namespace {

/// Of a step's operands. `operands` are those of all of the op, as the steps before have left them.
std::vector<ElemType> elemsOf(const EpilogueStep& step, std::span<const ElemType> operands) {
  std::vector<ElemType> elems;
  for (const int arg : step.args)
    elems.push_back(arg == EpilogueStep::kAccumulator ? step.from
                    : arg == EpilogueStep::kAbsent    ? ElemType::Undefined
                                                      : operands[static_cast<size_t>(arg)]);
  return elems;
}

/// Steps whose result is an operand or its negative: of numbers that are rounded they make no
/// others.
bool roundsNothing(OpKind kind) {
  switch (kind) {
  case OpKind::Abs:
  case OpKind::Neg:
  case OpKind::Relu:
  case OpKind::Clip:
  case OpKind::Max:
  case OpKind::Min:
  case OpKind::Where:
    return true;
  default:
    return false;
  }
}

} // namespace

std::string epilogueRefusal(const Op& op) {
  const Type& result = op.numResults() ? op.result()->type() : Type{};
  std::vector<ElemType> elems;
  for (const Value* operand : op.operands())
    elems.push_back(operand ? operand->elem() : ElemType::Undefined);
  const std::vector<ElemType> behind = elemsBehindSteps(op);
  for (size_t i = 0; i < behind.size(); ++i) {
    const EpilogueStep& step = op.epilogue()[i];
    std::string reason = elementwiseRefusal(step.kind, step.attrs, elemsOf(step, elems));
    if (!reason.empty()) return "epilogue step " + name(step.kind) + ": " + reason;
    if (converts(step)) elems[static_cast<size_t>(subjectOf(step))] = behind[i];
  }
  for (const Value* operand : op.operands().subspan(op.numOwnOperands()))
    if (!Operand::fits(operand->type(), result))
      return "epilogue operand %" + operand->name() + " does not fit the result's layout";
  return "";
}

Epilogue::Epilogue(const Op& op, Lowering& lowering)
    : op_(op), steps_(op.epilogue()), behind_(elemsBehindSteps(op)) {
  for (const Value* operand : op.operands().subspan(op.numOwnOperands()))
    operands_.emplace_back(operand, op.result()->type(), lowering);
}

bool Epilogue::isLong() const {
  // Conversions are an instruction or two.
  const auto isShort = [](const EpilogueStep& step) {
    return step.kind == OpKind::Cast || step.kind == OpKind::Round;
  };
  return std::ranges::count_if(steps_, std::not_fn(isShort)) > kFewSteps;
}

void Epilogue::joinSums() {
  if (steps_.empty() || op_.ownElem() != ElemType::I32) return;
  const EpilogueStep& first = steps_.front();
  if (first.kind != OpKind::Add || converts(first) || first.args.size() != 2) return;
  const bool isSecond = first.args[0] == EpilogueStep::kAccumulator;
  const int arg = first.args[isSecond ? 1 : 0];
  if (first.args[isSecond ? 0 : 1] != EpilogueStep::kAccumulator ||
      arg < static_cast<int>(op_.numOwnOperands()))
    return;
  const size_t i = static_cast<size_t>(arg) - op_.numOwnOperands();
  if (op_.operand(static_cast<size_t>(arg))->elem() == ElemType::I32 &&
      operands_[i].isAlikeForPixels())
    joined_ = i;
}

kir::Value Epilogue::begun(kir::Builder& b, const kir::Value& sum, const BlockedPixel& at) const {
  if (!joined_) return sum;
  return sum + operands_[*joined_].load(b, coordinatesOf(at), sum.lanes());
}

void Epilogue::declare(kir::Builder& b) {
  for (Operand& operand : operands_) operand.declare(b);
}

kir::Value Epilogue::apply(kir::Builder& b, kir::Value accumulator,
                           std::span<const kir::Index> coordinates, int pixels) const {
  std::vector<std::optional<kir::Value>> read(operands_.size());
  const auto operand = [&](int arg) -> std::optional<kir::Value>& {
    const size_t i = static_cast<size_t>(arg) - op_.numOwnOperands();
    if (!read[i]) read[i] = operands_[i].load(b, coordinates, accumulator.lanes(), pixels);
    return read[i];
  };
  // Each step works on what the tensor before it would hold, so that fused halves keep the bits of
  // unfused ones.
  const auto held = [&](const kir::Value& value, ElemType elem) {
    const kir::Scalar stored = *scalarOf(elem);
    return b.cast(b.cast(value, stored), computeScalar(stored));
  };
  bool isHeld = false; // the accumulator is what a tensor would hold
  for (size_t i = joined_ ? 1 : 0; i < steps_.size(); ++i) {
    const EpilogueStep& step = steps_[i];
    if (!converts(step) && !isHeld) accumulator = held(accumulator, step.from);
    std::vector<std::optional<kir::Value>> args;
    for (int arg : step.args) {
      if (arg == EpilogueStep::kAccumulator)
        args.emplace_back(accumulator);
      else if (arg == EpilogueStep::kAbsent)
        args.emplace_back(std::nullopt);
      else
        args.emplace_back(operand(arg));
    }
    const kir::Value result = emitElementwise(b, step.kind, step.attrs, args, behind_[i]);
    if (converts(step)) {
      operand(subjectOf(step)) = held(result, behind_[i]);
    } else {
      accumulator = result;
      isHeld = roundsNothing(step.kind);
    }
  }
  return accumulator;
}

kir::Value Epilogue::apply(kir::Builder& b, kir::Value accumulator, const BlockedPixel& at,
                           int together) const {
  return apply(b, std::move(accumulator), coordinatesOf(at), together);
}

/// The physical coordinates, lane 0. They take divisions, unless all operands follow the number of
/// the pixel, which then stands for the coordinate along the last dimension that has several.
std::vector<kir::Index> Epilogue::coordinatesOf(const BlockedPixel& at) const {
  const Shape& shape = op_.result()->shape();
  std::vector<kir::Index> coordinates(shape.size() + 1, 0);
  coordinates[0] = at.image;
  coordinates[1] = at.block;
  if (std::ranges::all_of(operands_, &Operand::followsPixels)) {
    size_t last = shape.size() - 1;
    while (last > 2 && shape[last] == 1) --last;
    coordinates[last] = at.pixel;
    return coordinates;
  }
  kir::Index rest = at.pixel;
  for (size_t i = shape.size(); i-- > 2; rest = rest / shape[i])
    coordinates[i] = i == 2 ? rest : rest % shape[i];
  return coordinates;
}

void Epilogue::appendBuffers(std::vector<BufferRef>& buffers) const {
  for (const Operand& operand : operands_)
    if (operand.buffer()) buffers.push_back(*operand.buffer());
}

} // namespace enfold::lower
