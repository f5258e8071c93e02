// Indices of a byte pick from a table of 256 whatever they are, so none is checked, and tensors are
// walked as they lie in memory.
#include "lower/index/Lookup.h"

#include "lower/Nest.h"
#include "lower/Scalars.h"

namespace enfold::lower {
namespace {

constexpr int64_t kElementsPerIteration = 8192;

/// Elements of the tensor in memory, those that fill up blocks included.
int64_t storedElements(const Type& type) {
  return type.numBytes() / static_cast<int64_t>(byteSize(type.elem));
}

bool isLookup(const Op& op) {
  const ElemType index = op.own(1)->elem();
  return op.own(0)->shape() == Shape{256} && (index == ElemType::U8 || index == ElemType::I8);
}

} // namespace

std::string refuseLookup(const Op& op, const kir::Target&) {
  if (!isLookup(op)) return "no table of 256 that bytes pick from";
  if (!scalarOf(op.result()->elem())) return "element type without a register type";
  if (op.own(1)->type().layout != op.result()->type().layout)
    return "indices and result lie in memory differently";
  return "";
}

OpLayouts lookupLayouts(const Op& op, const kir::Target&) {
  if (!isLookup(op)) return {};
  const Layout layout = op.own(1)->type().layout;
  return {layout, layout};
}

void lowerLookup(const Op& op, Lowering& lowering) {
  const int64_t count = storedElements(op.result()->type());
  const kir::Scalar elem = *scalarOf(op.result()->elem());
  kir::Builder b("lookup");
  const kir::Buffer table = b.input("table", elem, 256);
  const kir::Buffer src = b.input("src", kir::Scalar::U8, count);
  const kir::Buffer dst = b.output("dst", elem, count);
  const int lanes = lowering.target().lanes(kir::Scalar::I32);
  walkNest(b, makeNest({count}, kElementsPerIteration), {4 * lanes, lanes},
           [&](const std::vector<kir::Index>& at, int width) {
             const kir::Value index = b.cast(b.load(src[at[0]], width), kir::Scalar::I32);
             b.store(dst[at[0]], b.gather(table[0], index));
           });
  lowering.call(
      b.finish(),
      {lowering.storage(op.own(0)), lowering.storage(op.own(1)), lowering.storage(op.result())},
      {.algorithm = "lookup",
       .bytes =
           static_cast<double>(op.own(1)->type().numBytes() + op.result()->type().numBytes())});
}

} // namespace enfold::lower
