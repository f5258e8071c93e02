// Ops that read by indices: constants, or places in what is known exactly. And ops that read
// between pixels.
#include "fuzz/Parts.h"

#include <algorithm>

namespace enfold::fuzz {
namespace {

size_t fromStart(int64_t axis, const Value* x) {
  return static_cast<size_t>(axis < 0 ? axis + x->type().rank() : axis);
}

/// Numbers in [-size, size).
Value* indices(Draft& d, const Shape& shape, int64_t size) {
  Ints values(static_cast<size_t>(numElements(shape)));
  for (int64_t& value : values)
    value = d.random.chance(80) ? d.random.below(size) : d.random.in(-size, -1);
  return d.ints(values, shape, d.random.pick({ElemType::I64, ElemType::I64, ElemType::I32}));
}

/// Tuples that name elements of the first `depth` dimensions, in order from a random one on: none
/// twice.
Ints tuples(Draft& d, const Shape& shape, size_t depth, int64_t count) {
  int64_t total = 1;
  for (size_t i = 0; i < depth; ++i) total *= shape[i];
  const int64_t first = d.random.below(total);
  Ints values;
  if (total == 0) count = 0;
  for (int64_t n = 0; n < count; ++n) {
    int64_t flat = (first + n) % total;
    Ints tuple(depth);
    for (size_t i = depth; i-- > 0; flat /= shape[i]) tuple[i] = flat % shape[i];
    values.insert(values.end(), tuple.begin(), tuple.end());
  }
  return values;
}

void scatterTuples(Draft& d, Value* x, const std::string& reduction) {
  const auto depth = static_cast<size_t>(d.random.in(1, x->type().rank()));
  int64_t total = 1;
  for (size_t i = 0; i < depth; ++i) total *= x->shape()[i];
  const int64_t count = std::min(total, d.random.in(0, 5));
  Shape updates = {count};
  updates.insert(updates.end(), x->shape().begin() + static_cast<ptrdiff_t>(depth),
                 x->shape().end());
  d.op(OpKind::ScatterND,
       {x, d.ints(tuples(d, x->shape(), depth, count), {count, static_cast<int64_t>(depth)}),
        d.numbers(updates, -1, 1)},
       {{"reduction", reduction}});
}

/// Every line along the axis gets its updates in other places: none twice.
void scatterElements(Draft& d, Value* x, const std::string& reduction) {
  const int64_t axis = d.axisOf(x);
  const size_t along = fromStart(axis, x);
  const int64_t size = x->shape()[along];
  Shape shape = x->shape();
  shape[along] = std::min(size, d.random.in(1, size));
  int64_t inner = 1;
  for (size_t i = along + 1; i < shape.size(); ++i) inner *= shape[i];
  Ints values(static_cast<size_t>(numElements(shape)));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    values[i] = ((at / inner) % shape[along] + at % inner) % size;
  }
  d.op(OpKind::ScatterElements, {x, d.ints(values, shape), d.numbers(shape, -1, 1)},
       {{"axis", axis}, {"reduction", reduction}});
}

} // namespace

void gather(Draft& d) {
  Value* x = d.image();
  const int64_t axis = d.axisOf(x);
  const int64_t size = x->shape()[fromStart(axis, x)];
  if (size == 0) return; // no index is in range
  switch (d.random.below(4)) {
  case 0: {
    Shape shape = x->shape();
    shape[fromStart(axis, x)] = d.random.in(1, 4);
    d.op(OpKind::GatherElements, {x, indices(d, shape, size)}, {{"axis", axis}});
    return;
  }
  case 1: {
    const auto depth = static_cast<size_t>(d.random.in(1, x->type().rank()));
    const int64_t count = numElements(x->shape()) > 0 ? d.random.in(1, 5) : 0;
    d.op(OpKind::GatherND,
         {x, d.ints(tuples(d, x->shape(), depth, count), {count, static_cast<int64_t>(depth)})});
    return;
  }
  default: {
    const Shape shape = d.random.pick({Shape{}, Shape{1}, Shape{3}, Shape{2, 2}});
    d.op(OpKind::Gather, {x, indices(d, shape, size)}, {{"axis", axis}});
  }
  }
}

void scatter(Draft& d) {
  Value* x = d.image();
  const std::string reduction = d.random.pick({"none", "none", "add", "mul", "max", "min"});
  if (d.random.chance(50))
    scatterTuples(d, x, reduction);
  else
    scatterElements(d, x, reduction);
}

void order(Draft& d) {
  if (d.random.chance(40)) {
    Value* x = d.exact();
    const OpKind kind = d.random.pick({OpKind::ArgMax, OpKind::ArgMin});
    Value* best = d.op(kind, {x},
                       {{"axis", d.axisOf(x)},
                        {"keepdims", d.random.below(2)},
                        {"select_last_index", d.random.below(2)}});
    if (best && d.random.chance(50)) d.op(OpKind::Cast, {best}, {{"to", d.elem}});
    if (best && d.random.chance(30))
      d.op(OpKind::OneHot, {best, d.ints({4}), d.numbers({2}, -1, 1)}, {{"axis", d.axisOf(best)}});
    return;
  }
  const bool isExact = d.random.chance(40);
  Value* x = isExact ? d.exact() : d.image();
  const int64_t axis = d.axisOf(x);
  const int64_t k = d.random.in(1, x->shape()[fromStart(axis, x)]);
  Value* best =
      d.op(OpKind::TopK, {x, d.ints({k})}, {{"axis", axis}, {"largest", d.random.below(2)}}, 2);
  if (best && !isExact) d.unsteady.insert(best->producer()->result(1));
}

void resize(Draft& d) {
  std::vector<float> scales = {1, 1};
  const float factor = d.random.pick({2.0f, 2.0f, 2.0f, 3.0f, 1.5f, 0.5f});
  for (int i = 0; i < d.spatial; ++i) scales.push_back(d.random.chance(80) ? factor : 1.0f);
  Value* by =
      d.constant(Tensor::of({static_cast<int64_t>(scales.size())}, std::span<const float>(scales)));
  const std::string mode = d.random.pick({"nearest", "nearest", "linear", "linear", "cubic"});
  const bool nearest = mode == "nearest";
  AttrMap attrs = {{"mode", mode}};
  attrs["coordinate_transformation_mode"] =
      std::string(nearest ? d.random.pick({"asymmetric", "half_pixel"})
                          : d.random.pick({"half_pixel", "align_corners", "asymmetric",
                                           "pytorch_half_pixel", "half_pixel_symmetric"}));
  if (nearest) attrs["nearest_mode"] = std::string("floor");
  if (!nearest && d.random.chance(15)) attrs["antialias"] = int64_t{1};
  d.op(OpKind::Resize, {d.image(), nullptr, by}, std::move(attrs));
}

void sample(Draft& d) {
  Value* x = d.image();
  const int64_t batch = x->shape()[0];
  if (d.spatial == 2 && d.random.chance(30)) {
    const int64_t count = d.random.in(1, 3);
    Ints images(static_cast<size_t>(count));
    for (int64_t& image : images) image = d.random.below(batch);
    d.op(OpKind::RoiAlign, {x, d.numbers({count, 4}, 0, 8), d.ints(images)},
         {{"output_height", d.random.in(1, 3)},
          {"output_width", d.random.in(1, 3)},
          {"sampling_ratio", d.random.below(3)},
          {"mode", std::string(d.random.pick({"avg", "max"}))}});
    return;
  }
  if (d.spatial == 1) return;
  Shape shape = {batch};
  for (int i = 0; i < d.spatial; ++i) shape.push_back(d.random.in(1, 5));
  shape.push_back(d.spatial);
  const char* mode = d.spatial == 2 ? d.random.pick({"linear", "cubic", "nearest"}) : "linear";
  d.op(OpKind::GridSample, {x, d.numbers(shape, -1.3, 1.3)},
       {{"mode", std::string(mode)},
        {"align_corners", d.random.below(2)},
        {"padding_mode", std::string(d.random.pick({"zeros", "border", "reflection"}))}});
}

} // namespace enfold::fuzz
