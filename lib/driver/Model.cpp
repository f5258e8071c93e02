// Loading models.
#include "driver/Model.h"

#include "ir/Parser.h"
#include "ir/Verifier.h"
#include "support/Memory.h"
#include "zoo/Zoo.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace enfold {
namespace {

Result<LoadedModel> loadOnnx(const std::filesystem::path& path, const LoadOptions& options) {
  onnx::ImportOptions import;
  import.shapes = options.shapes;
  import.samples = options.samples;
  import.dims = options.dims;
  import.values = options.values;
  if (options.freezeInitializers) import.initializers = onnx::ImportOptions::Initializers::Frozen;
  import.overridden = options.overridden;
  import.limits = options.limits;
  ENFOLD_TRY(onnx::ImportedModel imported, onnx::importModel(path, import));
  if (verifiesAlways()) ENFOLD_RETURN_IF_ERROR(verify(*imported.graph, Stage::Imported));
  return LoadedModel{path.stem().string(),
                     std::move(imported.graph),
                     std::move(imported.inputDefaults),
                     std::move(imported.boundInputs),
                     std::move(imported.notes),
                     std::move(imported.dataFiles)};
}

Result<LoadedModel> loadText(const std::filesystem::path& path, const LoadOptions& options) {
  const onnx::ImportLimits& limits = options.limits;
  std::error_code error;
  if (const auto bytes = std::filesystem::file_size(path, error);
      !error && bytes > static_cast<uintmax_t>(limits.fileBytes))
    return unsupported(fmt::format("{}: its {} bytes are over the limit of {}", path.string(),
                                   bytes, limits.fileBytes));
  ENFOLD_TRY(auto graph, parseGraphFile(path, {.allowElided = options.allowElided}));
  if (graph->numOps() > static_cast<size_t>(limits.nodes))
    return unsupported(
        fmt::format("{}: the graph has more than {} ops", path.string(), limits.nodes));
  ENFOLD_RETURN_IF_ERROR(verify(*graph));
  return LoadedModel{path.stem().string(), std::move(graph), {}, {}, {}, {}};
}

/// A network of the zoo, at the size given for its input.
Result<LoadedModel> loadZoo(const std::string& name, const LoadOptions& options) {
  std::optional<Shape> input;
  for (const auto& [wanted, shape] : options.shapes) {
    if (wanted != "input")
      return usageError("networks of the zoo have no input or open dimension '" + wanted + "'");
    input = shape;
  }
  ENFOLD_TRY(auto graph, zoo::build(name, input));
  return LoadedModel{name, std::move(graph), {}, {}, {}, {}};
}

Result<LoadedModel> load(const std::string& model, const LoadOptions& options) {
  if (model.starts_with("zoo:")) return loadZoo(model.substr(4), options);
  const std::filesystem::path path = model;
  std::error_code error;
  if (!std::filesystem::exists(path, error))
    return usageError(model + ": no such file (zoo networks are written zoo:NAME)");
  if (path.extension() != ".eir") return loadOnnx(path, options);
  return loadText(path, options);
}

} // namespace

Result<LoadedModel> loadModel(const std::string& model, const LoadOptions& options) {
  return catchNoMemory("loading " + model, [&] { return load(model, options); });
}

Result<LoadedModel> loadModelFor(const std::string& model, std::span<const NamedTensor> inputs,
                                 LoadOptions options) {
  if (!options.freezeInitializers) {
    LoadOptions frozen = options;
    frozen.freezeInitializers = true;
    for (const auto& [name, tensor] : inputs) frozen.overridden.insert(name);
    auto loaded = loadModelFor(model, inputs, std::move(frozen));
    // Nameless tensors that are more than the other inputs may be meant for those with a default.
    const bool allNamed = std::ranges::find(inputs, "", &NamedTensor::name) == inputs.end();
    if (!loaded || allNamed || inputs.size() <= loaded->graph->inputs().size()) return loaded;
  }
  options.samples.assign(inputs.begin(), inputs.end());
  return loadModel(model, options);
}

} // namespace enfold
