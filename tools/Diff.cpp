// enfold diff: every tensor that the compiled network computes, beside the same tensor computed in
// another way.
#include "diagnose/Diff.h"

#include "onnx/Npz.h"
#include "onnx/RegularFile.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Inputs.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace enfold::tool {
namespace {

using diagnose::Comparison;
using diagnose::Diff;
using diagnose::TensorDiff;
using diagnose::Tensors;

struct DiffOptions {
  ModelOptions model;
  InputOptions inputs;
  ToleranceOptions tolerance;
  std::string against, json;
  bool all = false;
};

/// Those tensors of a .npz file that the model has.
Result<Tensors> archivedTensors(const std::string& path, const Graph& model) {
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  if (file.size() == 0) return failure(ErrorCode::DamagedFile, path + ": the file is empty");
  ENFOLD_TRY(const auto bytes, file.map());
  auto arrays = onnx::decodeNpz({bytes.get(), static_cast<size_t>(file.size())});
  if (!arrays) {
    for (Diag& diag : arrays.error().diags)
      diag.message = fmt::format("{}: {}", path, diag.message);
    return std::unexpected(std::move(arrays).error());
  }
  Tensors tensors;
  for (const Value* value : diagnose::computedValues(model))
    if (const auto array = std::ranges::find(*arrays, value->name(), &NamedTensor::name);
        array != arrays->end())
      tensors.emplace(value->name(), array->tensor);
  if (tensors.empty())
    return failure(ErrorCode::NoSuchFile, path + ": holds no tensor of the model");
  return tensors;
}

/// Tensors saved by `run --output --tap`, as far as there are files of them.
Result<Tensors> savedTensors(const DiffOptions& options, const Graph& model) {
  if (options.against.ends_with(".npz")) return archivedTensors(options.against, model);
  Tensors tensors;
  std::error_code error;
  if (!std::filesystem::exists(options.against, error))
    return failure(ErrorCode::NoSuchFile,
                   fmt::format("--against {}: is none of reference, unfused and onnxruntime, and "
                               "there is no such folder or file",
                               options.against));
  for (const Value* value : diagnose::computedValues(model)) {
    const auto path = tensorPath(options.against, value->name());
    if (!std::filesystem::exists(path, error)) continue;
    ENFOLD_TRY(NamedTensor file, onnx::readTensorFile(path));
    tensors.emplace(value->name(), std::move(file.tensor));
  }
  if (tensors.empty())
    return failure(
        ErrorCode::NoSuchFile,
        fmt::format("{}: holds neither test_data_set_* nor NAME.npy of a tensor of the model",
                    options.against));
  return tensors;
}

Result<Tensors> expectedTensors(const DiffOptions& options, const Trial& trial) {
  const Graph& model = *trial.graph;
  if (options.against == "reference") return diagnose::referenceTensors(model, trial.inputs);
  if (options.against == "unfused")
    return diagnose::unfusedTensors(model, trial.inputs, options.model.compileOptions(),
                                    options.model.sessionOptions());
  if (options.against == "onnxruntime") return diagnose::onnxRuntimeTensors(model, trial.inputs);
  if (trial.expected.empty()) return savedTensors(options, model);
  Tensors tensors;
  for (size_t i = 0; i < trial.expected.size(); ++i)
    tensors.emplace(model.outputs()[i]->name(), trial.expected[i]);
  return tensors;
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

void printTable(const Diff& diff) {
  std::vector<std::vector<std::string>> rows = {
      {"tensor", "node", "max abs", "of", "max rel", "ulp", "status"}};
  for (const auto* part : {&diff.different, &diff.same})
    for (const TensorDiff& tensor : *part) {
      const Comparison& c = tensor.comparison;
      rows.push_back({tensor.name, tensor.nodes == tensor.name ? "" : tensor.nodes,
                      fmt::format("{:.2g}", c.maxAbs), fmt::format("{:.3g}", c.scale),
                      fmt::format("{:.2g}", c.maxRelative), fmt::format("{:.3g}", tensor.ulp),
                      tensor.status() + (tensor.computed ? "" : " (fused away)")});
    }
  if (diff.different.empty())
    fmt::print("no tensor differs from {} by more than rounding\n", diff.against);
  else
    fmt::print("first to differ from {}: {}\n", diff.against, diff.different.front().name);
  fmt::print("{}", table(rows));
  fmt::print("{} tensors: {} different, {} as expected", rows.size() - 1, diff.different.size(),
             diff.same.size());
  if (diff.fusedAway) fmt::print("; {} fused away (--all shows them)", diff.fusedAway);
  fmt::print("\n");
}

Result<int> diffModel(const DiffOptions& options) {
  ENFOLD_TRY(const Trial trial, trialOf(options));
  ENFOLD_TRY(const Tensors expected, expectedTensors(options, trial));
  ENFOLD_TRY(const Diff diff, diagnose::diff({.name = options.model.model,
                                              .model = *trial.graph,
                                              .inputs = trial.inputs,
                                              .against = options.against,
                                              .expected = expected,
                                              .compile = options.model.compileOptions(),
                                              .session = options.model.sessionOptions(),
                                              .rtol = options.tolerance.rtol,
                                              .atol = options.tolerance.atol,
                                              .fusedAway = options.all}));
  if (options.json != "-") printTable(diff);
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, toJson(diff)));
  return diff.different.empty() ? kDone : kWrong;
}

} // namespace

Action addDiff(CLI::App& app) {
  auto options = std::make_shared<DiffOptions>();
  options->model.add(app);
  options->inputs.add(app);
  options->tolerance.add(app);
  app.add_option("--against", options->against,
                 "What to compare with: reference, unfused, onnxruntime, a folder of "
                 "test_data_set_* or NAME.npy, or a .npz file")
      ->type_name("WHAT")
      ->required();
  app.add_flag("--all", options->all, "Also compare tensors that were fused away");
  addJson(app, options->json);
  return [options] {
    const auto code = diffModel(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
