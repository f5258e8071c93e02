// Finding, checking and mapping the files of external tensor data.
#include "onnx/ExternalData.h"

#include "onnx/RegularFile.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace enfold::onnx {
namespace {

namespace fs = std::filesystem;

struct Location {
  std::string file;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};

Result<uint64_t> parseSize(const pb::StringStringEntryProto& entry) {
  uint64_t value = 0;
  const std::string& text = entry.value();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return failure(ErrorCode::ExternalData,
                   fmt::format("its external data has the {} '{}'", entry.key(), text));
  return value;
}

/// Keys other than these three (a checksum) do not change what is read.
Result<Location> parseLocation(const pb::TensorProto& tensor) {
  Location location;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") {
      location.file = entry.value();
    } else if (entry.key() == "offset") {
      ENFOLD_TRY(location.offset, parseSize(entry));
    } else if (entry.key() == "length") {
      ENFOLD_TRY(location.length, parseSize(entry));
    }
  }
  if (location.file.empty())
    return failure(ErrorCode::ExternalData, "its external data names no file");
  return location;
}

/// Whether `inner` lies in the folder `outer`; both are canonical.
bool contains(const fs::path& outer, const fs::path& inner) {
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

} // namespace

Result<const ExternalData::Mapping*> ExternalData::open(const std::string& name) {
  if (auto it = mappings_.find(name); it != mappings_.end()) return &it->second;
  if (folder_.empty())
    return failure(
        ErrorCode::ExternalData,
        fmt::format("its data is in the file '{}', but a model in memory has no folder", name));
  const fs::path relative(name);
  const bool climbs = std::ranges::any_of(relative, [](const auto& part) { return part == ".."; });
  if (relative.is_absolute() || climbs || name.find('\0') != std::string::npos)
    return failure(ErrorCode::ExternalData,
                   fmt::format("its data file '{}' is not a path inside the model's folder", name));
  std::error_code error;
  const fs::path folder = fs::canonical(folder_, error);
  if (error)
    return failure(ErrorCode::ExternalData,
                   fmt::format("the folder '{}' is gone", folder_.string()));
  const fs::path file = fs::canonical(folder / relative, error);
  if (error)
    return failure(ErrorCode::ExternalData,
                   fmt::format("its data file '{}' cannot be found: {}", name, error.message()));
  if (!contains(folder, file))
    return failure(ErrorCode::ExternalData,
                   fmt::format("its data file '{}' is a link out of the model's folder", name));
  auto opened = RegularFile::open(file);
  if (!opened) return failure(ErrorCode::ExternalData, opened.error().str());
  Mapping mapping;
  mapping.size = static_cast<uint64_t>(opened->size());
  if (mapping.size > 0) {
    ENFOLD_TRY(mapping.bytes, opened->map());
  }
  return &mappings_.emplace(name, std::move(mapping)).first->second;
}

std::vector<std::filesystem::path> ExternalData::files() const {
  std::vector<std::filesystem::path> files;
  for (const auto& [name, mapping] : mappings_) files.push_back(folder_ / name);
  return files;
}

Result<std::shared_ptr<const std::byte>> ExternalData::read(const pb::TensorProto& tensor,
                                                            size_t length) {
  ENFOLD_TRY(const Location location, parseLocation(tensor));
  ENFOLD_TRY(const Mapping* mapping, open(location.file));
  if (location.length && *location.length != length)
    return failure(ErrorCode::ExternalData,
                   fmt::format("its external data has {} bytes where its shape needs {}",
                               *location.length, length));
  if (location.offset > mapping->size || length > mapping->size - location.offset)
    return failure(ErrorCode::ExternalData,
                   fmt::format("its data, {} bytes at offset {}, lies outside '{}' of {} bytes",
                               length, location.offset, location.file, mapping->size));
  return std::shared_ptr<const std::byte>(mapping->bytes, mapping->bytes.get() + location.offset);
}

} // namespace enfold::onnx
