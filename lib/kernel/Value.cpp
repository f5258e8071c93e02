// Conditions on indices, and places in buffers.
#include "kernel/Value.h"

#include "kernel/Builder.h"
#include "support/Result.h"

namespace enfold::kir {
namespace {

Condition compare(Op op, const Index& a, const Index& b) {
  Index difference = a - b; // has the builder, unless both are known
  return difference.builder().compare(op, a, b);
}

} // namespace

Condition operator<(const Index& a, const Index& b) {
  Range d = (a - b).range();
  if (d.hi < 0) return true;
  if (d.lo >= 0) return false;
  return compare(Op::Lt, a, b);
}

Condition operator<=(const Index& a, const Index& b) {
  Range d = (a - b).range();
  if (d.hi <= 0) return true;
  if (d.lo > 0) return false;
  return compare(Op::Le, a, b);
}

Condition operator>(const Index& a, const Index& b) { return b < a; }
Condition operator>=(const Index& a, const Index& b) { return b <= a; }

Condition operator==(const Index& a, const Index& b) {
  Range d = (a - b).range();
  if (d.lo == 0 && d.hi == 0) return true;
  if (d.lo > 0 || d.hi < 0) return false;
  return compare(Op::Eq, a, b);
}

Condition operator!=(const Index& a, const Index& b) { return ~(a == b); }

Condition operator&(const Condition& a, const Condition& b) {
  if (auto known = a.known()) return *known ? b : a;
  if (auto known = b.known()) return *known ? a : b;
  return a.value() & b.value();
}

Condition operator|(const Condition& a, const Condition& b) {
  if (auto known = a.known()) return *known ? a : b;
  if (auto known = b.known()) return *known ? b : a;
  return a.value() | b.value();
}

Condition operator~(const Condition& a) {
  if (auto known = a.known()) return !*known;
  return ~a.value();
}

const BufferInfo& Buffer::info() const { return builder_->bufferInfo(id_); }

Place Buffer::operator[](const Index& element) const { return {*this, element}; }

View View::dense(Buffer buffer, std::span<const int64_t> extents) {
  std::vector<int64_t> strides(extents.size());
  int64_t stride = 1;
  for (size_t i = extents.size(); i-- > 0; stride *= extents[i]) strides[i] = stride;
  return {buffer, std::move(strides)};
}

Place View::at(std::span<const Index> coordinates) const {
  ENFOLD_CHECK(coordinates.size() <= strides_.size(), "more coordinates than the view's rank");
  Index element = offset_;
  for (size_t i = 0; i < coordinates.size(); ++i) element += coordinates[i] * strides_[i];
  return {buffer_, element};
}

} // namespace enfold::kir
