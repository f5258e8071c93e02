// Owned, aligned memory without the C++ library: the runtime links into plain C programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace enfold::rt {

/// Room for a cache line, and for the neighbour that prefetchers fetch with it.
inline constexpr size_t kLinePair = 128;

/// A block of uninitialized bytes, aligned to kLinePair; large ones lie on huge pages where the
/// system has them, since a network's buffers are walked over in strides that miss the small TLB.
class Memory {
public:
  Memory() = default;
  ~Memory() { release(); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// False if there is not so much memory; then, and for no bytes, data() is null.
  [[nodiscard]] bool allocate(size_t bytes);
  void release();
  void swap(Memory& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// A fixed number of plain values, all zero at first.
template <typename T> class Array {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

public:
  [[nodiscard]] bool allocate(size_t count) {
    count_ = 0;
    if (count > SIZE_MAX / sizeof(T) || !memory_.allocate(count * sizeof(T))) return false;
    if (count != 0) std::memset(memory_.data(), 0, count * sizeof(T));
    count_ = count;
    return true;
  }
  void swap(Array& other) {
    memory_.swap(other.memory_);
    std::swap(count_, other.count_);
  }
  size_t size() const { return count_; }
  T& operator[](size_t index) const { return begin()[index]; }
  T* begin() const { return reinterpret_cast<T*>(memory_.data()); }
  T* end() const { return begin() + count_; }

private:
  Memory memory_;
  size_t count_ = 0;
};

/// A new object, or null if there is no memory for it; destroy() ends and frees it.
template <typename T, typename... Arguments> T* create(Arguments&... arguments) {
  static_assert(sizeof(T) % alignof(T) == 0);
  void* place =
      std::aligned_alloc(alignof(T) > sizeof(void*) ? alignof(T) : sizeof(void*), sizeof(T));
  return place != nullptr ? new (place) T(arguments...) : nullptr;
}
template <typename T> void destroy(T* object) {
  if (object == nullptr) return;
  object->~T();
  std::free(object);
}

} // namespace enfold::rt
