// Constants that several programs share: the specializations of one network to several shapes have
// most of their packed weights in common, and equal ones are held once.
#pragma once

#include "driver/TensorHashes.h"
#include "support/Result.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace enfold {

/// One block of addresses, of which memory is taken as constants are added and given back when
/// nothing uses them. Safe to use from several threads; constants in use never move.
class ConstantPool : public std::enable_shared_from_this<ConstantPool> {
public:
  static constexpr int64_t kAlignment = 64; ///< of every constant

  /// Reserves addresses: half of those that there are where the process may not have so many.
  static Result<std::shared_ptr<ConstantPool>> create(int64_t capacity = int64_t{1} << 37);
  ~ConstantPool();
  ConstantPool(const ConstantPool&) = delete;
  ConstantPool& operator=(const ConstantPool&) = delete;

  /// A constant in use.
  class Lease {
  public:
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    int64_t offset() const { return offset_; } ///< from the start of the block

  private:
    friend class ConstantPool;
    Lease(std::shared_ptr<ConstantPool> pool, int64_t offset)
        : pool_(std::move(pool)), offset_(offset) {}

    std::shared_ptr<ConstantPool> pool_;
    int64_t offset_;
  };

  /// A copy of the bytes, or the one there is. It can be found under the key, unless that is empty,
  /// as long as it is in use.
  Result<Lease> add(std::span<const std::byte> bytes, const std::string& key = {});
  std::optional<Lease> find(const std::string& key);

  /// All addresses that constants have been given so far.
  std::span<const std::byte> block() const;
  int64_t bytesInUse() const;
  /// Of what packed constants are made of.
  TensorHashes& hashes() { return hashes_; }

private:
  struct Entry {
    int64_t bytes, uses;
    uint64_t hash;
    std::vector<std::string> keys = {};
  };

  ConstantPool(std::byte* base, int64_t capacity) : base_(base), capacity_(capacity) {}
  Result<int64_t> place(int64_t bytes);
  void release(int64_t offset);

  TensorHashes hashes_;
  std::byte* const base_;
  const int64_t capacity_;
  mutable std::mutex mutex_;
  int64_t end_ = 0; ///< behind the last constant
  int64_t inUse_ = 0;
  std::unordered_map<int64_t, Entry> entries_; ///< by offset
  std::unordered_map<uint64_t, std::vector<int64_t>> byHash_;
  std::unordered_map<std::string, int64_t> byKey_;
  std::map<int64_t, int64_t> holes_; ///< bytes by offset; no two touch
};

} // namespace enfold
