// Constants are immediates; others are read where they are subtracted.
#include "lower/InputZero.h"

#include "lower/Scalars.h"

namespace enfold::lower {

InputZero::InputZero(const Op& op) {
  const enfold::Value* const zero = op.own(2);
  if (zero && zero->constant())
    number_ = zero->constant()->asInt(0);
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
  return pixels - b.splat(b.loadAs(pixels.type().scalar, (*buffer_)[0]), pixels.lanes());
}

} // namespace enfold::lower
