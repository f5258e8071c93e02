// Anonymous mappings.
#include "support/Pages.h"

#include <cstdint>
#include <sys/mman.h>

namespace enfold {

std::shared_ptr<std::byte> allocatePages(size_t bytes) {
  constexpr size_t kHugePage = size_t{2} << 20;
  // A mapping begins anywhere; of a longer one, some part begins with a huge page.
  const size_t slack = bytes >= kHugePage ? kHugePage : 0;
  if (bytes == 0 || bytes > SIZE_MAX - slack) return nullptr;
  const size_t size = bytes + slack;
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  auto* begin = static_cast<std::byte*>(base);
  if (slack) {
    begin += (kHugePage - reinterpret_cast<uintptr_t>(base) % kHugePage) % kHugePage;
#if defined(MADV_HUGEPAGE)
    madvise(begin, bytes, MADV_HUGEPAGE); // advice only
#endif
  }
  return {begin, [base, size](std::byte*) { munmap(base, size); }};
}

} // namespace enfold
