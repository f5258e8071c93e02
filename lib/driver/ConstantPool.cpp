// Addresses are reserved at once and made usable page by page; holes are filled first-fit, and
// their whole pages go back to the system.
#include "driver/ConstantPool.h"

#include "support/Hash.h"
#include "support/Memory.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace enfold {
namespace {

int64_t roundedUp(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

int64_t pageBytes() {
  static const int64_t bytes = sysconf(_SC_PAGESIZE);
  return bytes;
}

} // namespace

Result<std::shared_ptr<ConstantPool>> ConstantPool::create(int64_t capacity) {
  const auto reserve = [](int64_t bytes) {
    return mmap(nullptr, static_cast<size_t>(bytes), PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  };
  const int64_t unit = 2 * pageBytes();
  capacity = roundedUp(capacity, unit);
  void* base = reserve(capacity);
  if (base == MAP_FAILED) {
    while (base == MAP_FAILED && capacity > unit) {
      capacity = roundedUp(capacity / 2, unit);
      base = reserve(capacity);
    }
    if (base != MAP_FAILED) { // the other half is for whatever else the process needs
      capacity /= 2;
      munmap(static_cast<std::byte*>(base) + capacity, static_cast<size_t>(capacity));
    }
  }
  if (base == MAP_FAILED)
    return noMemory(static_cast<uint64_t>(capacity), "the addresses of constants");
  return std::shared_ptr<ConstantPool>(new ConstantPool(static_cast<std::byte*>(base), capacity));
}

ConstantPool::~ConstantPool() { munmap(base_, static_cast<size_t>(capacity_)); }

ConstantPool::Lease::~Lease() {
  if (pool_) pool_->release(offset_);
}

/// First fit among the holes, else behind everything.
Result<int64_t> ConstantPool::place(int64_t bytes) {
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
    const auto [offset, room] = *hole;
    if (room < bytes) continue;
    holes_.erase(hole);
    if (room > bytes) holes_.emplace(offset + bytes, room - bytes);
    return offset;
  }
  const int64_t offset = end_, usable = roundedUp(end_, pageBytes());
  const int64_t wanted = roundedUp(end_ + bytes, pageBytes());
  if (bytes > capacity_ - end_ ||
      (wanted > usable &&
       mprotect(base_ + usable, static_cast<size_t>(wanted - usable), PROT_READ | PROT_WRITE) != 0))
    return noMemory(static_cast<uint64_t>(bytes), "a packed constant");
  end_ += bytes;
  return offset;
}

std::optional<ConstantPool::Lease> ConstantPool::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto known = byKey_.find(key);
  if (known == byKey_.end()) return std::nullopt;
  ++entries_.at(known->second).uses;
  return Lease(shared_from_this(), known->second);
}

Result<ConstantPool::Lease> ConstantPool::add(std::span<const std::byte> bytes,
                                              const std::string& key) {
  const uint64_t hash = hashBytes(bytes.data(), bytes.size());
  const auto size = static_cast<int64_t>(bytes.size());
  const std::lock_guard lock(mutex_);
  const auto leased = [&](int64_t offset) {
    if (!key.empty() && byKey_.try_emplace(key, offset).second)
      entries_.at(offset).keys.push_back(key);
    return Lease(shared_from_this(), offset);
  };
  std::vector<int64_t>& same = byHash_[hash];
  for (const int64_t offset : same) {
    Entry& entry = entries_.at(offset);
    if (entry.bytes != size) continue;
    if (size > 0 && std::memcmp(base_ + offset, bytes.data(), bytes.size()) != 0) continue;
    ++entry.uses;
    return leased(offset);
  }
  ENFOLD_TRY(const int64_t offset, place(std::max(roundedUp(size, kAlignment), kAlignment)));
  if (size > 0) std::memcpy(base_ + offset, bytes.data(), bytes.size());
  same.push_back(offset);
  entries_[offset] = {size, 1, hash};
  inUse_ += size;
  return leased(offset);
}

void ConstantPool::release(int64_t offset) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(offset);
  Entry& entry = found->second;
  if (--entry.uses > 0) return;
  inUse_ -= entry.bytes;
  for (const std::string& key : entry.keys) byKey_.erase(key);
  std::erase(byHash_.at(entry.hash), offset);
  if (byHash_.at(entry.hash).empty()) byHash_.erase(entry.hash);
  int64_t begin = offset;
  int64_t end = offset + std::max(roundedUp(entry.bytes, kAlignment), kAlignment);
  entries_.erase(found);

  auto next = holes_.lower_bound(begin);
  if (next != holes_.end() && next->first == end) {
    end += next->second;
    next = holes_.erase(next);
  }
  if (next != holes_.begin())
    if (const auto before = std::prev(next); before->first + before->second == begin) {
      begin = before->first;
      holes_.erase(before);
    }
  holes_.emplace(begin, end - begin);
  const int64_t firstPage = roundedUp(begin, pageBytes()),
                lastPage = end / pageBytes() * pageBytes();
  if (lastPage > firstPage)
    madvise(base_ + firstPage, static_cast<size_t>(lastPage - firstPage), MADV_DONTNEED);
}

std::span<const std::byte> ConstantPool::block() const {
  const std::lock_guard lock(mutex_);
  return {base_, static_cast<size_t>(end_)};
}

int64_t ConstantPool::bytesInUse() const {
  const std::lock_guard lock(mutex_);
  return inUse_;
}

} // namespace enfold
