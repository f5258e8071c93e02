// Movements of data that are slices, paddings and choices by a mask known at compile time.
#include "passes/Match.h"
#include "passes/decompose/Parts.h"

#include <algorithm>
#include <limits>

namespace enfold {

Results decomposeCastLike(Parts& parts) {
  AttrMap attrs = parts.op().attrs();
  attrs["to"] = parts.op().result()->elem();
  return parts.make(OpKind::Cast, {parts.own(0)}, std::move(attrs));
}

/// Indices that form an arithmetic progression cut out a slice, which may take no kernel at all.
Results decomposeGather(Parts& parts) {
  Value* x = parts.own(0);
  const auto indices = constantInts(parts.own(1));
  if (!indices || indices->empty()) return {};
  const int64_t axis = frontAxis(parts.op().integer("axis"), x->type().rank());
  const int64_t size = x->shape()[static_cast<size_t>(axis)];
  const auto inside = [&](int64_t i) { return i >= -size && i < size; };
  if (!std::ranges::all_of(*indices, inside)) return {};
  const auto at = [&](size_t i) { return frontAxis((*indices)[i], size); };
  const int64_t step = indices->size() > 1 ? at(1) - at(0) : 1;
  if (step == 0) return {};
  for (size_t i = 1; i < indices->size(); ++i)
    if (at(i) - at(i - 1) != step) return {};
  const int64_t past = at(indices->size() - 1) + (step > 0 ? 1 : -1);
  // Before the first element is as far in front as one can write: -1 would be the last.
  const int64_t end = past < 0 ? std::numeric_limits<int64_t>::min() : past;
  Value* slice =
      parts.make(OpKind::Slice, {x, parts.ints({at(0)}, "starts"), parts.ints({end}, "ends"),
                                 parts.ints({axis}, "axes"), parts.ints({step}, "steps")});
  return parts.reshape(slice, parts.op().result()->shape());
}

/// The middle is cut out along axes that shrink, and padded along those that grow.
Results decomposeCenterCropPad(Parts& parts) {
  Value* x = parts.own(0);
  const Shape &from = x->shape(), &to = parts.op().result()->shape();
  std::vector<int64_t> axes, starts, ends, before, after;
  bool pads = false;
  for (size_t i = 0; i < from.size(); ++i) {
    const int64_t grown = to[i] - from[i];
    before.push_back(std::max<int64_t>(grown, 0) / 2);
    after.push_back(std::max<int64_t>(grown, 0) - before.back());
    pads |= grown > 0;
    if (grown >= 0) continue;
    axes.push_back(static_cast<int64_t>(i));
    starts.push_back(-grown / 2);
    ends.push_back(starts.back() + to[i]);
  }
  if (!axes.empty())
    x = parts.make(OpKind::Slice, {x, parts.ints(starts, "starts"), parts.ints(ends, "ends"),
                                   parts.ints(axes, "axes")});
  before.insert(before.end(), after.begin(), after.end());
  if (pads) x = parts.make(OpKind::Pad, {x, parts.ints(before, "pads")});
  return x;
}

/// One triangle is kept by a mask.
Results decomposeTrilu(Parts& parts) {
  Value* x = parts.own(0);
  const auto k = parts.own(1) ? constantInts(parts.own(1)) : std::vector<int64_t>{0};
  const size_t rank = x->shape().size();
  if (!k || k->size() != 1 || rank < 2) return {};
  const int64_t rows = x->shape()[rank - 2], columns = x->shape()[rank - 1];
  const bool upper = parts.op().integer("upper") != 0;
  Tensor mask(ElemType::Bool, {rows, columns});
  bool* keep = mask.mutableData<bool>();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      const int64_t diagonal = column - row;
      *keep++ = upper ? diagonal >= k->front() : diagonal <= k->front();
    }
  return parts.make(OpKind::Where, {parts.constant(std::move(mask), "mask"), x,
                                    parts.number(x->elem(), 0, "zero")});
}

} // namespace enfold
