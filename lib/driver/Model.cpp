// Loading models.
#include "driver/Model.h"

#include "driver/ZooFile.h"
#include "ir/Parser.h"
#include "ir/Verifier.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>

namespace enfold {
namespace {

std::span<const std::byte> bytesOf(const ModelSource& source) {
  return std::as_bytes(std::span(*source.bytes));
}

/// A graph declares what it takes and gives, with all sizes known.
onnx::Signature signatureOf(const Graph& graph) {
  onnx::Signature signature;
  signature.graphName = graph.name();
  for (const auto& input : graph.inputs())
    signature.inputs.push_back(declare(input->name(), input->type()));
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    signature.outputs.push_back(declare(graph.outputNames()[i], graph.outputs()[i]->type()));
  return signature;
}

LoadedModel loaded(std::string name, std::unique_ptr<Graph> graph) {
  LoadedModel model{.name = std::move(name), .graph = std::move(graph)};
  model.signature = signatureOf(*model.graph);
  return model;
}

Result<LoadedModel> loadOnnx(const ModelSource& source, const LoadOptions& options) {
  onnx::ImportOptions import;
  import.shapes = options.shapes;
  import.samples = options.samples;
  import.dims = options.dims;
  import.values = options.values;
  import.replacements = options.replacements;
  if (options.freezeInitializers) import.initializers = onnx::ImportOptions::Initializers::Frozen;
  import.overridden = options.overridden;
  if (options.onlyClosed)
    import.wanted = [&](const onnx::Signature& signature) { return !isOpen(signature, options); };
  import.cut = options.cut;
  import.limits = options.limits;
  ENFOLD_TRY(onnx::ImportedModel imported,
             source.parsed  ? source.parsed->import(import)
             : source.bytes ? onnx::importModel(bytesOf(source), import, source.folder)
                            : onnx::importModel(std::filesystem::path(source.name), import));
  if (imported.graph && verifiesAlways())
    ENFOLD_RETURN_IF_ERROR(verify(*imported.graph, GraphStage::Imported));
  return LoadedModel{source.stem(),
                     std::move(imported.graph),
                     std::move(imported.inputDefaults),
                     std::move(imported.boundInputs),
                     std::move(imported.notes),
                     std::move(imported.dataFiles),
                     std::move(imported.remainder),
                     std::move(imported.signature)};
}

Result<LoadedModel> loadText(const std::filesystem::path& path, const LoadOptions& options) {
  const onnx::ImportLimits& limits = options.limits;
  std::error_code error;
  if (const auto bytes = std::filesystem::file_size(path, error);
      !error && bytes > static_cast<uintmax_t>(limits.fileBytes))
    return failure(ErrorCode::OverLimit, fmt::format("{}: its {} bytes are over the limit of {}",
                                                     path.string(), bytes, limits.fileBytes));
  ENFOLD_TRY(auto graph, parseGraphFile(path, {.allowElided = options.allowElided}));
  if (graph->numOps() > static_cast<size_t>(limits.nodes))
    return failure(ErrorCode::OverLimit,
                   fmt::format("{}: the graph has more than {} ops", path.string(), limits.nodes));
  ENFOLD_RETURN_IF_ERROR(verify(*graph));
  return loaded(path.stem().string(), std::move(graph));
}

std::string_view zooName(const ModelSource& model) {
  return std::string_view(model.name).substr(4);
}

/// A network of the zoo of any size, as the file that it is written to; of others nothing.
Result<std::optional<ModelSource>> openZoo(const ModelSource& model) {
  if (!model.isZoo()) return std::nullopt;
  ENFOLD_TRY(const zoo::Entry* entry, zoo::find(zooName(model)));
  if (!entry->isOpen()) return std::nullopt;
  ENFOLD_TRY(std::string bytes, encodeZoo(*entry));
  ModelSource file = ModelSource::inMemory(std::move(bytes));
  file.name = model.stem();
  return file;
}

/// The same at the sizes that are stated; at its own where none are.
Result<LoadedModel> loadOpenZoo(const ModelSource& file, const zoo::Entry& entry,
                                LoadOptions options) {
  if (options.samples.empty() && !options.onlyClosed && !options.shapes.contains("input")) {
    Shape& shape = options.shapes["input"] = entry.input;
    for (size_t axis = 0; axis < shape.size(); ++axis)
      if (const auto size = options.dims.find(entry.inputSymbols[axis]); size != options.dims.end())
        shape[axis] = size->second;
  }
  return loadOnnx(file, options);
}

/// A network of the zoo, at the size given for its input.
Result<LoadedModel> loadZoo(const ModelSource& model, const LoadOptions& options) {
  const std::string name(zooName(model));
  ENFOLD_TRY(const zoo::Entry* entry, zoo::find(name));
  if (model.parsed) return loadOpenZoo(model, *entry, options);
  ENFOLD_TRY(const std::optional<ModelSource> file, openZoo(model));
  if (file) return loadOpenZoo(*file, *entry, options);
  std::optional<Shape> input;
  for (const auto& [wanted, shape] : options.shapes) {
    if (wanted != "input")
      return failure(ErrorCode::UnknownInput,
                     "networks of the zoo have no input or open dimension '" + wanted + "'");
    input = shape;
  }
  ENFOLD_TRY(auto graph, zoo::build(name, input));
  return loaded(name, std::move(graph));
}

Result<LoadedModel> load(const ModelSource& model, const LoadOptions& options) {
  if (!options.ranges.empty() && options.samples.empty() && !options.onlyClosed)
    return failure(ErrorCode::OpenShape,
                   fmt::format("'{}' has a range of sizes: a program for one needs a size",
                               options.ranges.begin()->first));
  if (model.isZoo()) return loadZoo(model, options);
  std::error_code error;
  if (!model.bytes && !std::filesystem::exists(model.name, error))
    return failure(ErrorCode::NoSuchFile,
                   model.name + ": no such file (zoo networks are written zoo:NAME)");
  if (!model.bytes)
    if (const auto bytes = std::filesystem::file_size(model.name, error); !error)
      ENFOLD_RETURN_IF_ERROR(checkModelBytes(static_cast<int64_t>(bytes), options.memory));
  return model.isText() ? loadText(model.name, options) : loadOnnx(model, options);
}

} // namespace

std::string ModelSource::stem() const {
  return isZoo() ? name.substr(4) : std::filesystem::path(name).stem().string();
}

Result<> ModelSource::readAhead(const onnx::ImportLimits& limits) {
  if (isText()) return {};
  ENFOLD_TRY(const std::optional<ModelSource> file, openZoo(*this));
  if (isZoo() && !file) return {};
  ENFOLD_TRY(parsed, file    ? onnx::ParsedModel::open(bytesOf(*file), limits, {})
                     : bytes ? onnx::ParsedModel::open(bytesOf(*this), limits, folder)
                             : onnx::ParsedModel::open(std::filesystem::path(name), limits));
  return {};
}

namespace {

/// "224", or "32..640".
std::optional<SizeRange> readSizes(std::string_view text) {
  const auto number = [](std::string_view digits) -> std::optional<int64_t> {
    int64_t size = 0;
    const char* end = digits.data() + digits.size();
    const auto [read, error] = std::from_chars(digits.data(), end, size);
    return error == std::errc() && read == end && size >= 0 ? std::optional(size) : std::nullopt;
  };
  const size_t dots = text.find("..");
  const auto least = number(text.substr(0, dots));
  const auto most = dots == text.npos ? least : number(text.substr(dots + 2));
  if (!least || !most || *least > *most) return std::nullopt;
  return SizeRange{*least, *most};
}

Result<> checkRange(const SizeRange& range, const std::string& input, const Tensor& tensor,
                    size_t axis) {
  const int64_t size = tensor.shape()[axis];
  if (size >= range.least && size <= range.most) return {};
  return failure(ErrorCode::WrongInput,
                 fmt::format("dimension {} of input '{}' is {}, not within {}..{}", axis, input,
                             size, range.least, range.most));
}

/// An error naming the first dimension that is not within its range, or the first range that is of
/// nothing.
Result<> checkRanges(const onnx::Signature& signature, std::span<const NamedTensor> inputs,
                     const std::map<std::string, std::vector<SizeRange>>& ranges) {
  for (const auto& [wanted, sizes] : ranges) {
    bool isKnown = false;
    for (size_t i = 0; i < signature.inputs.size(); ++i) {
      const auto& [name, type] = signature.inputs[i];
      const Tensor* given = nullptr;
      for (size_t k = 0; k < inputs.size(); ++k)
        if (inputs[k].name.empty() ? k == i : inputs[k].name == name) given = &inputs[k].tensor;
      if (name == wanted) {
        isKnown = true;
        if (!given) continue;
        if (static_cast<size_t>(given->rank()) != sizes.size())
          return failure(ErrorCode::WrongInput,
                         fmt::format("input '{}' has {} dimensions, its ranges have {}", name,
                                     given->rank(), sizes.size()));
        for (size_t axis = 0; axis < sizes.size(); ++axis)
          ENFOLD_RETURN_IF_ERROR(checkRange(sizes[axis], name, *given, axis));
      }
      for (size_t axis = 0; type.dims && axis < type.dims->size(); ++axis) {
        if (sizes.size() != 1 || (*type.dims)[axis].symbol != wanted) continue;
        isKnown = true;
        if (given && axis < given->shape().size())
          ENFOLD_RETURN_IF_ERROR(checkRange(sizes[0], name, *given, axis));
      }
    }
    if (!isKnown)
      return failure(ErrorCode::UnknownInput,
                     fmt::format("the model has no input or open dimension '{}'", wanted));
  }
  return {};
}

} // namespace

Result<> addShape(LoadOptions& load, std::string_view text) {
  const auto wrong = [&](const std::string& why = "") {
    return failure(ErrorCode::BadValue,
                   fmt::format("'{}' is not like NAME=1x3x224x224{}", text, why));
  };
  const size_t split = text.contains('=') ? text.rfind('=') : text.rfind(':');
  if (split == text.npos || split == 0) return wrong();
  const std::string name(text.substr(0, split));
  std::string_view sizes = text.substr(split + 1);
  const bool isList = sizes.starts_with('[') && sizes.ends_with(']');
  if (isList) sizes = sizes.substr(1, sizes.size() - 2);
  std::vector<SizeRange> ranges;
  for (size_t begin = 0; begin <= sizes.size() && !(isList && sizes.empty());) {
    const size_t end = std::min(sizes.find(isList ? ',' : 'x', begin), sizes.size());
    if (isList) begin = std::min(sizes.find_first_not_of(' ', begin), end);
    const auto range = readSizes(sizes.substr(begin, end - begin));
    if (!range) return wrong(fmt::format(": '{}' is no size", sizes.substr(begin, end - begin)));
    ranges.push_back(*range);
    begin = end + 1;
  }
  const auto isOpen = [](const SizeRange& range) { return range.least < range.most; };
  if (std::ranges::any_of(ranges, isOpen)) {
    load.ranges[name] = std::move(ranges);
    return {};
  }
  Shape shape;
  for (const SizeRange& range : ranges) shape.push_back(range.least);
  if (shape.size() == 1) load.dims[name] = shape[0];
  load.shapes[name] = std::move(shape);
  return {};
}

onnx::DeclaredTensor declare(std::string name, const Type& type) {
  onnx::DeclaredTensor tensor{std::move(name), {type.elem, std::vector<onnx::DeclaredType::Dim>()}};
  for (const int64_t size : type.shape) tensor.type.dims->push_back({size, ""});
  return tensor;
}

bool isOpen(const onnx::DeclaredTensor& input, const LoadOptions& options) {
  if (options.shapes.contains(input.name) || options.values.contains(input.name)) return false;
  if (input.type.elem == ElemType::Undefined) return false; // no tensor: the import says so
  return !input.type.isTensor() || !input.type.dims ||
         std::ranges::any_of(*input.type.dims, [&](const onnx::DeclaredType::Dim& dim) {
           return !dim.size && !options.dims.contains(dim.symbol);
         });
}

bool isOpen(const onnx::Signature& signature, const LoadOptions& options) {
  return std::ranges::any_of(signature.inputs,
                             [&](const auto& input) { return isOpen(input, options); });
}

ModelSource ModelSource::inMemory(std::string bytes, std::filesystem::path folder) {
  ModelSource source("model");
  source.bytes = std::make_shared<const std::string>(std::move(bytes));
  source.folder = std::move(folder);
  return source;
}

Result<LoadedModel> loadModel(const ModelSource& model, const LoadOptions& options) {
  return catchNoMemory("loading " + model.name, [&] { return load(model, options); });
}

Result<onnx::Signature> loadSignature(const ModelSource& model, const LoadOptions& options) {
  if (model.bytes) return onnx::readSignature(bytesOf(model), options.limits);
  ENFOLD_TRY(const std::optional<ModelSource> file, openZoo(model));
  if (file) return onnx::readSignature(bytesOf(*file), options.limits);
  std::error_code error;
  if (!model.isZoo() && !model.isText() && std::filesystem::exists(model.name, error))
    return onnx::readSignature(std::filesystem::path(model.name), options.limits);
  ENFOLD_TRY(LoadedModel loaded, loadModel(model, options));
  return std::move(loaded.signature);
}

Result<LoadedModel> loadModelFor(const ModelSource& model, std::span<const NamedTensor> inputs,
                                 LoadOptions options) {
  if (!options.freezeInitializers) {
    LoadOptions frozen = options;
    frozen.freezeInitializers = true;
    for (const auto& [name, tensor] : inputs) frozen.overridden.insert(name);
    auto loaded = loadModelFor(model, inputs, std::move(frozen));
    // Nameless tensors that are more than the other inputs may be meant for those with a default.
    const bool allNamed = std::ranges::find(inputs, "", &NamedTensor::name) == inputs.end();
    if (!loaded || allNamed) return loaded;
    const onnx::Remainder& remainder = loaded->remainder;
    if (inputs.size() <=
        (remainder.rest ? remainder.inputs.size() : loaded->graph->inputs().size()))
      return loaded;
  }
  options.samples.assign(inputs.begin(), inputs.end());
  ENFOLD_TRY(LoadedModel loaded, loadModel(model, options));
  ENFOLD_RETURN_IF_ERROR(checkRanges(loaded.signature, inputs, options.ranges));
  return loaded;
}

namespace {

/// What `load` gives with these options; where data decide, with the model cut.
Result<LoadedModel> loadOrCut(LoadOptions options,
                              const std::function<Result<LoadedModel>(const LoadOptions&)>& load) {
  auto loaded = load(options);
  if (!loaded && loaded.error().kind == ErrorKind::DataDependent && !options.cut) {
    options.cut = true;
    loaded = load(options);
  }
  if (!loaded) return loaded;
  for (const auto& [node, reason] : loaded->remainder.decided)
    loaded->notes.push_back(
        fmt::format("{}: {}; it runs in a stage of its own with what is behind it", node, reason));
  return loaded;
}

} // namespace

Result<LoadedModel> loadStaged(const ModelSource& model, const LoadOptions& options) {
  return loadOrCut(options, [&](const LoadOptions& how) { return loadModel(model, how); });
}

Result<LoadedModel> loadStaged(const ModelSource& model, std::span<const NamedTensor> inputs,
                               const LoadOptions& options) {
  return loadOrCut(options,
                   [&](const LoadOptions& how) { return loadModelFor(model, inputs, how); });
}

} // namespace enfold
