// Types behind the steps of epilogues.
#include "ir/Graph.h"
#include "ir/Infer.h"
#include "ir/Steps.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <list>

namespace enfold {

Result<> checkOperands(const OpInfo& info, std::span<Value* const> operands) {
  const size_t given = operands.size();
  if (!info.isVariadic() && given > info.operands.size())
    return failure(ErrorCode::BadOperands, fmt::format("{} takes at most {} operands, not {}",
                                                       info.name, info.operands.size(), given));
  for (size_t i = 0; i < info.operands.size(); ++i) {
    const OperandInfo& operand = info.operands[i];
    if (operand.optional) continue;
    if (i >= given || operands[i] == nullptr)
      return failure(ErrorCode::BadOperands,
                     fmt::format("{} lacks its operand '{}'", info.name, operand.name));
  }
  for (size_t i = info.operands.size(); i < given; ++i)
    if (operands[i] == nullptr)
      return failure(ErrorCode::BadOperands,
                     fmt::format("{} lacks its operand number {}", info.name, i));
  return {};
}

namespace {

/// The running result and the operands as the steps so far have left them.
class Inference {
public:
  Inference(Type own, std::span<Value* const> operands, size_t numOwn)
      : accumulator_(std::move(own)), operands_(operands.begin(), operands.end()), numOwn_(numOwn),
        states_(operands.size(), State::Unread) {}

  /// The element type that the step gives what it changes.
  Result<ElemType> infer(EpilogueStep& step);
  Result<Type> finish() const;

private:
  enum class State : uint8_t { Unread, Converted, Read };

  Result<Value*> operand(const EpilogueStep& step, int arg);
  Result<> checkOrder(const EpilogueStep& step);

  Value accumulator_;
  std::vector<Value*> operands_;
  size_t numOwn_;
  std::vector<State> states_;
  std::vector<int> converted_; ///< operands, for steps that are to come
  std::list<Value> made_;      ///< what stands for converted operands
};

/// The value that an argument names; null if it is absent.
Result<Value*> Inference::operand(const EpilogueStep& step, int arg) {
  if (arg == EpilogueStep::kAccumulator) return &accumulator_;
  if (arg == EpilogueStep::kAbsent) return nullptr;
  const auto index = static_cast<size_t>(arg);
  if (arg < 0 || index < numOwn_ || index >= operands_.size() || !operands_[index])
    return invalid(fmt::format("operand of epilogue step {} out of range", name(step.kind)));
  return operands_[index];
}

/// Operands that were converted are those of the next step, in its order, and read once.
Result<> Inference::checkOrder(const EpilogueStep& step) {
  const auto wrong = [&] {
    return invalid(fmt::format("epilogue step {} reads an operand that is converted elsewhere",
                               name(step.kind)));
  };
  std::vector<int> taken;
  for (const int arg : step.args)
    if (arg >= 0 && states_[static_cast<size_t>(arg)] == State::Converted) taken.push_back(arg);
  if (taken.size() > converted_.size() ||
      !std::equal(taken.begin(), taken.end(), converted_.end() - std::ssize(taken)))
    return wrong();
  converted_.resize(converted_.size() - taken.size());
  if (!converts(step) && !converted_.empty()) return wrong();
  for (const int arg : step.args)
    if (arg >= 0) states_[static_cast<size_t>(arg)] = State::Read;
  return {};
}

Result<ElemType> Inference::infer(EpilogueStep& step) {
  if (!info(step.kind).is(traits::Elementwise))
    return invalid(fmt::format("{} cannot be an epilogue step", name(step.kind)));
  std::vector<Value*> values;
  for (const int arg : step.args) {
    ENFOLD_TRY(Value * value, operand(step, arg));
    values.push_back(value);
  }
  ENFOLD_RETURN_IF_ERROR(checkOperands(info(step.kind), values));
  const int subject = subjectOf(step);
  if (subject == EpilogueStep::kAbsent || values.empty())
    return invalid(fmt::format("epilogue step {} changes nothing", name(step.kind)));
  if (converts(step) && (states_[static_cast<size_t>(subject)] == State::Read ||
                         std::ranges::count(step.args, subject) > 1))
    return invalid(
        fmt::format("epilogue step {} converts an operand that is read twice", name(step.kind)));
  ENFOLD_RETURN_IF_ERROR(checkOrder(step));
  ENFOLD_TRY(Value * before, operand(step, subject));
  ENFOLD_TRY(std::vector<Type> types, inferTypes(step.kind, values, step.attrs, 1));
  Type type = std::move(types[0]);
  if (type.shape != before->shape())
    return invalid(fmt::format("epilogue step {} makes {} of {}", name(step.kind), str(type.shape),
                               str(before->shape())));
  step.from = accumulator_.elem();
  const ElemType elem = type.elem;
  if (!converts(step)) {
    accumulator_ = Value(std::move(type));
    return elem;
  }
  const auto index = static_cast<size_t>(subject);
  operands_[index] = &made_.emplace_back(std::move(type));
  states_[index] = State::Converted;
  converted_.push_back(subject);
  return elem;
}

Result<Type> Inference::finish() const {
  if (!converted_.empty()) return invalid("an epilogue ignores an operand that it converts");
  return accumulator_.type();
}

} // namespace

int subjectOf(const EpilogueStep& step) {
  const bool reads = std::ranges::find(step.args, EpilogueStep::kAccumulator) != step.args.end();
  return reads || step.args.empty() ? EpilogueStep::kAccumulator : step.args.front();
}

std::vector<ElemType> elemsBehindSteps(const Op& op) {
  Inference inference({op.ownElem(), op.result()->shape(), {}}, op.operands(), op.numOwnOperands());
  std::vector<ElemType> elems;
  for (EpilogueStep step : op.epilogue()) {
    const auto elem = inference.infer(step);
    ENFOLD_CHECK(elem.has_value(), elem.error().str());
    elems.push_back(*elem);
  }
  return elems;
}

Result<Type> inferEpilogue(std::span<EpilogueStep> steps, Type own,
                           std::span<Value* const> operands, size_t numOwn) {
  Inference inference(std::move(own), operands, numOwn);
  for (EpilogueStep& step : steps) {
    if (auto elem = inference.infer(step); !elem) return std::unexpected(std::move(elem.error()));
  }
  return inference.finish();
}

} // namespace enfold
