// Evaluation of ops with their epilogues, and of whole graphs in order.
#include "reference/Reference.h"

#include "ir/Steps.h"
#include "reference/EvalContext.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <list>
#include <unordered_map>

namespace enfold::reference {
namespace {

/// Result types by inference from operands whose values are all known.
Result<std::vector<Type>> inferFromTensors(OpKind kind, std::span<const Tensor* const> operands,
                                           const AttrMap& attrs, size_t numResults) {
  Graph scratch;
  std::vector<Value*> values;
  std::unordered_map<const Value*, const Tensor*> known;
  for (const Tensor* tensor : operands) {
    values.push_back(tensor ? scratch.addInput("", tensor->type()) : nullptr);
    known[values.back()] = tensor;
  }
  return inferTypes(kind, values, attrs, numResults,
                    [&](const Value* value) { return known.at(value); });
}

bool shapesAsDeclared(const Op& op, std::span<const Tensor* const> operands) {
  for (size_t i = 0; i < operands.size(); ++i)
    if (operands[i] && operands[i]->shape() != op.operand(i)->shape()) return false;
  return true;
}

/// The types an op's results have before its epilogue; not always those it declares.
Result<std::vector<Type>> ownResultTypes(const Op& op, std::span<const Tensor* const> operands) {
  if (shapesAsDeclared(op, operands)) {
    auto types = inferTypes(op.kind(), op.ownOperands(), op.attrs(), op.numResults());
    if (types || types.error().kind != ErrorKind::DataDependent) return types;
  }
  auto types = inferFromTensors(op.kind(), operands, op.attrs(), op.numResults());
  if (types || types.error().kind != ErrorKind::DataDependent) return types;
  // What the function alone finds out, such as how many boxes are kept.
  std::vector<Type> declared;
  for (size_t i = 0; i < op.numResults(); ++i) declared.push_back(op.result(i)->type());
  return declared;
}

Result<Tensor> applyStep(const EpilogueStep& step, const Tensor& accumulator,
                         std::span<const Tensor* const> operands) {
  std::vector<const Tensor*> args;
  for (int arg : step.args)
    args.push_back(arg == EpilogueStep::kAccumulator ? &accumulator
                   : arg == EpilogueStep::kAbsent    ? nullptr
                                                     : operands[static_cast<size_t>(arg)]);
  ENFOLD_TRY(std::vector<Type> types, inferFromTensors(step.kind, args, step.attrs, 1));
  ENFOLD_TRY(std::vector<Tensor> results, evaluate(step.kind, args, step.attrs, types));
  return std::move(results[0]);
}

Result<std::vector<Tensor>> evaluateSteps(const Op& op, std::span<const Tensor* const> operands) {
  const auto own = operands.first(op.numOwnOperands());
  ENFOLD_TRY(std::vector<Type> types, ownResultTypes(op, own));
  ENFOLD_TRY(std::vector<Tensor> results, evaluate(op.kind(), own, op.attrs(), types));
  std::vector<const Tensor*> read(operands.begin(), operands.end());
  std::list<Tensor> converted;
  for (const EpilogueStep& step : op.epilogue()) {
    ENFOLD_TRY(Tensor changed, applyStep(step, results[0], read));
    if (converts(step))
      read[static_cast<size_t>(subjectOf(step))] = &converted.emplace_back(std::move(changed));
    else
      results[0] = std::move(changed);
  }
  return results;
}

/// The tensors of a run that somebody still needs.
class LiveValues {
public:
  explicit LiveValues(const Observer& observer) : observer_(observer) {}

  void set(const Value* value, Tensor tensor) {
    if (observer_) observer_(*value, tensor);
    if (value->numUses() > 0) slots_[value] = {std::move(tensor), value->numUses()};
  }
  const Tensor* get(const Value* value) const { return value ? &slots_.at(value).tensor : nullptr; }
  void release(const Value* value) {
    if (!value) return;
    auto it = slots_.find(value);
    if (--it->second.uses == 0) slots_.erase(it);
  }

private:
  struct Slot {
    Tensor tensor;
    size_t uses = 0;
  };
  const Observer& observer_;
  std::unordered_map<const Value*, Slot> slots_;
};

Result<> checkInputs(const Graph& graph, std::span<const Tensor> inputs) {
  if (inputs.size() != graph.inputs().size())
    return usageError(fmt::format("graph '{}' takes {} inputs, not {}", graph.name(),
                                  graph.inputs().size(), inputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& input = *graph.inputs()[i];
    if (input.elem() != inputs[i].elem() || input.shape() != inputs[i].shape())
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' must be {}, not {}", input.name(), input.type().str(),
                                 inputs[i].type().str()));
  }
  return {};
}

} // namespace

Result<std::vector<Tensor>> evaluate(OpKind kind, std::span<const Tensor* const> operands,
                                     const AttrMap& attrs, std::span<const Type> resultTypes) {
  EvalContext context(kind, operands, attrs, resultTypes);
  ENFOLD_RETURN_IF_ERROR(evalFunction(kind)(context));
  return context.takeResults();
}

Result<std::vector<Tensor>> evaluate(const Op& op, std::span<const Tensor* const> operands) {
  ENFOLD_CHECK(operands.size() == op.operands().size(), "an op evaluated on too few operands");
  auto results = evaluateSteps(op, operands);
  if (!results)
    for (Diag& diag : results.error().diags)
      if (diag.node.empty()) diag.node = op.describe();
  return results;
}

Result<std::vector<Tensor>> run(const Graph& graph, std::span<const Tensor> inputs,
                                const Observer& observer) {
  ENFOLD_RETURN_IF_ERROR(checkInputs(graph, inputs));
  LiveValues values(observer);
  for (size_t i = 0; i < inputs.size(); ++i) values.set(graph.inputs()[i].get(), inputs[i]);
  std::vector<const Tensor*> operands;
  for (const auto& op : graph.ops()) {
    operands.clear();
    for (const Value* operand : op->operands()) operands.push_back(values.get(operand));
    ENFOLD_TRY(std::vector<Tensor> results, evaluate(*op, operands));
    for (const Value* operand : op->operands()) values.release(operand);
    for (size_t i = 0; i < op->numResults(); ++i) values.set(op->result(i), std::move(results[i]));
  }
  std::vector<Tensor> outputs;
  for (const Value* output : graph.outputs()) outputs.push_back(*values.get(output));
  return outputs;
}

} // namespace enfold::reference
