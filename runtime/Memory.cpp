// Allocation by aligned_alloc, with advice to the system for large blocks.
#include "runtime/Memory.h"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace enfold::rt {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

} // namespace

bool Memory::allocate(size_t bytes) {
  release();
  if (bytes == 0) return true;
  const size_t alignment = bytes >= kHugePage ? kHugePage : kLinePair;
  if (bytes > SIZE_MAX - alignment) return false;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  data_ = static_cast<std::byte*>(std::aligned_alloc(alignment, rounded));
  if (data_ == nullptr) return false;
  size_ = bytes;
#if defined(__linux__)
  // Advice only: where it is refused the pages are small, and nothing else changes.
  if (alignment == kHugePage) madvise(data_, rounded, MADV_HUGEPAGE);
#endif
  return true;
}

void Memory::release() {
  std::free(data_);
  data_ = nullptr;
  size_ = 0;
}

} // namespace enfold::rt
