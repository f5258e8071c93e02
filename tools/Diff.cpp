// enfold diff: every tensor that the compiled network computes, beside the same tensor computed in
// another way. The first tensor that differs by more than rounding is where to look for a fault.
#include "diagnose/OnnxRuntime.h"
#include "diagnose/Tap.h"
#include "ir/Extract.h"
#include "reference/Reference.h"
#include "tools/Commands.h"
#include "tools/Inputs.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace enfold::tool {
namespace {

struct DiffOptions {
  ModelOptions model;
  InputOptions inputs;
  ToleranceOptions tolerance;
  std::string against, json;
  bool all = false;
};

using Tensors = std::map<std::string, Tensor>; // by the name of the model's value

/// One tensor, computed in both ways.
struct Row {
  std::string name;
  std::string nodes;
  std::string how; ///< "computed", or "fused away"
  diagnose::Comparison comparison;
  double ulp = 0; ///< largest distance in units in the last place of the expected element
};

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
diagnose::Tolerance noiseOf(ElemType elem) {
  const double coarser = elem == ElemType::F16 ? 0x1p13 : elem == ElemType::BF16 ? 0x1p16 : 1;
  const diagnose::Tolerance f32;
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

Result<Tensors> byReference(const Graph& model, std::span<const Tensor> inputs) {
  Tensors tensors;
  ENFOLD_RETURN_IF_ERROR(
      reference::run(model, inputs, [&](const Value& value, const Tensor& tensor) {
        if (!value.constant()) tensors.emplace(value.name(), tensor);
      }));
  return tensors;
}

Tensors named(std::span<const Value* const> values, std::vector<Tensor> tensors) {
  Tensors result;
  for (size_t i = 0; i < values.size(); ++i)
    result.emplace(values[i]->name(), std::move(tensors[i]));
  return result;
}

Result<Tensors> byUnfused(const DiffOptions& options, const Graph& model,
                          std::span<const Value* const> values, std::span<const Tensor> inputs) {
  CompileOptions unfused = options.model.compileOptions();
  unfused.fuse = false;
  auto graph = withOutputs(model, values);
  const std::vector<Tensor> given = reordered(model, *graph, inputs);
  ENFOLD_TRY(Compilation compiled, compile(std::move(graph), unfused));
  ENFOLD_TRY(auto session, Session::create(compiled.executable, options.model.sessionOptions()));
  ENFOLD_TRY(std::vector<Tensor> outputs, session->run(given));
  return named(values, std::move(outputs));
}

/// Tensors saved by `run --output --tap`, as far as there are files of them.
Result<Tensors> byFiles(const DiffOptions& options, std::span<const Value* const> values) {
  Tensors tensors;
  for (const Value* value : values) {
    const auto path = tensorPath(options.against, value->name());
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    ENFOLD_TRY(NamedTensor file, onnx::readTensorFile(path));
    tensors.emplace(value->name(), std::move(file.tensor));
  }
  if (tensors.empty())
    return usageError(
        fmt::format("{}: holds neither test_data_set_* nor NAME.npy of a tensor of the model",
                    options.against));
  return tensors;
}

Result<Tensors> expectedTensors(const DiffOptions& options, const Trial& trial,
                                std::span<const Value* const> values) {
  const Graph& model = *trial.graph;
  if (options.against == "reference") return byReference(model, trial.inputs);
  if (options.against == "unfused") return byUnfused(options, model, values, trial.inputs);
  if (options.against == "onnxruntime") {
    const auto graph = withOutputs(model, values);
    ENFOLD_TRY(std::vector<Tensor> outputs,
               diagnose::runOnnxRuntime(*graph, reordered(model, *graph, trial.inputs)));
    return named(values, std::move(outputs));
  }
  if (trial.expected.empty()) return byFiles(options, values);
  const std::vector<const Value*> outputs(model.outputs().begin(),
                                          model.outputs().begin() +
                                              static_cast<ptrdiff_t>(trial.expected.size()));
  return named(outputs, trial.expected);
}

/// Inputs and the way to compare: a folder of test data brings its own.
Result<Trial> trialOf(const DiffOptions& options) {
  std::error_code error;
  if (!std::filesystem::is_directory(options.against, error))
    return makeTrial(options.model, options.inputs, nullptr);
  const auto sets = onnx::readDataSets(options.against);
  if (!sets) return makeTrial(options.model, options.inputs, nullptr);
  return makeTrial(options.model, options.inputs, &sets->front());
}

/// Tensors that ops of the model compute, in their order.
std::vector<const Value*> tensorsOf(const Graph& model) {
  std::vector<const Value*> values;
  for (const auto& op : model.ops())
    for (size_t i = 0; op->kind() != OpKind::Constant && i < op->numResults(); ++i)
      if (op->result(i)->numUses() > 0) values.push_back(op->result(i));
  return values;
}

struct Table {
  std::vector<Row> different, alike; ///< each in the order of the model
  int64_t fusedAway = 0;             ///< left out
};

Result<Table> compareAll(const DiffOptions& options) {
  ENFOLD_TRY(const Trial trial, trialOf(options));
  const std::vector<const Value*> values = tensorsOf(*trial.graph);
  ENFOLD_TRY(const Tensors expected, expectedTensors(options, trial, values));
  std::vector<std::string> names;
  for (const Value* value : values)
    if (expected.contains(value->name())) names.push_back(value->name());
  ENFOLD_TRY(auto network,
             diagnose::TappedNetwork::create(trial.graph->clone(), options.model.compileOptions(),
                                             options.model.sessionOptions(), names));
  ENFOLD_TRY(const diagnose::TappedRun run, network->run(trial.inputs));
  Table table;
  for (const std::string& name : names) {
    const Value* value = trial.graph->find(name);
    const bool computed = network->isComputed(name) || value->outputUses() > 0;
    if (!computed && !options.all) {
      ++table.fusedAway;
      continue;
    }
    Row row{.name = name,
            .nodes = fmt::format("{}", fmt::join(namesOf(*value->producer()), ", ")),
            .how = computed ? "computed" : "fused away",
            .comparison = {}};
    const Tensor& wanted = expected.at(name);
    row.comparison = diagnose::compare(run.taps.at(name), wanted,
                                       options.tolerance.over(noiseOf(value->elem())));
    row.ulp = ulpsBetween(run.taps.at(name), wanted);
    (row.comparison.same() ? table.alike : table.different).push_back(std::move(row));
  }
  return table;
}

std::string verdict(const Row& row) {
  if (!row.comparison.problem.empty()) return "different: " + row.comparison.problem;
  if (!row.comparison.same()) return "different";
  return row.comparison.maxAbs == 0 ? "equal" : "float noise";
}

void printTable(const DiffOptions& options, const Table& result) {
  std::vector<std::vector<std::string>> rows = {
      {"tensor", "node", "max abs", "of", "max rel", "ulp", "verdict"}};
  for (const auto* part : {&result.different, &result.alike})
    for (const Row& row : *part) {
      const diagnose::Comparison& c = row.comparison;
      rows.push_back({row.name, row.nodes == row.name ? "" : row.nodes,
                      fmt::format("{:.2g}", c.maxAbs), fmt::format("{:.3g}", c.scale),
                      fmt::format("{:.2g}", c.maxRelative), fmt::format("{:.3g}", row.ulp),
                      verdict(row) + (row.how == "computed" ? "" : " (fused away)")});
    }
  if (result.different.empty())
    fmt::print("no tensor differs from {} by more than rounding\n", options.against);
  else
    fmt::print("first to differ from {}: {}\n", options.against, result.different.front().name);
  fmt::print("{}", table(rows));
  fmt::print("{} tensors: {} different, {} as expected", rows.size() - 1, result.different.size(),
             result.alike.size());
  if (result.fusedAway) fmt::print("; {} fused away (--all shows them)", result.fusedAway);
  fmt::print("\n");
}

nlohmann::ordered_json json(const DiffOptions& options, const Table& result) {
  nlohmann::ordered_json tensors = nlohmann::ordered_json::array();
  for (const auto* part : {&result.different, &result.alike})
    for (const Row& row : *part)
      tensors.push_back({{"name", row.name},
                         {"nodes", row.nodes},
                         {"how", row.how},
                         {"max_abs", row.comparison.maxAbs},
                         {"scale", row.comparison.scale},
                         {"max_relative", row.comparison.maxRelative},
                         {"ulp", row.ulp},
                         {"verdict", verdict(row)}});
  return {{"model", options.model.model},
          {"against", options.against},
          {"different", result.different.size()},
          {"tensors", tensors}};
}

Result<int> diff(const DiffOptions& options) {
  ENFOLD_TRY(const Table result, compareAll(options));
  if (options.json != "-") printTable(options, result);
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, json(options, result)));
  return result.different.empty() ? kDone : kWrong;
}

} // namespace

Action addDiff(CLI::App& app) {
  auto options = std::make_shared<DiffOptions>();
  options->model.add(app);
  options->inputs.add(app);
  options->tolerance.add(app);
  app.add_option("--against", options->against,
                 "reference, unfused, onnxruntime, or a folder of test_data_set_* or NAME.npy")
      ->required();
  app.add_flag("--all", options->all, "Show tensors that were fused away as well");
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  return [options] {
    const auto code = diff(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
