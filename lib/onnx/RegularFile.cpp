// POSIX file access with every failure as a sentence.
#include "onnx/RegularFile.h"

#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace enfold::onnx {
namespace {

std::unexpected<Error> systemError(std::string_view what, const std::filesystem::path& path) {
  return failure(ErrorCode::NoSuchFile,
                 fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(errno)));
}

} // namespace

Result<RegularFile> RegularFile::open(const std::filesystem::path& path) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return systemError("open", path);
  struct stat status = {};
  if (::fstat(descriptor, &status) != 0) {
    ::close(descriptor);
    return systemError("examine", path);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return failure(ErrorCode::NoSuchFile, fmt::format("'{}' is not a regular file", path.string()));
  }
  return RegularFile(descriptor, status.st_size, path);
}

RegularFile::RegularFile(RegularFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_),
      path_(std::move(other.path_)) {}

RegularFile::~RegularFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::shared_ptr<const std::byte>> RegularFile::map() const {
  const auto size = static_cast<size_t>(size_);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor_, 0);
  if (memory == MAP_FAILED && errno == ENOMEM)
    return noMemory(size, fmt::format("a view of '{}'", path_.string()));
  if (memory == MAP_FAILED) return systemError("map", path_);
  return std::shared_ptr<const std::byte>(
      static_cast<const std::byte*>(memory),
      [size](const std::byte* bytes) { ::munmap(const_cast<std::byte*>(bytes), size); });
}

} // namespace enfold::onnx
