// Constants are immediates; others are read where they are subtracted.
#include "lower/InputZero.h"

#include "lower/Scalars.h"

namespace enfold::lower {

InputZero::InputZero(const Op& op, int64_t shift) : number_(shift) {
  const enfold::Value* const zero = op.own(2);
  if (zero && zero->constant())
    number_ += zero->constant()->asInt(0);
  else
    computed_ = zero;
}

void InputZero::declare(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering) {
  if (isKnown()) return;
  buffer_ = b.input("zero", *scalarOf(computed_->elem()), 1);
  buffers.push_back(lowering.storage(computed_));
}

kir::Value InputZero::subtractedFrom(kir::Builder& b, const kir::Value& pixels) const {
  if (isKnown()) return number_ == 0 ? pixels : pixels - number_;
  return pixels - splat(b, pixels.type());
}

kir::Value InputZero::splat(kir::Builder& b, const kir::Type& type) const {
  const kir::Value zero = b.loadAs(type.scalar, (*buffer_)[0]);
  return b.splat(number_ == 0 ? zero : zero + number_, type.lanes);
}

} // namespace enfold::lower
