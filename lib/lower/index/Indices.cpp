// Checks indices by their least and greatest.
#include "lower/index/Indices.h"

#include "lower/Scalars.h"
#include "lower/reduce/Fold.h"

#include <limits>

namespace enfold::lower {

using kir::Index;
using kir::Scalar;

std::string indicesRefusal(const Value* indices, std::span<const IndexRange> ranges) {
  if (indices->elem() != ElemType::I32 && indices->elem() != ElemType::I64)
    return "indices of another type than i32 and i64";
  if (!indices->type().layout.isPlain()) return "indices are not plain";
  if (const Tensor* constant = indices->constant())
    for (int64_t i = 0; i < constant->numElements(); ++i) {
      const IndexRange& range = ranges[static_cast<size_t>(i) % ranges.size()];
      if (constant->asInt(i) < range.low || constant->asInt(i) > range.high)
        return "an index is out of range";
    }
  return "";
}

void checkIndices(const Op& op, const Value* indices, std::span<const IndexRange> ranges,
                  Lowering& lowering) {
  const int64_t elements = indices->type().numElements();
  if (indices->constant() || elements == 0) return;
  const Scalar scalar = *scalarOf(indices->elem());
  const auto period = static_cast<int64_t>(ranges.size());
  const int lanes = lowering.target().lanes(scalar);
  kir::Builder b("check_indices");
  const kir::Buffer src = b.input("indices", scalar, elements);
  const kir::Buffer status = b.output("status", Scalar::I32, 1);
  b.parallelFor("once", 1, [&](const Index&) {
    kir::Value wrong = b.zero(kir::boolean());
    for (int64_t i = 0; i < period; ++i) {
      const auto extreme = [&](kir::Op fold) {
        const kir::Value found =
            foldRow(b, {fold, scalar}, elements / period, lanes, [&](const Index& at, int width) {
              return b.loadStrided(src[i + at * period], period, width);
            });
        return b.cast(found, Scalar::I64);
      };
      const IndexRange& range = ranges[static_cast<size_t>(i)];
      wrong = wrong | (extreme(kir::Op::Min) < range.low) | (extreme(kir::Op::Max) > range.high);
    }
    b.store(status[0], b.cast(wrong, Scalar::I32));
  });
  lowering.call(b.finish(), {lowering.storage(indices), lowering.temporary(sizeof(int32_t))},
                {.algorithm = "check_indices",
                 .check = op.describe() + ": '" + indices->name() + "' has an index out of range"});
}

kir::Value fromFront(kir::Builder& b, const kir::Value& indices, int64_t size, Scalar to) {
  const kir::Value wide = b.cast(indices, to);
  return b.select(wide < 0, wide + size, wide);
}

Scalar offsetScalar(int64_t elements) {
  return elements <= std::numeric_limits<int32_t>::max() ? Scalar::I32 : Scalar::I64;
}

} // namespace enfold::lower
