// A hash table whose entries come and go as on a stack.
#include "kernel/SharedValues.h"

#include "support/Hash.h"

#include <algorithm>
#include <span>

namespace enfold::kir {

void SharedValues::begin(Op op, Type type, int64_t imm) {
  wanted_ = {static_cast<int64_t>(op), static_cast<int64_t>(type.scalar), type.lanes, imm};
}

std::optional<ValueId> SharedValues::find(const Inst& inst) {
  begin(inst.op, inst.type, inst.imm);
  wanted_.insert(wanted_.end(), inst.operands.begin(), inst.operands.end());
  wanted_.insert(wanted_.end(), inst.ints.begin(), inst.ints.end());
  return findWanted();
}

std::optional<ValueId> SharedValues::find(const Index::Terms& terms, int64_t offset) {
  begin(Op::Affine, index(), offset);
  for (const Index::Term& term : terms) wanted_.push_back(term.value);
  for (const Index::Term& term : terms) wanted_.push_back(term.coeff);
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
