// Large blocks are mapped, so that freeing one gives its memory back to the system at once: the C
// library would keep it, and more of it the larger the blocks that it has seen.
#include "runtime/Memory.h"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace enfold::rt {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

#if defined(__linux__)
/// A block that begins with a huge page; null if there is no memory.
std::byte* map(size_t bytes) {
  const size_t size = bytes + kHugePage; // some part of it begins with one
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* base = static_cast<std::byte*>(mapped);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(base) % kHugePage) % kHugePage;
  if (before != 0) munmap(base, before);
  munmap(base + before + bytes, kHugePage - before);
  // Advice only: where it is refused the pages are small, and nothing else changes.
  madvise(base + before, bytes, MADV_HUGEPAGE);
  return base + before;
}

void unmap(std::byte* data, size_t bytes) { munmap(data, bytes); }
#else
std::byte* map(size_t bytes) {
  return static_cast<std::byte*>(std::aligned_alloc(kHugePage, bytes));
}

void unmap(std::byte* data, size_t) { std::free(data); }
#endif

size_t rounded(size_t bytes) {
  const size_t unit = bytes >= kHugePage ? kHugePage : kLinePair;
  return (bytes + unit - 1) / unit * unit;
}

} // namespace

bool Memory::allocate(size_t bytes) {
  release();
  if (bytes == 0) return true;
  if (bytes > SIZE_MAX / 2) return false;
  data_ = bytes >= kHugePage
              ? map(rounded(bytes))
              : static_cast<std::byte*>(std::aligned_alloc(kLinePair, rounded(bytes)));
  if (data_ == nullptr) return false;
  size_ = bytes;
  return true;
}

void Memory::release() {
  if (size_ >= kHugePage)
    unmap(data_, rounded(size_));
  else
    std::free(data_);
  data_ = nullptr;
  size_ = 0;
}

} // namespace enfold::rt
