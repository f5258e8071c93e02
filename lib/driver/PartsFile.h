// Files of the cache: a header, a description in CBOR (RFC 8949), and the parts that it refers to
// by offset, size and checksum, each aligned for kernels to read it in place.
#pragma once

#include "codegen/Jit.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <functional>
#include <string_view>

namespace enfold {

/// Collects the parts of a file; a part must live until the file is written.
class PartsWriter {
public:
  /// What a description calls the part.
  nlohmann::json add(std::string_view bytes);
  template <typename T> nlohmann::json add(const std::vector<T>& items) {
    return add({reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T)});
  }
  nlohmann::json add(const codegen::MachineCode& code);

  /// Writes the file, whole or not at all. The magic number has 16 bytes.
  Result<> write(const std::filesystem::path& path, std::string_view magic,
                 const nlohmann::json& description) const;

private:
  std::vector<std::string_view> parts_;
  size_t size_ = 0;
};

/// Throws on what the file does not hold.
class PartsReader {
public:
  PartsReader(std::shared_ptr<const std::byte> file, size_t begin, size_t end)
      : file_(std::move(file)), begin_(begin), size_(end - begin) {}

  std::span<const std::byte> get(const nlohmann::json& part) const;
  template <typename T> std::vector<T> items(const nlohmann::json& part) const {
    const auto bytes = get(part);
    const auto* first = reinterpret_cast<const T*>(bytes.data());
    return {first, first + bytes.size() / sizeof(T)};
  }
  codegen::MachineCode code(const nlohmann::json& from) const;
  /// Keeps what get() gives alive.
  const std::shared_ptr<const std::byte>& file() const { return file_; }

private:
  std::shared_ptr<const std::byte> file_;
  size_t begin_, size_;
};

std::string_view asText(std::span<const std::byte> bytes);

/// Writes what describe(value, parts) gives, with the parts that it adds.
template <typename T>
Result<> writeParts(const std::filesystem::path& path, std::string_view magic, const T& value,
                    nlohmann::json (*describe)(const T&, PartsWriter&)) {
  PartsWriter parts;
  const nlohmann::json description = describe(value, parts);
  return parts.write(path, magic, description);
}

/// Calls read(description, parts) for a file with that magic number. Fails on a file that is
/// damaged in any way, and on what `read` throws.
Result<> readParts(const std::filesystem::path& path, std::string_view magic,
                   const std::function<void(const nlohmann::json&, const PartsReader&)>& read);

template <typename T>
Result<T> readParts(const std::filesystem::path& path, std::string_view magic,
                    T (*read)(const nlohmann::json&, const PartsReader&)) {
  T made;
  ENFOLD_RETURN_IF_ERROR(readParts(path, magic, [&](const auto& description, const auto& parts) {
    made = read(description, parts);
  }));
  return made;
}

} // namespace enfold
