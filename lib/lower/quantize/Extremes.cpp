// Bits of f32 that are not negative are in the order of the numbers as signed integers, those of
// negative ones in the order of their magnitudes as unsigned integers, and behind the others. Those
// of NaN come last, so that two integer instructions do.
#include "lower/quantize/Extremes.h"

#include "lower/Families.h"
#include "lower/InputZero.h"
#include "lower/conv/Conv.h"
#include "lower/quantize/DynamicQuantize.h"

#include <algorithm>

namespace enfold::lower {

using kir::Index;
using kir::Scalar;
using kir::Value;

Extremes::Extremes(kir::Builder& b, int lanes)
    : b_(b), lanes_(lanes), below_(b.local("below", Scalar::U32, lanes)),
      above_(b.local("above", Scalar::I32, lanes)) {
  b.store(below_[0], b.zero({Scalar::U32, lanes}));
  b.store(above_[0], b.zero(kir::i32(lanes)));
}

void Extremes::take(const Value& numbers) const {
  const auto fold = [&](const kir::Buffer& memory) {
    b_.store(memory[0], b_.max(b_.bitcast(numbers, memory.elem()), b_.load(memory[0], lanes_)));
  };
  fold(below_);
  fold(above_);
}

Value Extremes::least() const {
  const Value bits = b_.bitcast(b_.reduceMax(b_.load(below_[0], lanes_)), Scalar::I32);
  return b_.bitcast(b_.select(bits < 0, bits, b_.zero(bits.type())), Scalar::F32);
}

Value Extremes::greatest() const {
  return b_.bitcast(b_.reduceMax(b_.load(above_[0], lanes_)), Scalar::F32);
}

static bool isLoweredBy(void (*lower)(const Op&, Lowering&), const Op& op,
                        const kir::Target& target) {
  const Family* family = familyFor(op, target);
  return family && family->lower == lower;
}

const Op* quantizerOf(const Op& conv, const kir::Target& target) {
  const enfold::Value* const y = conv.result();
  if (conv.kind() != OpKind::ConvInteger || InputZero(conv).isKnown() ||
      y->elem() != ElemType::F32 || y->type().layout.isPlain())
    return nullptr;
  const auto found = std::ranges::find_if(y->users(), [&](const Op* user) {
    return user->kind() == OpKind::DynamicQuantizeLinear && user->numResults() == 3 &&
           isLoweredBy(lowerDynamicQuantize, *user, target);
  });
  return found != y->users().end() && isLoweredBy(lowerConv, conv, target) ? *found : nullptr;
}

DynamicScale dynamicScaleOf(const Op& quantizer, Lowering& lowering) {
  return {lowering.storage(quantizer.result(1)), lowering.storage(quantizer.result(2))};
}

void lowerDynamicScale(const DynamicScale& to, std::span<const PartialExtremes> parts,
                       Lowering& lowering) {
  const int lanes = lowering.target().lanes(Scalar::F32);
  kir::Builder b("dynamic_scale");
  std::vector<kir::Buffer> found;
  std::vector<BufferRef> buffers;
  for (const PartialExtremes& part : parts) {
    found.push_back(b.input("found", Scalar::F32, 2 * part.count));
    buffers.push_back(part.memory);
  }
  const kir::Buffer scale = b.output("scale", Scalar::F32, 1);
  const kir::Buffer zero = b.output("zero", Scalar::U8, 1);
  b.parallelFor("once", 1, [&](const Index&) {
    Extremes all(b, lanes);
    const Value none = b.zero(kir::f32(lanes));
    for (size_t i = 0; i < parts.size(); ++i)
      b.forLoop("part", 0, 2 * parts[i].count, lanes, [&](const Index& at) {
        all.take(b.loadPartial(found[i][at], min(Index(lanes), 2 * parts[i].count - at), none));
      });
    const Value low = all.least(), step = (all.greatest() - low) / 255.0;
    const Value size = b.select(step == b.zero(kir::f32(1)), b.constant(kir::f32(1), 1), step);
    b.store(scale[0], size);
    b.store(zero[0], b.castSat(b.round(-(low / size)), Scalar::U8));
  });
  buffers.push_back(to.scale);
  buffers.push_back(to.zero);
  lowering.call(b.finish(), std::move(buffers), {.algorithm = "dynamic_scale"});
}

} // namespace enfold::lower
