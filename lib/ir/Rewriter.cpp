// Checked, counted changes to a graph.
#include "ir/Rewriter.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace enfold {

bool Rewriter::begin(std::string_view rewrite, const Op& subject) {
  active_ = count_ < limit_;
  if (!active_) {
    exhausted_ = true;
    return false;
  }
  ++count_;
  log_.push_back(fmt::format("{} %{}", rewrite, subject.result()->name()));
  return true;
}

void Rewriter::retract() {
  checkActive();
  --count_;
  log_.pop_back();
  active_ = false;
}

Op* Rewriter::create(OpSpec spec, Op* before) {
  checkActive();
  auto op = graph_.create(std::move(spec), before);
  ENFOLD_CHECK(op.has_value(), op.error().str());
  return *op;
}

Value* Rewriter::constant(Tensor tensor, std::string name, Op* before) {
  checkActive();
  return graph_.constant(std::move(tensor), std::move(name), before);
}

void Rewriter::replace(Value* from, Value* to) {
  ENFOLD_CHECK(from->type() == to->type(),
               fmt::format("replaced %{}: {} by %{}: {}", from->name(), from->type().str(),
                           to->name(), to->type().str()));
  replaceKeepingLayout(from, to);
}

void Rewriter::replaceKeepingLayout(Value* from, Value* to) {
  checkActive();
  ENFOLD_CHECK(from->elem() == to->elem() && from->shape() == to->shape(),
               "replaced a value by one of another type");
  graph_.replaceUses(from, to);
}

void Rewriter::setOperand(Op* op, size_t index, Value* value) {
  checkActive();
  graph_.setOperand(op, index, value);
}

void Rewriter::setAttr(Op* op, std::string name, AttrValue value) {
  checkActive();
  graph_.setAttr(op, std::move(name), std::move(value));
}

void Rewriter::removeAttr(Op* op, std::string_view name) {
  checkActive();
  graph_.removeAttr(op, name);
}

void Rewriter::setLayout(Value* value, Layout layout) {
  checkActive();
  graph_.setType(value, {value->elem(), value->shape(), layout});
}

void Rewriter::setOutput(size_t index, Value* value) {
  checkActive();
  const Value* old = graph_.outputs()[index];
  ENFOLD_CHECK(old->elem() == value->elem() && old->shape() == value->shape(),
               "an output replaced by a value of another type");
  graph_.setOutput(index, value);
}

void Rewriter::fuse(Op* producer, Op* user) {
  checkActive();
  Value* result = producer->result();
  ENFOLD_CHECK(producer->info().supportsEpilogue() && producer->numResults() == 1 &&
                   user->info().is(traits::Elementwise) && result->outputUses() == 0 &&
                   result->shape() == user->result()->shape() &&
                   result->type().layout == user->result()->type().layout &&
                   std::ranges::all_of(result->users(), [&](Op* op) { return op == user; }) &&
                   std::ranges::find(user->operands().subspan(user->numOwnOperands()), result) ==
                       user->operands().end(),
               "ops fused that cannot be");
  std::vector<EpilogueStep> steps(producer->epilogue().begin(), producer->epilogue().end());
  std::vector<Value*> extras(producer->operands().begin() +
                                 static_cast<ptrdiff_t>(producer->numOwnOperands()),
                             producer->operands().end());
  // Where operand i of the user is found in an epilogue step of the producer.
  std::vector<int> place;
  for (Value* operand : user->operands()) {
    if (operand == nullptr) {
      place.push_back(EpilogueStep::kAbsent);
    } else if (operand == result) {
      place.push_back(EpilogueStep::kAccumulator);
    } else {
      place.push_back(static_cast<int>(producer->numOwnOperands() + extras.size()));
      extras.push_back(operand);
    }
  }
  EpilogueStep own{user->kind(), user->attrs(), {}, result->elem()};
  own.args.assign(place.begin(), place.begin() + static_cast<ptrdiff_t>(user->numOwnOperands()));
  steps.push_back(std::move(own));
  for (EpilogueStep step : user->epilogue()) {
    for (int& arg : step.args)
      if (arg >= 0) arg = place[static_cast<size_t>(arg)];
    steps.push_back(std::move(step));
  }
  graph_.moveBefore(producer, user);
  graph_.setEpilogue(producer, std::move(steps), std::move(extras));
  graph_.addOrigins(producer, user->origins());
  graph_.setType(result, user->result()->type());
  std::string name = user->result()->name();
  graph_.replaceUses(user->result(), result);
  graph_.erase(user);
  graph_.rename(result, std::move(name));
}

void Rewriter::convertInEpilogue(Op* user, size_t index) {
  checkActive();
  Value* converted = user->operand(index);
  Op* producer = converted->producer();
  ENFOLD_CHECK(index >= user->numOwnOperands() && producer &&
                   producer->info().is(traits::Elementwise) &&
                   producer->own(0)->shape() == converted->shape() &&
                   producer->own(0)->type().layout == converted->type().layout,
               "an operand converted that cannot be");
  // Operand i of the producer stands at first + i of all, but the one that is converted at `index`.
  std::vector<Value*> all(user->operands().begin(), user->operands().end());
  const auto first = static_cast<int>(all.size()), at = static_cast<int>(index);
  all.insert(all.end(), producer->operands().begin(), producer->operands().end());
  all[index] = producer->own(0);
  std::vector<EpilogueStep> conversions = {{producer->kind(), producer->attrs(), {at}}};
  for (size_t i = 1; i < producer->numOwnOperands(); ++i)
    conversions[0].args.push_back(producer->own(i) ? first + static_cast<int>(i)
                                                   : EpilogueStep::kAbsent);
  for (EpilogueStep step : producer->epilogue()) {
    for (int& arg : step.args)
      arg = arg == EpilogueStep::kAccumulator ? at : arg >= 0 ? first + arg : arg;
    conversions.push_back(std::move(step));
  }
  std::vector<EpilogueStep> steps(user->epilogue().begin(), user->epilogue().end());
  const auto reader = std::ranges::find_if(steps, [&](const EpilogueStep& step) {
    return std::ranges::find(step.args, at) != step.args.end();
  });
  ENFOLD_CHECK(reader != steps.end(), "an operand of an epilogue that no step reads");
  for (EpilogueStep& step : conversions) step.from = reader->from;
  steps.insert(reader, conversions.begin(), conversions.end());
  // Operands stand in the order in which the steps name them.
  std::vector<int> numbers(all.size(), EpilogueStep::kAbsent);
  std::vector<Value*> extras;
  for (EpilogueStep& step : steps)
    for (int& arg : step.args) {
      if (arg < 0) continue;
      int& number = numbers[static_cast<size_t>(arg)];
      if (number == EpilogueStep::kAbsent) {
        number = static_cast<int>(user->numOwnOperands() + extras.size());
        extras.push_back(all[static_cast<size_t>(arg)]);
      }
      arg = number;
    }
  graph_.setEpilogue(user, std::move(steps), std::move(extras));
  graph_.addOrigins(user, producer->origins());
  eraseDead(producer);
}

void Rewriter::addOrigins(Op* op, std::span<const std::string> origins) {
  checkActive();
  graph_.addOrigins(op, origins);
}

void Rewriter::moveBefore(Op* op, Op* before) {
  checkActive();
  graph_.moveBefore(op, before);
}

void Rewriter::erase(Op* op) {
  checkActive();
  graph_.erase(op);
}

std::unordered_set<const Op*> Rewriter::eraseDead(Op* op) {
  const auto isUsed = [](const Op& op) {
    for (size_t i = 0; i < op.numResults(); ++i)
      if (op.result(i)->numUses() != 0) return true;
    return false;
  };
  // A producer may be met again after it was erased, as that of several dead ops.
  std::unordered_set<const Op*> erased;
  for (std::vector<Op*> candidates = {op}; !candidates.empty();) {
    Op* candidate = candidates.back();
    candidates.pop_back();
    if (erased.contains(candidate) || isUsed(*candidate)) continue;
    for (Value* operand : candidate->operands())
      if (operand && operand->producer()) candidates.push_back(operand->producer());
    erase(candidate);
    erased.insert(candidate);
  }
  return erased;
}

} // namespace enfold
