// Placing tensors in the data file.
#include "onnx/ExternalDataWriter.h"

#include "onnx/TensorCodec.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

/// Each tensor begins on a page, so that readers can map it by itself.
constexpr uint64_t kPage = 4096;
/// Smaller ones stay in the model.
constexpr size_t kMinBytes = 1024;

} // namespace

Result<ExternalDataWriter> ExternalDataWriter::create(const std::filesystem::path& model) {
  const std::filesystem::path path = model.string() + ".data";
  ENFOLD_TRY(NewFile file, NewFile::create(path));
  return ExternalDataWriter(std::move(file), path.filename().string());
}

bool ExternalDataWriter::takes(const Tensor& tensor) { return tensor.numBytes() >= kMinBytes; }

Result<> ExternalDataWriter::store(const Tensor& tensor, pb::TensorProto& proto) {
  const uint64_t offset = (size_ + kPage - 1) / kPage * kPage;
  const std::string bytes = encodeBytes(tensor);
  ENFOLD_RETURN_IF_ERROR(file_.append(std::string(offset - size_, '\0')));
  ENFOLD_RETURN_IF_ERROR(file_.append(bytes));
  size_ = offset + bytes.size();
  proto.set_data_location(pb::TensorProto_DataLocation_EXTERNAL);
  const auto state = [&](const char* key, std::string value) {
    auto& entry = *proto.add_external_data();
    entry.set_key(key);
    entry.set_value(std::move(value));
  };
  state("location", location_);
  state("offset", fmt::to_string(offset));
  state("length", fmt::to_string(bytes.size()));
  return {};
}

} // namespace enfold::onnx
