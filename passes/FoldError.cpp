// Runs both models by the reference.
#include "passes/FoldError.h"

#include "ir/ConstantText.h"
#include "reference/Reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

namespace enfold {
namespace {

/// Passes that change how a tensor is computed but not which tensors there are.
const std::set<std::string> kLatePasses = {"expand-batchnorm", "fuse-epilogue", "assign-layout"};

/// The pass that rounds operands.
constexpr std::string_view kRoundingPass = "narrow-operands";

using Tensors = std::unordered_map<std::string, Tensor>;

/// What must be known of the unfolded model to compute `value` in the folded one: the tensors both
/// have, where the way up from it first meets them.
void collectNeeds(const Graph& unfolded, const Value* value,
                  std::unordered_set<std::string>& needs) {
  for (const Value* operand : value->producer()->operands()) {
    if (!operand || operand->constant()) continue;
    if (unfolded.find(operand->name()))
      needs.insert(operand->name());
    else
      collectNeeds(unfolded, operand, needs);
  }
}

/// Computes a value of the folded model from tensors of the unfolded one.
Result<Tensor> compute(const Value* value, const Tensors& known) {
  const Op& op = *value->producer();
  std::vector<Tensor> operands;
  for (const Value* operand : op.operands()) {
    operands.emplace_back();
    if (!operand) continue;
    if (const Tensor* constant = operand->constant()) {
      operands.back() = *constant;
    } else if (const auto it = known.find(operand->name()); it != known.end()) {
      operands.back() = it->second;
    } else {
      ENFOLD_TRY(operands.back(), compute(operand, known));
    }
  }
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < operands.size(); ++i)
    pointers.push_back(op.operand(i) ? &operands[i] : nullptr);
  ENFOLD_TRY(std::vector<Tensor> results, reference::evaluate(op, pointers));
  return std::move(results[value->resultIndex()]);
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    most = std::max(most, std::fabs(tensor.asDouble(i)));
  return most;
}

/// The largest magnitude among the tensors a folded op reads.
double largestInput(const Value* value, const Tensors& known) {
  double most = 0;
  for (const Value* operand : value->producer()->operands()) {
    if (!operand || operand->constant()) continue;
    const auto it = known.find(operand->name());
    most = std::max(most, it != known.end() ? largest(it->second) : largestInput(operand, known));
  }
  return most;
}

Result<FoldError> measured(const Remark& remark, const Value* value, const Tensors& known) {
  FoldError error{.pass = remark.pass,
                  .value = remark.facts.value,
                  .nodes = fmt::format("{}", fmt::join(remark.ops, " + "))};
  const Tensor& expected = known.at(error.value);
  ENFOLD_TRY(const Tensor folded, compute(value, known));
  for (int64_t i = 0; i < expected.numElements(); ++i) {
    const double difference = std::fabs(folded.asDouble(i) - expected.asDouble(i));
    if (!(difference <= error.maxAbs)) error.maxAbs = difference;
  }
  error.scale = std::max(1.0, largest(expected));
  const auto& numbers = remark.facts.numbers;
  error.bound =
      numbers.at("bound_per_input") * largestInput(value, known) + numbers.at("bound_constant");
  return error;
}

} // namespace

Result<std::vector<FoldError>> measureFolds(const Graph& graph, const Pipeline& pipeline,
                                            const PipelineOptions& options,
                                            std::span<const Tensor> inputs) {
  const auto folded = graph.clone();
  PipelineOptions silent = options;
  silent.observers.clear();
  ENFOLD_TRY(const PipelineReport report,
             runPipeline(*folded, pipeline.without(kLatePasses), silent));
  // A value folded into several times has the facts of the last remark.
  std::vector<std::pair<const Remark*, const Value*>> folds;
  std::unordered_set<std::string> needs;
  for (const Remark& remark : report.remarks.remarks()) {
    const Value* value = folded->find(remark.facts.value);
    if (remark.facts.value.empty() || !value || !value->producer() || value->constant() ||
        !graph.find(remark.facts.value))
      continue;
    std::erase_if(folds, [&](const auto& fold) { return fold.second == value; });
    folds.emplace_back(&remark, value);
    needs.insert(value->name());
    collectNeeds(graph, value, needs);
  }
  Tensors known;
  const auto keep = [&](const Value& value, const Tensor& tensor) {
    if (needs.contains(value.name())) known.emplace(value.name(), tensor);
  };
  ENFOLD_RETURN_IF_ERROR(reference::run(graph, inputs, keep));
  std::vector<FoldError> errors;
  for (const auto& [remark, value] : folds) {
    ENFOLD_TRY(errors.emplace_back(), measured(*remark, value, known));
  }
  return errors;
}

std::vector<Tensor> sampleInputs(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs())
    inputs.push_back(randomTensor(input->type(), inputs.size() + 1));
  return inputs;
}

Result<std::set<std::string>> foldsExceeding(double tolerance, const Graph& graph,
                                             const Pipeline& pipeline,
                                             const PipelineOptions& options) {
  PipelineOptions unrounded = options;
  if (unrounded.passes.precision == Precision::Bf16) unrounded.passes.precision = Precision::Model;
  ENFOLD_TRY(const std::vector<FoldError> errors,
             measureFolds(graph, pipeline, unrounded, sampleInputs(graph)));
  std::set<std::string> beyond;
  for (const FoldError& error : errors)
    if (!(error.relative() <= tolerance)) beyond.insert(error.value);
  return beyond;
}

Result<std::set<std::string>> roundingsExceeding(double tolerance, const Graph& graph,
                                                 const Pipeline& pipeline,
                                                 const PipelineOptions& options) {
  std::set<std::string> beyond;
  if (options.passes.precision != Precision::Bf16) return beyond;
  ENFOLD_TRY(const std::vector<FoldError> errors,
             measureFolds(graph, pipeline, options, sampleInputs(graph)));
  for (const FoldError& error : errors)
    if (error.pass == kRoundingPass && !(error.relative() <= tolerance)) beyond.insert(error.value);
  return beyond;
}

} // namespace enfold
