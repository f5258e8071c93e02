// A hash table whose entries come and go as on a stack.
#include "kernel/SharedValues.h"

#include "support/Hash.h"

#include <algorithm>
#include <span>

namespace enfold::kir {

int64_t* SharedValues::begin(Op op, Type type, int64_t imm, size_t count) {
  constexpr int kScalar = 8, kLanes = 16;
  wanted_.resize(2 + count);
  wanted_[0] = static_cast<int64_t>(op) | static_cast<int64_t>(type.scalar) << kScalar |
               static_cast<int64_t>(type.lanes) << kLanes;
  wanted_[1] = imm;
  return wanted_.data() + 2;
}

std::optional<ValueId> SharedValues::find(const Inst& inst) {
  int64_t* key = begin(inst.op, inst.type, inst.imm, inst.operands.size() + inst.ints.size());
  for (const ValueId id : inst.operands) *key++ = id;
  for (const int64_t x : inst.ints) *key++ = x;
  return findWanted();
}

std::optional<ValueId> SharedValues::find(const Index::Terms& terms, int64_t offset) {
  int64_t* key = begin(Op::Affine, index(), offset, 2 * terms.size());
  for (const Index::Term& term : terms) *key++ = term.value;
  for (const Index::Term& term : terms) *key++ = term.coeff;
  return findWanted();
}

std::optional<ValueId> SharedValues::findWanted() {
  hash_ = hashBytes(wanted_.data(), wanted_.size() * sizeof wanted_[0]);
  for (int32_t i = buckets_[hash_ % kBuckets]; i != kNone;) {
    const Entry& entry = entries_[static_cast<size_t>(i)];
    if (entry.hash == hash_ &&
        std::ranges::equal(std::span(keys_).subspan(entry.key, entry.keySize), wanted_))
      return entry.value;
    i = entry.next;
  }
  return std::nullopt;
}

void SharedValues::add(ValueId value) {
  int32_t& first = buckets_[hash_ % kBuckets];
  entries_.push_back({hash_, first, static_cast<uint32_t>(keys_.size()),
                      static_cast<uint32_t>(wanted_.size()), value});
  first = static_cast<int32_t>(entries_.size() - 1);
  keys_.insert(keys_.end(), wanted_.begin(), wanted_.end());
}

void SharedValues::shrink(size_t size) {
  while (entries_.size() > size) {
    const Entry& last = entries_.back();
    buckets_[last.hash % kBuckets] = last.next;
    keys_.resize(last.key);
    entries_.pop_back();
  }
}

} // namespace enfold::kir
