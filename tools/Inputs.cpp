// Inputs of models.
#include "tools/Inputs.h"

#include "ir/ConstantText.h"
#include "support/ErrorCodes.h"
#include "tools/InputFiles.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <ranges>

namespace enfold::tool {

bool InputOptions::isRandom() const { return random->count() > 0; }

void InputOptions::add(CLI::App& app) {
  app.add_option(
         "--input", files,
         "Read an input from a file: .npy, .npz, .pb, .png or .jpg, or raw numbers: NAME=raw:FILE; "
         "several images are a batch; FILE.npz alone: all its arrays; - is standard input")
      ->type_name("NAME=FILE");
  random = app.add_option("--random", seeds,
                          "Fill missing inputs with random numbers from this seed (default 1)")
               ->expected(0, 1)
               ->default_str("1");
  pixels.add(app);
}

void ToleranceOptions::add(CLI::App& app) {
  app.add_option("--rtol", rtol, "Relative tolerance when comparing");
  app.add_option("--atol", atol, "Absolute tolerance when comparing");
}

bool OptionalInputs::has(std::span<const TensorSpec> inputs, const std::string& name) const {
  return bound.contains(name) || std::ranges::find(inputs, name, &TensorSpec::name) != inputs.end();
}

Result<std::vector<NamedTensor>> readInputs(const InputOptions& options,
                                            const ModelOptions& model) {
  return readInputFiles(options.files, options.pixels, model);
}

Result<std::vector<Tensor>> arrange(const InputOptions& options, std::span<const TensorSpec> inputs,
                                    const OptionalInputs& optional,
                                    std::span<const NamedTensor> given) {
  for (const NamedTensor& tensor : given)
    if (!optional.has(inputs, tensor.name))
      return failure(
          ErrorCode::UnknownInput,
          fmt::format("the model has no input '{}'; its inputs: '{}'", tensor.name,
                      fmt::join(inputs | std::views::transform(&TensorSpec::name), "', '")));
  std::vector<Tensor> tensors;
  uint64_t seed = options.seed();
  for (const auto& [name, type] : inputs) {
    const auto named = std::ranges::find(given, name, &NamedTensor::name);
    const auto known = optional.defaults.find(name);
    if (named != given.end()) {
      ENFOLD_TRY(tensors.emplace_back(), options.pixels.asNumbers(named->tensor, type));
    } else if (known != optional.defaults.end()) {
      tensors.push_back(known->second);
    } else if (options.isRandom()) {
      tensors.push_back(randomTensor(type, seed++));
    } else {
      return failure(
          ErrorCode::MissingInput,
          fmt::format("input '{}' ({}) is not given: use --input {}=FILE or --random SEED", name,
                      type.str(), name));
    }
  }
  return tensors;
}

void nameByPosition(std::vector<NamedTensor>& given, std::span<const TensorSpec> inputs,
                    const OptionalInputs& optional) {
  for (size_t i = 0; i < std::min(given.size(), inputs.size()); ++i)
    if (!optional.has(inputs, given[i].name)) given[i].name = inputs[i].name;
}

void addAgainst(CLI::App& app, std::string& against) {
  app.add_option("--against,--check", against,
                 "Compare with this: reference, unfused, onnxruntime, or a folder of "
                 "test_data_set_*")
      ->type_name("WHAT");
}

bool isWayToCompute(const std::string& against) {
  return against == "reference" || against == "unfused" || against == "onnxruntime";
}

Result<> checkFolder(const std::string& against) {
  std::error_code error;
  if (std::filesystem::is_directory(against, error)) return {};
  return failure(ErrorCode::NoSuchFile,
                 fmt::format("--against {}: is none of reference, unfused and onnxruntime, and "
                             "there is no such folder",
                             against));
}

Result<diagnose::Tolerance> folderTolerance(const std::filesystem::path& folder) {
  diagnose::Tolerance tolerance;
  std::ifstream file(folder / "tolerance.json");
  if (!file) return tolerance;
  const auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto read = [&](const char* key, double& value) {
    if (!json.contains(key)) return true;
    if (!json[key].is_number()) return false;
    value = json[key];
    return true;
  };
  if (!json.is_object() || !read("rtol", tolerance.rtol) || !read("atol", tolerance.atol))
    return failure(ErrorCode::BadValue,
                   (folder / "tolerance.json").string() + ": not an object of rtol and atol");
  return tolerance;
}

Result<Trial> makeTrial(const ModelOptions& model, const InputOptions& options,
                        const onnx::DataSet* set) {
  std::vector<NamedTensor> given;
  if (set) {
    given = set->inputs;
  } else {
    ENFOLD_TRY(given, readInputs(options, model));
  }
  ENFOLD_TRY(LoadOptions how, model.loadOptions());
  ENFOLD_TRY(const ModelSource source, model.source());
  ENFOLD_TRY(LoadedModel loaded, loadModelFor(source, given, std::move(how)));
  for (const std::string& text : loaded.notes) note("note: " + text);
  const OptionalInputs optional{std::move(loaded.inputDefaults), std::move(loaded.boundInputs)};
  const std::vector<TensorSpec> inputs = inputsOf(*loaded.graph);
  if (set) nameByPosition(given, inputs, optional);
  Trial trial;
  ENFOLD_TRY(trial.inputs, arrange(options, inputs, optional, given));
  for (size_t i = 0; i < trial.inputs.size(); ++i)
    if (const Value& input = *loaded.graph->inputs()[i]; trial.inputs[i].type() != input.type())
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' must be {}, not {}", input.name(), input.type().str(),
                                 trial.inputs[i].type().str()));
  if (set) {
    for (const NamedTensor& output : set->outputs) trial.expected.push_back(output.tensor);
    if (trial.expected.size() > loaded.graph->outputs().size())
      return usageError("more expected outputs than the model has");
    ENFOLD_TRY(trial.tolerance, folderTolerance(set->folder.parent_path()));
  }
  trial.graph = std::move(loaded.graph);
  return trial;
}

std::filesystem::path tensorPath(const std::filesystem::path& folder, std::string name) {
  std::ranges::replace(name, '/', '_');
  return folder / (name + ".npy");
}

} // namespace enfold::tool
