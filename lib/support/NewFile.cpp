// Writing beside and renaming. The lock is flock(2)'s, which the system takes back from the dead.
#include "support/NewFile.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace enfold {
namespace {

std::unexpected<Error> cannotWrite(const std::filesystem::path& path) {
  return failure(ErrorCode::CannotWrite,
                 fmt::format("cannot write '{}': {}", path.string(), std::strerror(errno)));
}

constexpr std::string_view kMark = ".tmp";

/// Locks a file just made, which must still be there. File systems without locks have no cleaners.
bool isOurs(int descriptor) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  struct stat status = {};
  return ::fstat(descriptor, &status) == 0 && status.st_nlink > 0;
}

} // namespace

bool NewFile::isUnfinished(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const size_t mark = name.rfind(kMark);
  if (mark == std::string::npos) return false;
  const std::string_view rest = std::string_view(name).substr(mark + kMark.size());
  return !rest.empty() && rest.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool NewFile::removeAbandoned(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return false;
  const bool removed = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::unlink(path.c_str()) == 0;
  ::close(descriptor);
  return removed;
}

Result<NewFile> NewFile::create(const std::filesystem::path& path) {
  static std::atomic<unsigned> number = 0; // threads may write the same file
  std::error_code ignored;
  const auto status = std::filesystem::status(path, ignored);
  const bool inPlace = exists(status) && !is_regular_file(status);
  if (inPlace) {
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return cannotWrite(path);
    return NewFile(descriptor, path, "");
  }
  for (;;) {
    std::string beside = fmt::format("{}{}{}.{}", path.string(), kMark, ::getpid(), number++);
    const int descriptor = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (descriptor < 0) return cannotWrite(path);
    if (isOurs(descriptor)) return NewFile(descriptor, path, std::move(beside));
    ::close(descriptor); // taken for abandoned before it could be locked
  }
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
