// From a file or bytes to a graph, and the checks of the model as a whole.
#include "onnx/Import.h"

#include "onnx/NodeProcedure.h"
#include "onnx/ParseModel.h"
#include "onnx/ParsedModel.h"
#include "onnx/ReadSignature.h"
#include "onnx/TensorCodec.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>
#include <google/protobuf/arena.h>

#include <functional>

namespace enfold::onnx {
namespace {

Result<> checkVersions(const pb::ModelProto& proto) {
  if (proto.ir_version() < kOldestIrVersion || proto.ir_version() > kNewestIrVersion)
    return failure(ErrorCode::UnsupportedOpset,
                   fmt::format("it has IR version {}; {} to {} can be read", proto.ir_version(),
                               kOldestIrVersion, kNewestIrVersion));
  const auto check = [&](const auto& imports) -> Result<> {
    for (const auto& import : imports) {
      if (!canonicalDomain(import.domain()).empty()) continue;
      if (import.version() < kOldestOpset || import.version() > kNewestOpset)
        return failure(ErrorCode::UnsupportedOpset,
                       fmt::format("it uses opset {} of ai.onnx; {} to {} can be read",
                                   import.version(), kOldestOpset, kNewestOpset));
    }
    return {};
  };
  ENFOLD_RETURN_IF_ERROR(check(proto.opset_import()));
  for (const auto& function : proto.functions())
    ENFOLD_RETURN_IF_ERROR(check(function.opset_import()));
  std::map<std::string, int64_t> opsets;
  for (const auto& import : proto.opset_import()) {
    const auto [it, added] = opsets.emplace(canonicalDomain(import.domain()), import.version());
    if (!added && it->second != import.version())
      return invalid(fmt::format("it declares two opsets, {} and {}, of the domain '{}'",
                                 it->second, import.version(), import.domain()));
  }
  const auto usesOnnx = [](const pb::NodeProto& node) {
    return canonicalDomain(node.domain()).empty();
  };
  if (!opsets.contains("") && std::ranges::any_of(proto.graph().node(), usesOnnx))
    return invalid("it does not declare the opset of ai.onnx that its nodes use");
  return {};
}

/// Every value that a run would hold must be within the limit for a tensor.
Result<> checkSizes(const Graph& graph, int64_t limit) {
  std::vector<Diag> problems;
  const auto check = [&](const Value* value, std::string what) {
    if (value->type().numBytes() > limit)
      problems.push_back({fmt::format("its {} bytes are over the limit of {} for a tensor",
                                      value->type().numBytes(), limit),
                          fmt::format("{} '{}'", what, value->name()), ErrorCode::OverLimit});
  };
  for (const auto& input : graph.inputs()) check(input.get(), "input");
  for (const auto& op : graph.ops())
    for (size_t i = 0; i < op->numResults(); ++i) check(op->result(i), op->info().name);
  if (problems.empty()) return {};
  return std::unexpected(Error(ErrorKind::Unsupported, std::move(problems)));
}

using Tensors = std::unordered_map<std::string, Tensor>;

/// What was read before, of a model that is imported again.
struct Known {
  Tensors tensors;
  std::optional<Signature> signature;
};

/// Imports once. Inputs whose default or sample a shape turned out to depend on are put into
/// `deciding`: then the result is of no use, and the import has to be done with those bound.
Result<ImportedModel> importOnce(pb::ModelProto& proto, const ImportOptions& options,
                                 const std::filesystem::path& folder, const Known& known,
                                 std::map<std::string, Tensor>& deciding) {
  ImportedModel model;
  ENFOLD_RETURN_IF_ERROR(checkVersions(proto));
  model.signature = known.signature ? *known.signature : readSignature(proto);
  if (options.wanted && !options.wanted(model.signature)) return model;
  model.graph =
      std::make_unique<Graph>(proto.graph().name().empty() ? "main" : proto.graph().name());
  const Functions functions(proto);
  ExternalData external(folder);
  std::shared_ptr<const ModelContext> context;
  if (options.cut) context = std::make_shared<const ModelContext>(proto, options.limits, folder);
  GraphImporter importer(model, options, functions, external,
                         options.cut ? GraphImporter::Mode::Cut : GraphImporter::Mode::Whole,
                         context);
  importer.useTensors(known.tensors);
  importer.import(*proto.mutable_graph());
  deciding = importer.decidingValues();
  if (!importer.problems().empty()) return std::unexpected(std::move(importer.problems()).take());
  ENFOLD_RETURN_IF_ERROR(checkSizes(*model.graph, options.limits.tensorBytes));
  model.dataFiles = external.files();
  return model;
}

/// Names the file where a problem has no node.
template <typename T> Result<T> of(const std::filesystem::path& file, Result<T> result) {
  if (!result && !file.empty())
    for (Diag& diag : result.error().diags)
      if (diag.node.empty()) diag.node = fmt::format("'{}'", file.string());
  return result;
}

std::filesystem::path folderOf(const std::filesystem::path& file) {
  const auto folder = file.parent_path();
  return folder.empty() ? "." : folder;
}

/// Gives a model that may be changed, a new one with each call.
using Parse = std::function<Result<pb::ModelProto*>()>;

Result<ImportedModel> import(const Parse& parse, ImportOptions options,
                             const std::filesystem::path& folder, const Known& known = {}) {
  std::vector<std::string> notes;
  for (;;) {
    ENFOLD_TRY(pb::ModelProto * proto, parse());
    std::map<std::string, Tensor> deciding;
    auto model = importOnce(*proto, options, folder, known, deciding);
    if (deciding.empty()) {
      if (model) model->notes.insert(model->notes.end(), notes.begin(), notes.end());
      return model;
    }
    for (auto& [name, tensor] : deciding) {
      notes.push_back(
          fmt::format("input '{}' decides shapes: the model is compiled for its value, {}", name,
                      tensor.numElements() <= 8 ? str(tensor.toInts()) : tensor.type().str()));
      options.values.emplace(name, std::move(tensor));
    }
  }
}

} // namespace

Result<ImportedModel> importModel(const std::filesystem::path& file, const ImportOptions& options) {
  ENFOLD_TRY(const RegularFile opened, RegularFile::open(file));
  pb::ModelProto proto;
  const auto parse = [&]() -> Result<pb::ModelProto*> {
    ENFOLD_RETURN_IF_ERROR(parseModel(opened, options.limits, proto));
    return &proto;
  };
  return of(file, import(parse, options, folderOf(file)));
}

Result<ImportedModel> importModel(std::span<const std::byte> bytes, const ImportOptions& options,
                                  const std::filesystem::path& folder) {
  pb::ModelProto proto;
  const auto parse = [&]() -> Result<pb::ModelProto*> {
    ENFOLD_RETURN_IF_ERROR(parseModel(bytes, options.limits, proto));
    return &proto;
  };
  return import(parse, options, folder);
}

struct ParsedModel::Impl {
  pb::ModelProto proto; ///< without the bytes of known tensors
  Known known;
  std::filesystem::path file; ///< empty: the model came from memory
  std::filesystem::path folder;

  void take(pb::TensorProto& tensor, const std::string& name, const ImportLimits& limits) {
    ExternalData none({});
    auto decoded = decodeTensor(tensor, none, limits);
    if (!decoded) return; // what is wrong stays as it is
    known.tensors.emplace(name, *std::move(decoded));
    forgetNumbers(tensor);
  }

  /// The signature, initializers and what constant nodes hold.
  void read(const ImportLimits& limits) {
    if (checkVersions(proto)) known.signature = readSignature(proto);
    for (pb::TensorProto& tensor : *proto.mutable_graph()->mutable_initializer())
      take(tensor, tensor.name(), limits);
    for (pb::NodeProto& node : *proto.mutable_graph()->mutable_node())
      if (holdsTensor(node)) take(*node.mutable_attribute(0)->mutable_t(), node.output(0), limits);
  }
};

ParsedModel::ParsedModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ParsedModel::~ParsedModel() = default;

Result<std::shared_ptr<const ParsedModel>> ParsedModel::open(const std::filesystem::path& file,
                                                             const ImportLimits& limits) {
  ENFOLD_TRY(const RegularFile opened, RegularFile::open(file));
  auto impl = std::make_unique<Impl>();
  impl->file = file;
  impl->folder = folderOf(file);
  if (auto parsed = of(file, parseModel(opened, limits, impl->proto)); !parsed)
    return std::unexpected(std::move(parsed).error());
  impl->read(limits);
  return std::shared_ptr<const ParsedModel>(new ParsedModel(std::move(impl)));
}

Result<std::shared_ptr<const ParsedModel>> ParsedModel::open(std::span<const std::byte> bytes,
                                                             const ImportLimits& limits,
                                                             const std::filesystem::path& folder) {
  auto impl = std::make_unique<Impl>();
  impl->folder = folder;
  ENFOLD_RETURN_IF_ERROR(parseModel(bytes, limits, impl->proto));
  impl->read(limits);
  return std::shared_ptr<const ParsedModel>(new ParsedModel(std::move(impl)));
}

Result<ImportedModel> ParsedModel::import(const ImportOptions& options) const {
  google::protobuf::Arena arena;
  const auto copy = [&]() -> Result<pb::ModelProto*> {
    auto* proto = google::protobuf::Arena::CreateMessage<pb::ModelProto>(&arena);
    *proto = impl_->proto;
    return proto;
  };
  return of(impl_->file, enfold::onnx::import(copy, options, impl_->folder, impl_->known));
}

} // namespace enfold::onnx
