// From a graph to a file or bytes.
#include "onnx/Export.h"

#include "onnx/GraphExporter.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <cstring>
#include <limits>
#include <optional>

namespace enfold::onnx {
namespace {

int64_t bytesOfConstants(const Graph& graph, const ExportOptions& options) {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : options.inputDefaults)
    bytes += static_cast<int64_t>(tensor.numBytes());
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::Constant)
      bytes += static_cast<int64_t>(op->result()->type().numBytes());
  return bytes;
}

/// Fills `model`, unless it is too large for protobuf.
Result<> build(const Graph& graph, const ExportOptions& options, ExternalDataWriter* data,
               pb::ModelProto& model) {
  ENFOLD_RETURN_IF_ERROR(GraphExporter(graph, options, data, model).write());
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    return unsupported(fmt::format("the model's {} bytes are more than an ONNX file can hold",
                                   model.ByteSizeLong()));
  return {};
}

} // namespace

Result<> exportModel(const Graph& graph, const std::filesystem::path& path,
                     const ExportOptions& options) {
  std::optional<ExternalDataWriter> data;
  if (bytesOfConstants(graph, options) > options.inlineBytes) {
    ENFOLD_TRY(ExternalDataWriter created, ExternalDataWriter::create(path));
    data.emplace(std::move(created));
  }
  pb::ModelProto model;
  ENFOLD_RETURN_IF_ERROR(build(graph, options, data ? &*data : nullptr, model));
  ENFOLD_TRY(NewFile file, NewFile::create(path));
  {
    google::protobuf::io::FileOutputStream stream(file.descriptor());
    if (!model.SerializeToZeroCopyStream(&stream) || !stream.Flush())
      return failure(ErrorCode::CannotWrite, fmt::format("cannot write '{}': {}", path.string(),
                                                         std::strerror(stream.GetErrno())));
  }
  if (data) ENFOLD_RETURN_IF_ERROR(data->commit());
  return file.commit();
}

Result<std::string> encodeModel(const Graph& graph, const ExportOptions& options) {
  pb::ModelProto model;
  ENFOLD_RETURN_IF_ERROR(build(graph, options, nullptr, model));
  return model.SerializeAsString();
}

} // namespace enfold::onnx
