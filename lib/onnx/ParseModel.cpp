// Parsing models within the limits for files.
#include "onnx/ParseModel.h"

#include "support/Memory.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <unistd.h>

namespace enfold::onnx {
namespace {

namespace io = google::protobuf::io;

Result<> parse(io::ZeroCopyInputStream& stream, pb::ModelProto& model) {
  io::CodedInputStream input(&stream);
  if (!model.ParseFromCodedStream(&input) || !input.ConsumedEntireMessage())
    return invalid("it is not an ONNX model: its protobuf encoding is broken or cut short");
  if (!model.has_graph()) return invalid("it is not an ONNX model: it has no graph");
  return {};
}

} // namespace

Result<> parseModel(const RegularFile& file, const ImportLimits& limits, pb::ModelProto& model) {
  if (file.size() > limits.fileBytes)
    return unsupported(
        fmt::format("its {} bytes are over the limit of {}", file.size(), limits.fileBytes));
  lseek(file.descriptor(), 0, SEEK_SET);
  return catchNoMemory(fmt::format("reading its {} bytes", file.size()), [&] {
    io::FileInputStream stream(file.descriptor());
    return parse(stream, model);
  });
}

Result<> parseModel(std::span<const std::byte> bytes, const ImportLimits& limits,
                    pb::ModelProto& model) {
  const auto limit = std::min<int64_t>(limits.fileBytes, ImportLimits{}.fileBytes);
  if (static_cast<int64_t>(bytes.size()) > limit)
    return unsupported(
        fmt::format("the model's {} bytes are over the limit of {}", bytes.size(), limit));
  return catchNoMemory(fmt::format("reading the model's {} bytes", bytes.size()), [&] {
    io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
    return parse(stream, model);
  });
}

} // namespace enfold::onnx
