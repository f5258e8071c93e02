// Ops that move numbers about, and reductions.
#include "fuzz/Parts.h"

#include <algorithm>
#include <limits>

namespace enfold::fuzz {

void concat(Draft& d) {
  Value* first = d.image();
  std::vector<Value*> parts = {first};
  for (int i = 0; i < 6 && parts.size() < 4; ++i) {
    Value* other = d.image();
    Shape a = first->shape(), b = other->shape();
    a[1] = b[1] = 0;
    if (a == b) parts.push_back(other);
  }
  d.op(OpKind::Concat, std::move(parts), {{"axis", d.random.pick<int64_t>({1, 1, 1, -3})}});
}

void split(Draft& d) {
  Value* x = d.image();
  const int64_t channels = x->shape()[1];
  if (channels < 2) return;
  const int64_t first = d.random.chance(50) ? (channels + 1) / 2 : d.random.in(1, channels - 1);
  d.op(OpKind::Split, {x, d.ints({first, channels - first})}, {{"axis", int64_t{1}}}, 2);
}

void slice(Draft& d) {
  Value* x = d.image();
  const auto axis = static_cast<size_t>(d.random.in(1, d.spatial + 1));
  const int64_t size = x->shape()[axis];
  const int64_t begin = d.random.in(0, size - 1), end = d.random.in(begin + 1, size);
  const int64_t step = d.random.chance(70) ? 1 : 2;
  d.op(OpKind::Slice,
       {x, d.ints({begin}), d.ints({end}), d.ints({static_cast<int64_t>(axis)}), d.ints({step})});
}

void pad(Draft& d) {
  Value* x = d.image();
  const Ints around = d.pads(2);
  Ints amounts(static_cast<size_t>(2 * (d.spatial + 2)), 0);
  const auto s = static_cast<size_t>(d.spatial);
  for (size_t i = 0; i < s; ++i) {
    amounts[2 + i] = around[i];
    amounts[4 + s + i] = around[s + i];
  }
  const std::string mode = d.random.chance(75)   ? "constant"
                           : d.random.chance(50) ? "edge"
                                                 : "reflect";
  if (mode == "reflect")
    for (size_t i = 0; i < s; ++i)
      if (x->shape()[2 + i] <= 2) return;
  std::vector<Value*> operands = {x, d.ints(amounts)};
  if (mode == "constant" && d.random.chance(40))
    operands.push_back(d.scalar(d.random.pick({0.0, 0.5, -1.0})));
  d.op(OpKind::Pad, std::move(operands), {{"mode", mode}});
}

void movement(Draft& d) {
  Value* x = d.image();
  const int64_t channels = x->shape()[1];
  switch (d.random.below(4)) {
  case 0: { // there and back: NHWC as some exporters write it
    Ints there = {0}, back = {0, d.spatial + 1};
    for (int64_t i = 0; i < d.spatial; ++i) there.push_back(2 + i), back.push_back(1 + i);
    there.push_back(1);
    Value* moved = d.op(OpKind::Transpose, {x}, {{"perm", there}});
    if (moved && d.random.chance(50)) moved = d.op(OpKind::Relu, {moved});
    if (moved) d.op(OpKind::Transpose, {moved}, {{"perm", back}});
    return;
  }
  case 1: { // channel shuffle
    const int64_t group = d.groupOf(channels);
    Ints wide = {x->shape()[0], group, channels / group}, perm = {0, 2, 1};
    for (int i = 0; i < d.spatial; ++i) {
      wide.push_back(x->shape()[static_cast<size_t>(2 + i)]);
      perm.push_back(3 + i);
    }
    Value* apart = d.op(OpKind::Reshape, {x, d.ints(wide)});
    Value* swapped = apart ? d.op(OpKind::Transpose, {apart}, {{"perm", perm}}) : nullptr;
    if (swapped) d.op(OpKind::Reshape, {swapped, d.ints(x->shape())});
    return;
  }
  case 2:
    if (d.spatial == 2 && channels % 4 == 0)
      d.op(OpKind::DepthToSpace, {x},
           {{"blocksize", int64_t{2}}, {"mode", std::string(d.random.pick({"DCR", "CRD"}))}});
    return;
  default:
    if (d.spatial == 2) d.op(OpKind::SpaceToDepth, {x}, {{"blocksize", int64_t{2}}});
  }
}

void repeat(Draft& d) {
  Value* x = d.image();
  if (d.random.chance(50)) {
    Ints repeats;
    for (int i = 0; i < d.spatial + 2; ++i) repeats.push_back(d.random.chance(70) ? 1 : 2);
    d.op(OpKind::Tile, {x, d.ints(repeats)});
    return;
  }
  Value* pooled = d.op(OpKind::ReduceMax, {x, d.ints({-1})});
  d.op(OpKind::Expand, {pooled, d.ints(x->shape())});
}

void reverse(Draft& d) {
  Value* x = d.image();
  if (d.random.chance(60)) {
    const int64_t axis = d.axisOf(x);
    d.op(OpKind::Slice, {x, d.ints({-1}), d.ints({std::numeric_limits<int64_t>::min()}),
                         d.ints({axis}), d.ints({d.random.pick<int64_t>({-1, -1, -2})})});
    return;
  }
  const int64_t batch = d.random.below(2);
  const int64_t longest = x->shape()[static_cast<size_t>(1 - batch)];
  Ints lengths;
  for (int64_t i = 0; i < x->shape()[static_cast<size_t>(batch)]; ++i)
    lengths.push_back(std::min(longest, d.random.in(1, longest)));
  d.op(OpKind::ReverseSequence, {x, d.ints(lengths)},
       {{"batch_axis", batch}, {"time_axis", 1 - batch}});
}

void cropOrMask(Draft& d) {
  Value* x = d.image();
  if (d.random.chance(50)) {
    d.op(OpKind::Trilu, {x, d.ints({d.random.in(-3, 3)}, {})}, {{"upper", d.random.below(2)}});
    return;
  }
  Ints axes, sizes;
  for (int64_t axis = 2; axis < d.spatial + 2; ++axis) {
    axes.push_back(axis);
    sizes.push_back(d.random.in(1, x->shape()[static_cast<size_t>(axis)] + 3));
  }
  d.op(OpKind::CenterCropPad, {x, d.ints(sizes)}, {{"axes", axes}});
}

void reduce(Draft& d) {
  Ints axes;
  for (int64_t axis = d.random.chance(90); axis < d.spatial + 2; ++axis)
    if (d.random.chance(60)) axes.push_back(axis);
  if (axes.empty()) axes = {-1};
  OpKind kind = d.random.pick({OpKind::ReduceMean, OpKind::ReduceMax, OpKind::ReduceSum});
  Value* x = d.image();
  if (d.random.chance(40)) {
    kind = d.random.pick({OpKind::ReduceL1, OpKind::ReduceL2, OpKind::ReduceMin, OpKind::ReduceProd,
                          OpKind::ReduceSumSquare, OpKind::ReduceLogSumExp, OpKind::ReduceLogSum});
    if (kind == OpKind::ReduceProd) x = d.op(OpKind::Tanh, {x}); // nothing overflows
    if (kind == OpKind::ReduceLogSum)
      x = d.op(OpKind::Add, {d.op(OpKind::Abs, {x}), d.scalar(0.5)});
  }
  d.op(kind, {x, d.ints(axes)}, {{"keepdims", int64_t{d.random.chance(80)}}});
}

void scan(Draft& d) {
  const bool sums = d.random.chance(70);
  Value* x = sums ? d.image() : d.op(OpKind::Tanh, {d.image()}); // no product overflows
  if (!x) return;
  d.op(sums ? OpKind::CumSum : OpKind::CumProd, {x, d.ints({d.axisOf(x)}, {})},
       {{"exclusive", d.random.below(2)}, {"reverse", d.random.below(2)}});
}

} // namespace enfold::fuzz
