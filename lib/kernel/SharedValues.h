// Values of pure instructions that a builder has written, so that none is computed twice.
#pragma once

#include "kernel/Index.h"

#include <optional>

namespace enfold::kir {

/// Instructions are forgotten in the reverse of the order in which they were added, as blocks end.
class SharedValues {
public:
  /// The value of an instruction that computes the same, if there is one.
  std::optional<ValueId> find(const Inst& inst);
  /// The same of the sum that is an index of these terms.
  std::optional<ValueId> find(const Index::Terms& terms, int64_t offset);
  /// The value of the instruction that find() looked for last.
  void add(ValueId value);

  size_t size() const { return entries_.size(); }
  /// Forgets all but the first `size`.
  void shrink(size_t size);

private:
  /// One of a list of instructions whose hashes fall into one bucket, the latest first.
  struct Entry {
    uint64_t hash;
    int32_t next;
    uint32_t key, keySize; ///< where its key is in `keys_`
    ValueId value;
  };

  /// Where `count` numbers of the key are to be written.
  int64_t* begin(Op op, Type type, int64_t imm, size_t count);
  std::optional<ValueId> findWanted();

  static constexpr size_t kBuckets = 1024;
  static constexpr int32_t kNone = -1;

  std::vector<int64_t> keys_;
  std::vector<Entry> entries_;
  std::vector<int32_t> buckets_ = std::vector<int32_t>(kBuckets, kNone);
  std::vector<int64_t> wanted_; ///< the key that was looked for last
  uint64_t hash_ = 0;           ///< of it
};

} // namespace enfold::kir
