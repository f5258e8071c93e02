// Errors are drawn, not bounded.
#include "fuzz/Noise.h"

#include "diagnose/Compare.h"
#include "fuzz/Random.h"
#include "reference/Reference.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::fuzz {
namespace {

/// Relative errors a compiled op may make of its own, an order of magnitude above what one rounding
/// is: how they grow on the candidate to an output is found out by making them.
double noiseOf(ElemType elem) {
  switch (elem) {
  case ElemType::F16:
    return 0x1p-10;
  case ElemType::BF16:
    return 0x1p-7;
  default:
    return 0x1p-20;
  }
}

/// The result of an op as if it had erred. The logarithm of a softmax is that of a rounded sum:
/// near zero, where the sum is near one, its error is not relative to it.
void addNoise(Tensor& tensor, OpKind kind, double noise, Random& random) {
  if (!isFloat(tensor.elem())) return;
  const double absolute = kind == OpKind::LogSoftmax ? noise : 0;
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const double error = random.uniform(-1, 1);
    tensor.setDouble(i, tensor.asDouble(i) * (1 + noise * error) + absolute * error);
  }
}

} // namespace

Result<Run> runAll(const Graph& graph, std::span<const Tensor> inputs) {
  Run run;
  ENFOLD_TRY(run.outputs,
             reference::run(graph, inputs, [&](const Value& value, const Tensor& tensor) {
               if (!value.constant()) run.values.emplace(value.name(), tensor);
             }));
  return run;
}

Result<Run> runWithNoise(const Graph& graph, std::span<const Tensor> inputs, uint64_t seed,
                         std::optional<double> stated) {
  Random random(seed);
  std::unordered_map<const Value*, Tensor> known;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor& input = known[graph.inputs()[i].get()] = inputs[i];
    if (stated) addNoise(input, OpKind::Identity, *stated, random);
  }
  Run run;
  for (const auto& op : graph.ops()) {
    std::vector<const Tensor*> operands;
    for (const Value* operand : op->operands())
      operands.push_back(operand ? &known.at(operand) : nullptr);
    ENFOLD_TRY(std::vector<Tensor> results, reference::evaluate(*op, operands));
    for (size_t i = 0; i < op->numResults(); ++i) {
      if (op->kind() != OpKind::Constant || stated)
        addNoise(results[i], op->kind(), stated.value_or(noiseOf(results[i].elem())), random);
      run.values[op->result(i)->name()] = results[i];
      known[op->result(i)] = std::move(results[i]);
    }
  }
  for (const Value* output : graph.outputs()) run.outputs.push_back(known.at(output));
  return run;
}

std::string disagreement(const std::string& what, const Tensor& result, const Tensor& expected,
                         const Tensor& noisy) {
  const double noise = diagnose::compare(noisy, expected, {}).maxAbs;
  if (!std::isfinite(noise)) return "";
  const double narrow = noiseOf(expected.elem()) * 0x1p20;
  diagnose::Tolerance tolerance{1e-4 * narrow, 1e-5 * narrow};
  diagnose::Comparison c = diagnose::compare(result, expected, tolerance);
  tolerance.atol += 4 * noise / c.scale;
  c = diagnose::compare(result, expected, tolerance);
  if (!c.problem.empty()) return c.problem;
  if (c.same()) return "";
  return fmt::format("{} differs in {} of {} elements by up to {:.3g} (of {:.3g}; "
                     "noise {:.2g}), worst at {}",
                     what, c.mismatches, expected.numElements(), c.maxAbs, c.scale, noise, c.worst);
}

} // namespace enfold::fuzz
