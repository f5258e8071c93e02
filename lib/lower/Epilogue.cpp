// Epilogue steps as Kernel IR.
#include "lower/Epilogue.h"

#include "lower/Elementwise.h"
#include "lower/Scalars.h"

namespace enfold::lower {

std::string epilogueRefusal(const Op& op) {
  const Type& result = op.numResults() ? op.result()->type() : Type{};
  for (const EpilogueStep& step : op.epilogue()) {
    std::string reason = elementwiseRefusal(step.kind, step.attrs, result.elem);
    if (!reason.empty()) return "epilogue step " + name(step.kind) + ": " + reason;
  }
  for (const Value* operand : op.operands().subspan(op.numOwnOperands()))
    if (!Operand::fits(operand->type(), result))
      return "epilogue operand %" + operand->name() + " does not fit the result's layout";
  return "";
}

std::vector<kir::Index> blockedCoordinates(const Type& result, const kir::Index& n,
                                           const kir::Index& block, const kir::Index& pixel) {
  const size_t spatial = result.shape.size() - 2;
  std::vector<kir::Index> at(spatial + 3, 0);
  at[0] = n;
  at[1] = block;
  kir::Index rest = pixel;
  for (size_t i = spatial; i-- > 0;) {
    const int64_t size = result.shape[2 + i];
    at[2 + i] = i == 0 ? rest : rest % size;
    rest = rest / size;
  }
  return at;
}

Epilogue::Epilogue(const Op& op, Lowering& lowering) : op_(op), steps_(op.epilogue()) {
  for (const Value* operand : op.operands().subspan(op.numOwnOperands()))
    operands_.emplace_back(operand, op.result()->type(), lowering);
}

void Epilogue::declare(kir::Builder& b) {
  for (Operand& operand : operands_) operand.declare(b);
}

kir::Value Epilogue::apply(kir::Builder& b, kir::Value accumulator,
                           std::span<const kir::Index> coordinates) const {
  // Each step works on what the tensor before it would hold, so that fused halves keep the bits of
  // unfused ones.
  const ElemType elem = op_.result()->elem();
  const bool half = elem == ElemType::F16 || elem == ElemType::BF16;
  for (const EpilogueStep& step : steps_) {
    if (half) accumulator = b.cast(b.cast(accumulator, *scalarOf(elem)), accumulator.type().scalar);
    std::vector<std::optional<kir::Value>> args;
    for (int arg : step.args) {
      if (arg == EpilogueStep::kAccumulator)
        args.emplace_back(accumulator);
      else if (arg == EpilogueStep::kAbsent)
        args.emplace_back(std::nullopt);
      else
        args.emplace_back(operands_[static_cast<size_t>(arg) - op_.numOwnOperands()].load(
            b, coordinates, accumulator.lanes()));
    }
    accumulator = emitElementwise(b, step.kind, step.attrs, args, op_.result()->elem());
  }
  return accumulator;
}

void Epilogue::appendBuffers(std::vector<BufferRef>& buffers) const {
  for (const Operand& operand : operands_)
    if (operand.buffer()) buffers.push_back(*operand.buffer());
}

} // namespace enfold::lower
