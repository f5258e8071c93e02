// A vector whose first few elements lie in the object itself, so that short ones take no memory of
// their own. Elements are plain data, and are copied as bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>

namespace enfold {

template <typename T, uint32_t N> class SmallVector {
  static_assert(std::is_trivially_copyable_v<T> && N > 0);

public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  SmallVector() {}
  SmallVector(std::initializer_list<T> list) { append(list.begin(), list.size()); }
  template <std::forward_iterator It> SmallVector(It first, It last) { insert(end(), first, last); }
  SmallVector(const SmallVector& other) { append(other.data(), other.size()); }
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(const SmallVector& other) {
    if (this == &other) return *this;
    clear();
    append(other.data(), other.size());
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this == &other) return *this;
    release();
    take(other);
    return *this;
  }
  ~SmallVector() { release(); }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return capacity_ > N ? heap_ : here_; }
  const T* data() const { return capacity_ > N ? heap_ : here_; }
  iterator begin() { return data(); }
  iterator end() { return data() + size_; }
  const_iterator begin() const { return data(); }
  const_iterator end() const { return data() + size_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }

  void clear() { size_ = 0; }
  void reserve(size_t capacity) {
    if (capacity > capacity_) grow(capacity);
  }
  void push_back(T element) {
    if (size_ == capacity_) grow(size_ + size_t{1});
    data()[size_++] = element;
  }
  void insert(const_iterator place, T element) { insert(place, &element, &element + 1); }
  void insert(const_iterator place, std::initializer_list<T> list) {
    insert(place, list.begin(), list.end());
  }
  /// The elements must not be this vector's own.
  template <std::forward_iterator It> void insert(const_iterator place, It first, It last) {
    const auto at = static_cast<size_t>(place - begin());
    const auto count = static_cast<size_t>(std::distance(first, last));
    reserve(size_ + count);
    T* const hole = data() + at;
    std::memmove(static_cast<void*>(hole + count), hole, (size_ - at) * sizeof(T));
    std::copy(first, last, hole);
    size_ += static_cast<uint32_t>(count);
  }

  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

private:
  void append(const T* elements, size_t count) {
    reserve(size_ + count);
    std::copy_n(elements, count, data() + size_);
    size_ += static_cast<uint32_t>(count);
  }

  void grow(size_t capacity) {
    const size_t wanted = std::max<size_t>(capacity, size_t{2} * capacity_);
    T* const larger = std::allocator<T>().allocate(wanted);
    std::copy_n(data(), size_, larger);
    release();
    heap_ = larger;
    capacity_ = static_cast<uint32_t>(wanted);
  }

  void release() {
    if (capacity_ > N) std::allocator<T>().deallocate(heap_, capacity_);
  }

  /// What the other one has; of this one nothing must be left.
  void take(SmallVector& other) noexcept {
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, N);
    if (capacity_ > N)
      heap_ = other.heap_;
    else
      std::copy_n(other.here_, size_, here_);
  }

  uint32_t size_ = 0, capacity_ = N;
  union {
    T here_[N];
    T* heap_;
  };
};

} // namespace enfold
