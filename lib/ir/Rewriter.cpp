// Checked, counted changes to a graph.
#include "ir/Rewriter.h"

#include <fmt/format.h>

#include <algorithm>

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

void Rewriter::appendEpilogue(Op* op, OpKind kind, AttrMap attrs, std::vector<Value*> args) {
  checkActive();
  ENFOLD_CHECK(op->info().supportsEpilogue() && op->numResults() == 1, "op takes no epilogue");
  std::vector<EpilogueStep> steps(op->epilogue().begin(), op->epilogue().end());
  std::vector<Value*> extras(op->operands().begin() + static_cast<ptrdiff_t>(op->numOwnOperands()),
                             op->operands().end());
  EpilogueStep step{kind, std::move(attrs), {}};
  for (Value* arg : args) {
    if (arg == nullptr) {
      step.args.push_back(EpilogueStep::kAccumulator);
      continue;
    }
    step.args.push_back(static_cast<int>(op->numOwnOperands() + extras.size()));
    extras.push_back(arg);
  }
  steps.push_back(std::move(step));
  graph_.setEpilogue(op, std::move(steps), std::move(extras));
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

void Rewriter::eraseDead(Op* op) {
  for (size_t i = 0; i < op->numResults(); ++i)
    if (op->result(i)->numUses() != 0) return;
  std::vector<Op*> producers;
  for (Value* operand : op->operands())
    if (operand && operand->producer() &&
        std::ranges::find(producers, operand->producer()) == producers.end())
      producers.push_back(operand->producer());
  erase(op);
  for (Op* producer : producers) eraseDead(producer);
}

} // namespace enfold
