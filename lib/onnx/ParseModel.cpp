// Parsing models within the limits for files.
#include "onnx/ParseModel.h"

#include "support/ErrorCodes.h"
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
    return failure(ErrorCode::NotOnnx, "it is not an ONNX model: its protobuf encoding is broken");
  if (!model.has_graph())
    return failure(ErrorCode::NotOnnx, "it is not an ONNX model: it has no graph");
  return {};
}

/// Whether the bytes, which are no model, begin with whole fields of one and end within another.
bool isCutShort(io::ZeroCopyInputStream& stream, int64_t size) {
  enum { Varint, LengthDelimited = 2 };
  io::CodedInputStream input(&stream);
  for (bool hasWhole = false;; hasWhole = true) {
    const uint32_t tag = input.ReadTag(), wire = tag & 7;
    if (!pb::ModelProto::descriptor()->FindFieldByNumber(static_cast<int>(tag >> 3))) return false;
    if (wire != Varint && wire != LengthDelimited) return false;
    uint64_t value = 0;
    if (!input.ReadVarint64(&value)) return hasWhole;
    if (wire == Varint) continue;
    if (value > static_cast<uint64_t>(size - input.CurrentPosition())) return hasWhole;
    if (!input.Skip(static_cast<int>(value))) return false;
  }
}

/// What parse() says of the stream that `open` opens.
template <typename Open> Result<> parseFrom(Open&& open, int64_t size, pb::ModelProto& model) {
  auto stream = open();
  auto parsed = parse(stream, model);
  if (parsed) return parsed;
  if (auto again = open(); isCutShort(again, size))
    return failure(ErrorCode::TruncatedFile,
                   fmt::format("it is not an ONNX model: it is cut short after {} bytes", size));
  return parsed;
}

} // namespace

Result<> parseModel(const RegularFile& file, const ImportLimits& limits, pb::ModelProto& model) {
  if (file.size() > limits.fileBytes)
    return failure(ErrorCode::OverLimit, fmt::format("its {} bytes are over the limit of {}",
                                                     file.size(), limits.fileBytes));
  return catchNoMemory(fmt::format("reading its {} bytes", file.size()), [&] {
    const auto open = [&] {
      lseek(file.descriptor(), 0, SEEK_SET);
      return io::FileInputStream(file.descriptor());
    };
    return parseFrom(open, file.size(), model);
  });
}

Result<> parseModel(std::span<const std::byte> bytes, const ImportLimits& limits,
                    pb::ModelProto& model) {
  const auto limit = std::min<int64_t>(limits.fileBytes, ImportLimits{}.fileBytes);
  if (static_cast<int64_t>(bytes.size()) > limit)
    return failure(
        ErrorCode::OverLimit,
        fmt::format("the model's {} bytes are over the limit of {}", bytes.size(), limit));
  return catchNoMemory(fmt::format("reading the model's {} bytes", bytes.size()), [&] {
    const auto size = static_cast<int>(bytes.size());
    return parseFrom([&] { return io::ArrayInputStream(bytes.data(), size); }, size, model);
  });
}

} // namespace enfold::onnx
