// Ways to compute the tensors of a model, and their comparison.
#include "diagnose/Diff.h"

#include "diagnose/OnnxRuntime.h"
#include "diagnose/QuantizationSteps.h"
#include "diagnose/Tap.h"
#include "ir/Extract.h"
#include "reference/Reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace enfold::diagnose {
namespace {

/// The distance between floats around `value`.
double spacing(ElemType elem, double value) {
  struct Format {
    int digits, lowest; ///< stored bits of the mantissa, least exponent
  };
  const Format format = elem == ElemType::F64    ? Format{52, -1022}
                        : elem == ElemType::F16  ? Format{10, -14}
                        : elem == ElemType::BF16 ? Format{7, -126}
                                                 : Format{23, -126};
  const int exponent = value == 0 || !std::isfinite(value) ? format.lowest : std::ilogb(value);
  return std::ldexp(1.0, std::max(exponent, format.lowest) - format.digits);
}

double ulpsBetween(const Tensor& a, const Tensor& b) {
  double most = 0;
  if (!isFloat(b.elem()) || a.type() != b.type()) return most;
  for (int64_t i = 0; i < b.numElements(); ++i)
    if (const double x = a.asDouble(i), y = b.asDouble(i); x != y)
      most = std::max(most, std::fabs(x - y) / spacing(b.elem(), y));
  return most;
}

/// What rounding may do to numbers of that type: the project's tolerance, for narrow types as much
/// larger as their rounding is coarser.
Tolerance noiseOf(ElemType elem) {
  const double coarser = elem == ElemType::F16 ? 0x1p13 : elem == ElemType::BF16 ? 0x1p16 : 1;
  const Tolerance f32;
  return {f32.rtol * coarser, f32.atol * coarser};
}

/// The model with these of its values as its outputs.
std::unique_ptr<Graph> withOutputs(const Graph& model, std::span<const Value* const> values) {
  auto graph = extract(model, values, {});
  // All inputs stay, so that it takes what the model takes.
  for (const auto& input : model.inputs())
    if (!graph->find(input->name())) graph->addInput(input->name(), input->type());
  return graph;
}

/// The inputs in the order that the graph has them in.
std::vector<Tensor> reordered(const Graph& model, const Graph& graph,
                              std::span<const Tensor> inputs) {
  std::map<std::string, const Tensor*> byName;
  for (size_t i = 0; i < inputs.size(); ++i) byName[model.inputs()[i]->name()] = &inputs[i];
  std::vector<Tensor> result;
  for (const auto& input : graph.inputs()) result.push_back(*byName.at(input->name()));
  return result;
}

Tensors named(std::span<const Value* const> values, std::vector<Tensor> tensors) {
  Tensors result;
  for (size_t i = 0; i < values.size(); ++i)
    result.emplace(values[i]->name(), std::move(tensors[i]));
  return result;
}

} // namespace

std::vector<const Value*> computedValues(const Graph& model) {
  std::vector<const Value*> values;
  for (const auto& op : model.ops())
    for (size_t i = 0; op->kind() != OpKind::Constant && i < op->numResults(); ++i)
      if (op->result(i)->numUses() > 0) values.push_back(op->result(i));
  return values;
}

Result<Tensors> referenceTensors(const Graph& model, std::span<const Tensor> inputs) {
  Tensors tensors;
  ENFOLD_RETURN_IF_ERROR(
      reference::run(model, inputs, [&](const Value& value, const Tensor& tensor) {
        if (!value.constant()) tensors.emplace(value.name(), tensor);
      }));
  return tensors;
}

Result<Tensors> unfusedTensors(const Graph& model, std::span<const Tensor> inputs,
                               const CompileOptions& compileOptions,
                               const Session::Options& sessionOptions) {
  CompileOptions unfused = compileOptions;
  unfused.fuse = false;
  const std::vector<const Value*> values = computedValues(model);
  auto graph = withOutputs(model, values);
  const std::vector<Tensor> given = reordered(model, *graph, inputs);
  ENFOLD_TRY(const Compilation compiled, compile(std::move(graph), unfused));
  ENFOLD_TRY(auto session, Session::create(compiled.executable, sessionOptions));
  ENFOLD_TRY(std::vector<Tensor> outputs, session->run(given));
  return named(values, std::move(outputs));
}

Result<Tensors> onnxRuntimeTensors(const Graph& model, std::span<const Tensor> inputs) {
  const std::vector<const Value*> values = computedValues(model);
  const auto graph = withOutputs(model, values);
  ENFOLD_TRY(std::vector<Tensor> outputs, runOnnxRuntime(*graph, reordered(model, *graph, inputs)));
  return named(values, std::move(outputs));
}

Result<Diff> diff(const DiffProblem& problem) {
  std::vector<std::string> names;
  for (const Value* value : computedValues(problem.model))
    if (problem.expected.contains(value->name())) names.push_back(value->name());
  ENFOLD_TRY(auto network,
             TappedNetwork::create(problem.model.clone(), problem.compile, problem.session, names));
  ENFOLD_TRY(const TappedRun run, network->run(problem.inputs));
  Diff diff{.model = problem.name, .against = problem.against};
  const auto steps = quantizationSteps(problem.model);
  for (const std::string& name : names) {
    const Value* value = problem.model.find(name);
    const bool computed = network->isComputed(name) || value->outputUses() > 0;
    if (!computed && !problem.fusedAway) {
      ++diff.fusedAway;
      continue;
    }
    const Tensor& actual = run.taps.at(name);
    const Tensor& expected = problem.expected.at(name);
    const Tolerance noise =
        atPrecision(noiseOf(value->elem()), problem.compile.passes.passes.precision);
    Tolerance tolerance{problem.rtol.value_or(noise.rtol), problem.atol.value_or(noise.atol)};
    const bool isStated = problem.rtol || problem.atol;
    if (const auto step = steps.find(name); step != steps.end() && !isStated)
      tolerance.rounding = kSoundSteps * step->second;
    TensorDiff tensor{.name = name,
                      .nodes = fmt::format("{}", fmt::join(namesOf(*value->producer()), ", ")),
                      .computed = computed,
                      .comparison = compare(actual, expected, tolerance),
                      .ulp = ulpsBetween(actual, expected)};
    (tensor.comparison.same() ? diff.same : diff.different).push_back(std::move(tensor));
  }
  return diff;
}

std::string TensorDiff::status() const {
  if (!comparison.problem.empty()) return "different: " + comparison.problem;
  if (!comparison.same()) return "different";
  if (comparison.maxAbs == 0) return "equal";
  return comparison.steps.empty() ? "float noise" : "rounding";
}

/// How many integers differ, by how much.
static Json stepsOf(const Comparison& comparison) {
  Json steps = Json::object();
  for (const auto& [step, count] : comparison.steps) steps[std::to_string(step)] = count;
  return steps;
}

Json toJson(const Diff& diff) {
  Json tensors = Json::array();
  for (const auto* part : {&diff.different, &diff.same})
    for (const TensorDiff& tensor : *part)
      tensors.push_back({{"name", tensor.name},
                         {"nodes", tensor.nodes},
                         {"how", tensor.computed ? "computed" : "fused away"},
                         {"max_abs", tensor.comparison.maxAbs},
                         {"scale", tensor.comparison.scale},
                         {"max_relative", tensor.comparison.maxRelative},
                         {"ulp", tensor.ulp},
                         {"steps", stepsOf(tensor.comparison)},
                         {"status", tensor.status()}});
  return {{"version", 1},
          {"model", diff.model},
          {"against", diff.against},
          {"different", diff.different.size()},
          {"tensors", std::move(tensors)}};
}

} // namespace enfold::diagnose
