// A file being written. Its bytes go beside its place and are put there when all is written, so
// that a reader sees the old file or the new one, never a part, and a failure leaves nothing
// behind. Only a writer that is killed does; it held a lock as long as it lived.
#pragma once

#include "support/Result.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace enfold {

class NewFile {
public:
  static Result<NewFile> create(const std::filesystem::path& path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  /// Without commit(), the file is gone.
  ~NewFile();

  /// For those who write on their own.
  int descriptor() const { return descriptor_; }
  Result<> append(std::string_view bytes);
  Result<> commit();

  /// Whether a file of that name is one being written, or left unfinished by a writer that died.
  static bool isUnfinished(const std::filesystem::path& path);
  /// Removes an unfinished file unless its writer lives.
  static bool removeAbandoned(const std::filesystem::path& path);

private:
  NewFile(int descriptor, std::filesystem::path path, std::string beside)
      : descriptor_(descriptor), path_(std::move(path)), beside_(std::move(beside)) {}

  int descriptor_;
  std::filesystem::path path_;
  std::string beside_; ///< empty: written in place
};

/// A whole file at once.
Result<> writeFile(const std::filesystem::path& path, std::string_view bytes);

} // namespace enfold
