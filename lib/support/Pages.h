// Large blocks of memory that go back to the system as soon as nothing uses them.
#pragma once

#include <cstddef>
#include <memory>

namespace enfold {

/// Blocks of fewer bytes are better asked of the heap.
inline constexpr size_t kManyPages = size_t{1} << 20;

/// `bytes` zeros, taking memory page by page as they are first touched; null if there is not so
/// much. Aligned to 64 bytes at least, and on huge pages where the system has them.
std::shared_ptr<std::byte> allocatePages(size_t bytes);

} // namespace enfold
