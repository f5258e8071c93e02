// Types behind the steps of epilogues.
#include "ir/Graph.h"
#include "ir/Infer.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {

Result<> checkOperands(const OpInfo& info, std::span<Value* const> operands) {
  const size_t given = operands.size();
  if (!info.isVariadic() && given > info.operands.size())
    return invalid(fmt::format("{} takes at most {} operands, not {}", info.name,
                               info.operands.size(), given));
  for (size_t i = 0; i < info.operands.size(); ++i) {
    const OperandInfo& operand = info.operands[i];
    if (operand.optional) continue;
    if (i >= given || operands[i] == nullptr)
      return invalid(fmt::format("{} lacks its operand '{}'", info.name, operand.name));
  }
  for (size_t i = info.operands.size(); i < given; ++i)
    if (operands[i] == nullptr)
      return invalid(fmt::format("{} lacks its operand number {}", info.name, i));
  return {};
}

namespace {

/// The operands of a step, `accumulator` standing for the running result.
Result<std::vector<Value*>> stepOperands(const EpilogueStep& step, Value& accumulator,
                                         std::span<Value* const> operands, size_t numOwn) {
  if (!info(step.kind).is(traits::Elementwise))
    return invalid(fmt::format("{} cannot be an epilogue step", name(step.kind)));
  if (std::ranges::find(step.args, EpilogueStep::kAccumulator) == step.args.end())
    return invalid(fmt::format("epilogue step {} ignores the accumulator", name(step.kind)));
  std::vector<Value*> values;
  for (const int arg : step.args) {
    if (arg == EpilogueStep::kAccumulator) {
      values.push_back(&accumulator);
    } else if (arg == EpilogueStep::kAbsent) {
      values.push_back(nullptr);
    } else {
      const auto index = static_cast<size_t>(arg);
      if (arg < 0 || index < numOwn || index >= operands.size() || !operands[index])
        return invalid(fmt::format("operand of epilogue step {} out of range", name(step.kind)));
      values.push_back(operands[index]);
    }
  }
  ENFOLD_RETURN_IF_ERROR(checkOperands(info(step.kind), values));
  return values;
}

} // namespace

Result<Type> inferEpilogue(std::span<EpilogueStep> steps, Type own,
                           std::span<Value* const> operands, size_t numOwn) {
  for (EpilogueStep& step : steps) {
    step.from = own.elem;
    Value accumulator(own);
    ENFOLD_TRY(const std::vector<Value*> values, stepOperands(step, accumulator, operands, numOwn));
    ENFOLD_TRY(std::vector<Type> types, inferTypes(step.kind, values, step.attrs, 1));
    if (types[0].shape != own.shape)
      return invalid(fmt::format("epilogue step {} makes {} of {}", name(step.kind),
                                 str(types[0].shape), str(own.shape)));
    own = std::move(types[0]);
  }
  return own;
}

} // namespace enfold
