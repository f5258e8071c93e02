// From a file or bytes to a parsed model, and the checks of the model as a whole.
#include "onnx/Import.h"

#include "onnx/GraphImporter.h"
#include "onnx/RegularFile.h"
#include "support/Memory.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <functional>
#include <unistd.h>

namespace enfold::onnx {
namespace {

namespace io = google::protobuf::io;

Result<> parse(io::ZeroCopyInputStream& stream, pb::ModelProto& model) {
  io::CodedInputStream input(&stream);
  if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage())
    return invalid("it is not an ONNX model: its protobuf encoding is broken or cut short");
  return {};
}

Result<> checkVersions(const pb::ModelProto& proto, ImportedModel& model) {
  if (!proto.has_graph()) return invalid("it is not an ONNX model: it has no graph");
  model.irVersion = proto.ir_version();
  if (model.irVersion < kOldestIrVersion || model.irVersion > kNewestIrVersion)
    return unsupported(fmt::format("it has IR version {}; {} to {} can be read", model.irVersion,
                                   kOldestIrVersion, kNewestIrVersion));
  const auto check = [&](const auto& imports) -> Result<> {
    for (const auto& import : imports) {
      if (!canonicalDomain(import.domain()).empty()) continue;
      if (import.version() < kOldestOpset || import.version() > kNewestOpset)
        return unsupported(fmt::format("it uses opset {} of ai.onnx; {} to {} can be read",
                                       import.version(), kOldestOpset, kNewestOpset));
    }
    return {};
  };
  ENFOLD_RETURN_IF_ERROR(check(proto.opset_import()));
  for (const auto& function : proto.functions())
    ENFOLD_RETURN_IF_ERROR(check(function.opset_import()));
  for (const auto& import : proto.opset_import()) {
    const auto [it, added] =
        model.opsets.emplace(canonicalDomain(import.domain()), import.version());
    if (!added && it->second != import.version())
      return invalid(fmt::format("it declares two opsets, {} and {}, of the domain '{}'",
                                 it->second, import.version(), import.domain()));
  }
  const auto usesOnnx = [](const pb::NodeProto& node) {
    return canonicalDomain(node.domain()).empty();
  };
  if (!model.opsets.contains("") && std::ranges::any_of(proto.graph().node(), usesOnnx))
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
                          fmt::format("{} '{}'", what, value->name())});
  };
  for (const auto& input : graph.inputs()) check(input.get(), "input");
  for (const auto& op : graph.ops())
    for (size_t i = 0; i < op->numResults(); ++i) check(op->result(i), op->info().name);
  if (problems.empty()) return {};
  return std::unexpected(Error(ErrorKind::Unsupported, std::move(problems)));
}

/// Imports once. Inputs whose default or sample a shape turned out to depend on are put into
/// `deciding`: then the result is of no use, and the import has to be done with those bound.
Result<ImportedModel> importOnce(pb::ModelProto& proto, const ImportOptions& options,
                                 const std::filesystem::path& folder,
                                 std::map<std::string, Tensor>& deciding) {
  ImportedModel model;
  ENFOLD_RETURN_IF_ERROR(checkVersions(proto, model));
  model.producer = proto.producer_name();
  if (!proto.producer_version().empty()) model.producer += " " + proto.producer_version();
  model.graph =
      std::make_unique<Graph>(proto.graph().name().empty() ? "main" : proto.graph().name());
  const Functions functions(proto);
  ExternalData external(folder);
  GraphImporter importer(model, options, functions, external);
  importer.import(*proto.mutable_graph());
  deciding = importer.decidingValues();
  if (!importer.problems().empty()) return std::unexpected(std::move(importer.problems()).take());
  ENFOLD_RETURN_IF_ERROR(checkSizes(*model.graph, options.limits.tensorBytes));
  model.dataFiles = external.files();
  return model;
}

using Parse = std::function<Result<>(pb::ModelProto&)>;

Result<ImportedModel> import(const Parse& parse, ImportOptions options,
                             const std::filesystem::path& folder) {
  std::vector<std::string> notes;
  for (;;) {
    pb::ModelProto proto;
    ENFOLD_RETURN_IF_ERROR(parse(proto));
    std::map<std::string, Tensor> deciding;
    auto model = importOnce(proto, options, folder, deciding);
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
  const auto parseFile = [&](pb::ModelProto& proto) -> Result<> {
    if (opened.size() > options.limits.fileBytes)
      return unsupported(fmt::format("its {} bytes are over the limit of {}", opened.size(),
                                     options.limits.fileBytes));
    lseek(opened.descriptor(), 0, SEEK_SET);
    return catchNoMemory(fmt::format("reading its {} bytes", opened.size()), [&] {
      io::FileInputStream stream(opened.descriptor());
      return parse(stream, proto);
    });
  };
  const auto folder = file.parent_path();
  auto model = import(parseFile, options, folder.empty() ? "." : folder);
  if (!model)
    for (Diag& diag : model.error().diags)
      if (diag.node.empty()) diag.node = fmt::format("'{}'", file.string());
  return model;
}

Result<ImportedModel> importModel(std::span<const std::byte> bytes, const ImportOptions& options,
                                  const std::filesystem::path& folder) {
  const auto limit = std::min<int64_t>(options.limits.fileBytes, ImportLimits{}.fileBytes);
  if (static_cast<int64_t>(bytes.size()) > limit)
    return unsupported(
        fmt::format("the model's {} bytes are over the limit of {}", bytes.size(), limit));
  const auto parseBytes = [&](pb::ModelProto& proto) {
    io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
    return parse(stream, proto);
  };
  return import(parseBytes, options, folder);
}

} // namespace enfold::onnx
