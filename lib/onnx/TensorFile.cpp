// Tensor files and test data folders.
#include "onnx/TensorFile.h"

#include "onnx/Npy.h"
#include "onnx/RegularFile.h"
#include "onnx/TensorCodec.h"
#include "support/ErrorCodes.h"
#include "support/NewFile.h"

#include <enfold/onnx-data.pb.h>

#include <fmt/format.h>

#include <map>

namespace enfold::onnx {
namespace {

/// The error with the name of the file in front.
std::unexpected<Error> about(const std::filesystem::path& path, Error error) {
  for (Diag& diag : error.diags) diag.message = path.string() + ": " + diag.message;
  return std::unexpected(std::move(error));
}

Result<NamedTensor> decodePb(std::span<const std::byte> bytes,
                             const std::filesystem::path& folder) {
  pb::TensorProto proto;
  if (bytes.size() > static_cast<size_t>(ImportLimits{}.fileBytes) ||
      !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      proto.data_type() == pb::TensorProto::UNDEFINED)
    return failure(ErrorCode::DamagedFile, "it is neither a .npy file nor an ONNX tensor");
  ExternalData external(folder);
  std::string name = proto.name();
  ENFOLD_TRY(Tensor tensor, decodeTensor(proto, external, ImportLimits{}));
  return NamedTensor{std::move(name), std::move(tensor)};
}

Result<NamedTensor> decode(std::span<const std::byte> bytes, const std::filesystem::path& path) {
  if (path.extension() != ".npy") return decodePb(bytes, path.parent_path());
  ENFOLD_TRY(Tensor tensor, decodeNpy(bytes));
  return NamedTensor{"", std::move(tensor)};
}

/// The tensors of a sequence or of an optional value.
Result<std::vector<Tensor>> decodeValue(std::span<const std::byte> bytes,
                                        const std::filesystem::path& folder,
                                        const DeclaredType& type) {
  constexpr int32_t kTensor = 1, kSequence = 3;
  const auto size = static_cast<int>(bytes.size());
  pb::SequenceProto sequence;
  pb::OptionalProto optional;
  bool isRead = bytes.size() <= static_cast<size_t>(ImportLimits{}.fileBytes);
  if (!type.isOptional()) {
    isRead =
        isRead && sequence.ParseFromArray(bytes.data(), size) && sequence.elem_type() == kTensor;
  } else {
    isRead = isRead && optional.ParseFromArray(bytes.data(), size);
    if (optional.elem_type() == kTensor) *sequence.add_tensor_values() = optional.tensor_value();
    if (optional.elem_type() == kSequence) sequence = optional.sequence_value();
  }
  if (!isRead)
    return invalid(
        fmt::format("it is no {} of tensors", type.isOptional() ? "optional value" : "sequence"));
  ExternalData external(folder);
  std::vector<Tensor> tensors;
  for (pb::TensorProto& proto : *sequence.mutable_tensor_values()) {
    ENFOLD_TRY(tensors.emplace_back(), decodeTensor(proto, external, ImportLimits{}));
  }
  return tensors;
}

/// Reads KIND_0.pb, KIND_1.pb and so on until one is missing.
Result<std::vector<NamedTensor>> readNumbered(const std::filesystem::path& folder,
                                              std::string_view kind,
                                              std::span<const DeclaredTensor> declared) {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0;; ++i) {
    const auto path = folder / fmt::format("{}_{}.pb", kind, i);
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return tensors;
    if (i >= declared.size() || declared[i].type.isTensor()) {
      ENFOLD_TRY(NamedTensor tensor, readTensorFile(path));
      tensors.push_back(std::move(tensor));
      continue;
    }
    ENFOLD_TRY(const RegularFile file, RegularFile::open(path));
    std::span<const std::byte> bytes;
    std::shared_ptr<const std::byte> mapped;
    if (file.size() > 0) {
      ENFOLD_TRY(mapped, file.map());
      bytes = {mapped.get(), static_cast<size_t>(file.size())};
    }
    auto value = decodeValue(bytes, folder, declared[i].type);
    if (!value) return about(path, std::move(value).error());
    for (Tensor& tensor : *value) tensors.push_back({declared[i].name, std::move(tensor)});
  }
}

} // namespace

Result<NamedTensor> readTensorFile(const std::filesystem::path& path) {
  ENFOLD_TRY(const RegularFile file, RegularFile::open(path));
  if (file.size() == 0)
    return failure(ErrorCode::DamagedFile, path.string() + ": the file is empty");
  ENFOLD_TRY(const auto bytes, file.map());
  auto tensor = decode({bytes.get(), static_cast<size_t>(file.size())}, path);
  if (!tensor) return about(path, std::move(tensor).error());
  return tensor;
}

Result<NamedTensor> decodeTensorFile(std::span<const std::byte> bytes,
                                     const std::filesystem::path& folder) {
  if (!isNpy(bytes)) return decodePb(bytes, folder);
  ENFOLD_TRY(Tensor tensor, decodeNpy(bytes));
  return NamedTensor{"", std::move(tensor)};
}

Result<> writeNpy(const std::filesystem::path& path, const Tensor& tensor) {
  return writeFile(path, encodeNpy(tensor));
}

Result<> writeTensorProto(const std::filesystem::path& path, const NamedTensor& tensor) {
  pb::TensorProto proto;
  encodeTensor(tensor.tensor, tensor.name, proto);
  return writeFile(path, proto.SerializeAsString());
}

Result<std::vector<DataSet>> readDataSets(const std::filesystem::path& folder,
                                          const Signature& model) {
  constexpr std::string_view kPrefix = "test_data_set_";
  std::map<size_t, std::filesystem::path> folders; // by number: 10 comes after 9
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(kPrefix) && entry.is_directory())
      folders[std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10)] = entry.path();
  }
  if (error)
    return failure(ErrorCode::NoSuchFile, fmt::format("{}: {}", folder.string(), error.message()));
  if (folders.empty())
    return failure(ErrorCode::NoSuchFile, fmt::format("{} holds no {}N folder to check against",
                                                      folder.string(), kPrefix));
  std::vector<DataSet> sets;
  for (const auto& [number, path] : folders) {
    ENFOLD_TRY(std::vector<NamedTensor> inputs, readNumbered(path, "input", model.inputs));
    ENFOLD_TRY(std::vector<NamedTensor> outputs, readNumbered(path, "output", model.outputs));
    if (!std::filesystem::exists(path / "output_0.pb", error))
      return failure(ErrorCode::NoSuchFile, fmt::format("{} holds no output_0.pb", path.string()));
    sets.push_back({path, std::move(inputs), std::move(outputs)});
  }
  return sets;
}

} // namespace enfold::onnx
