// Opening files that may be anything: only regular files are accepted, and opening never blocks.
#pragma once

#include "support/Result.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace enfold::onnx {

/// An open regular file. Errors of open() name the file.
class RegularFile {
public:
  static Result<RegularFile> open(const std::filesystem::path& path);
  RegularFile(RegularFile&& other) noexcept;
  RegularFile& operator=(RegularFile&&) = delete;
  ~RegularFile();

  int descriptor() const { return descriptor_; }
  int64_t size() const { return size_; }

  /// The whole file, mapped read-only for as long as anything holds the pointer; it outlives the
  /// RegularFile. The file must not be empty.
  Result<std::shared_ptr<const std::byte>> map() const;

private:
  RegularFile(int descriptor, int64_t size, std::filesystem::path path)
      : descriptor_(descriptor), size_(size), path_(std::move(path)) {}

  int descriptor_;
  int64_t size_;
  std::filesystem::path path_;
};

} // namespace enfold::onnx
