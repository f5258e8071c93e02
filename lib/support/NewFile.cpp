// Temporary files and renaming.
#include "support/NewFile.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace enfold {
namespace {

std::unexpected<Error> cannotWrite(const std::filesystem::path& path) {
  return usageError(fmt::format("cannot write '{}': {}", path.string(), std::strerror(errno)));
}

} // namespace

Result<NewFile> NewFile::create(const std::filesystem::path& path) {
  static std::atomic<unsigned> number = 0; // threads may write the same file
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  const bool inPlace = exists(status) && !is_regular_file(status);
  std::string beside =
      inPlace ? "" : fmt::format("{}.tmp{}.{}", path.string(), ::getpid(), number++);
  const int descriptor =
      inPlace ? ::open(path.c_str(), O_WRONLY | O_CLOEXEC)
              : ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) return cannotWrite(path);
  return NewFile(descriptor, path, std::move(beside));
}

NewFile::NewFile(NewFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)),
      beside_(std::move(other.beside_)) {}

NewFile::~NewFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

Result<> NewFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written >= 0)
      bytes.remove_prefix(static_cast<size_t>(written));
    else if (errno != EINTR)
      return cannotWrite(path_);
  }
  return {};
}

Result<> NewFile::commit() {
  if (!beside_.empty() &&
      (::fsync(descriptor_) != 0 || ::rename(beside_.c_str(), path_.c_str()) != 0))
    return cannotWrite(path_);
  ::close(std::exchange(descriptor_, -1));
  return {};
}

Result<> writeFile(const std::filesystem::path& path, std::string_view bytes) {
  ENFOLD_TRY(NewFile file, NewFile::create(path));
  ENFOLD_RETURN_IF_ERROR(file.append(bytes));
  return file.commit();
}

} // namespace enfold
