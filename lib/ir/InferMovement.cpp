// Types of ops that move elements about, and of sampling.
#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

using Types = Result<std::vector<Type>>;

std::vector<Type> one(const InferContext& c, Shape shape) {
  return {Type{c.type(0).elem, std::move(shape), {}}};
}

Result<> needsIndices(const InferContext& c, size_t operand) {
  if (isInteger(c.type(operand).elem)) return {};
  return failure(ErrorCode::TypeMismatch,
                 fmt::format("operand '{}' of {} must hold integers, not {}",
                             c.info().operands[operand].name, c.info().name,
                             name(c.type(operand).elem)));
}

/// Data with updates scattered into it.
Result<std::vector<Type>> scattered(const InferContext& c) {
  if (c.type(2).elem != c.type(0).elem)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("data and updates of {} are {} and {}: the element types must agree",
                               c.info().name, name(c.type(0).elem), name(c.type(2).elem)));
  return one(c, c.shape(0));
}

/// The axes an operand lists, or the first `count` ones.
Result<std::vector<int64_t>> axesOrAll(const InferContext& c, size_t operand, size_t count,
                                       int64_t rank) {
  std::vector<int64_t> axes;
  if (c.has(operand)) {
    ENFOLD_TRY(axes, c.constantInts(operand));
  } else {
    for (size_t i = 0; i < count; ++i) axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.size() != count)
    return failure(ErrorCode::ShapeMismatch,
                   "the number of axes differs from the number of values");
  std::vector<bool> seen(static_cast<size_t>(rank));
  for (int64_t& axis : axes) {
    ENFOLD_TRY(axis, normalizeAxis(axis, rank));
    if (seen[static_cast<size_t>(axis)])
      return failure(ErrorCode::BadAttribute, "an axis is named twice");
    seen[static_cast<size_t>(axis)] = true;
  }
  return axes;
}

} // namespace

Types inferTranspose(const InferContext& c) {
  const Shape& x = c.shape(0);
  std::vector<int64_t> perm = c.ints("perm");
  if (!c.hasAttr("perm"))
    for (size_t i = x.size(); i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  std::vector<bool> seen(x.size());
  Shape y;
  for (int64_t axis : perm) {
    if (axis < 0 || axis >= c.type(0).rank())
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("perm {} does not fit {}", str(perm), str(x)));
    if (seen[static_cast<size_t>(axis)])
      return failure(ErrorCode::BadAttribute, "perm names an axis twice");
    seen[static_cast<size_t>(axis)] = true;
    y.push_back(x[static_cast<size_t>(axis)]);
  }
  if (y.size() != x.size())
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("perm {} does not fit {}", str(perm), str(x)));
  return one(c, y);
}

Types inferConcat(const InferContext& c) {
  if (c.numOperands() == 0) return failure(ErrorCode::BadOperands, "concat needs an operand");
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  Shape y = c.shape(0);
  for (size_t i = 1; i < c.numOperands(); ++i) {
    Shape x = c.shape(i);
    if (c.type(i).elem != c.type(0).elem)
      return failure(ErrorCode::TypeMismatch, "operands of concat differ in element type");
    if (x.size() != y.size())
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("concat of {} and {}: ranks differ", str(c.shape(0)), str(x)));
    const int64_t size = std::exchange(x[static_cast<size_t>(axis)], y[static_cast<size_t>(axis)]);
    if (x != y)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("concat of {} and {} along axis {}: other sizes differ",
                                 str(c.shape(0)), str(c.shape(i)), axis));
    y[static_cast<size_t>(axis)] += size;
  }
  return one(c, y);
}

Types inferSplit(const InferContext& c) {
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  const int64_t size = c.shape(0)[static_cast<size_t>(axis)];
  const auto count = static_cast<int64_t>(c.numResults());
  std::vector<int64_t> parts;
  if (c.has(1)) {
    ENFOLD_TRY(parts, c.constantInts(1));
  } else {
    const int64_t wanted = c.hasAttr("num_outputs") ? c.integer("num_outputs") : count;
    if (wanted < 1 || wanted != count)
      return failure(ErrorCode::ShapeMismatch, "split into a wrong number of results");
    const int64_t part = (size + count - 1) / count;
    for (int64_t i = 0; i < count; ++i)
      parts.push_back(std::clamp<int64_t>(size - i * part, 0, part));
  }
  int64_t total = 0;
  for (int64_t part : parts) {
    if (part < 0 || part > size)
      return failure(ErrorCode::ShapeMismatch, "split has a part of negative or too large size");
    total += part;
  }
  if (static_cast<int64_t>(parts.size()) != count || total != size)
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("split of {} elements into {} results of {}", size, count, str(parts)));
  std::vector<Type> types;
  for (int64_t part : parts) {
    types.push_back(c.type(0));
    types.back().layout = {};
    types.back().shape[static_cast<size_t>(axis)] = part;
  }
  return types;
}

Types inferSlice(const InferContext& c) {
  ENFOLD_TRY(const std::vector<int64_t> starts, c.constantInts(1));
  ENFOLD_TRY(const std::vector<int64_t> ends, c.constantInts(2));
  ENFOLD_TRY(const std::vector<int64_t> axes, axesOrAll(c, 3, starts.size(), c.type(0).rank()));
  std::vector<int64_t> steps(starts.size(), 1);
  if (c.has(4)) {
    ENFOLD_TRY(steps, c.constantInts(4));
  }
  if (ends.size() != starts.size() || steps.size() != starts.size())
    return failure(ErrorCode::ShapeMismatch, "starts, ends and steps of slice differ in length");
  if (starts.size() > c.shape(0).size())
    return failure(ErrorCode::BadAttribute, "slice names too many axes");
  Shape y = c.shape(0);
  for (size_t i = 0; i < starts.size(); ++i) {
    const int64_t size = c.shape(0)[static_cast<size_t>(axes[i])], step = steps[i];
    if (step == 0 || step == INT64_MIN)
      return failure(ErrorCode::BadAttribute, "slice with step 0");
    const auto bound = [&](int64_t at, int64_t lo, int64_t hi) {
      return std::clamp<int64_t>(at < 0 && at >= -size ? at + size : at < 0 ? lo : at, lo, hi);
    };
    const int64_t from =
        step > 0 ? bound(starts[i], 0, size) : bound(starts[i], 0, std::max<int64_t>(size - 1, 0));
    const int64_t to = step > 0 ? bound(ends[i], 0, size) : bound(ends[i], -1, size - 1);
    const int64_t span = step > 0 ? to - from : from - to, stride = step > 0 ? step : -step;
    y[static_cast<size_t>(axes[i])] = size == 0 || span <= 0 ? 0 : (span - 1) / stride + 1;
  }
  return one(c, y);
}

Types inferPad(const InferContext& c) {
  ENFOLD_TRY(const std::vector<int64_t> pads, c.constantInts(1));
  if (pads.size() % 2) return failure(ErrorCode::ShapeMismatch, "pads must come in pairs");
  const size_t count = pads.size() / 2;
  if (!c.has(3) && count != c.shape(0).size())
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} pads do not fit {}", pads.size(), str(c.shape(0))));
  ENFOLD_TRY(const std::vector<int64_t> axes, axesOrAll(c, 3, count, c.type(0).rank()));
  const std::string mode = c.string("mode");
  constexpr int64_t kLimit = int64_t{1} << 40;
  if (std::ranges::any_of(pads, [](int64_t pad) { return pad > kLimit || pad < -kLimit; }))
    return failure(ErrorCode::ShapeMismatch, "pads are out of range");
  Shape y = c.shape(0);
  for (size_t i = 0; i < count; ++i) {
    int64_t& size = y[static_cast<size_t>(axes[i])];
    const int64_t left =
        size + std::min<int64_t>(0, pads[i]) + std::min<int64_t>(0, pads[count + i]);
    if (mode != "constant" && left <= 0 && (pads[i] > 0 || pads[count + i] > 0))
      return failure(ErrorCode::ShapeMismatch, "padding of an empty axis needs mode constant");
    size += pads[i] + pads[count + i];
    if (size < 0)
      return failure(ErrorCode::ShapeMismatch, "negative pads remove more than the axis has");
  }
  return one(c, y);
}

Types inferExpand(const InferContext& c) {
  ENFOLD_TRY(const Shape shape, c.constantInts(1));
  ENFOLD_TRY(Shape y, broadcastShapes(c.shape(0), shape));
  return one(c, y);
}

Types inferTile(const InferContext& c) {
  ENFOLD_TRY(const std::vector<int64_t> repeats, c.constantInts(1));
  Shape y = c.shape(0);
  if (repeats.size() != y.size())
    return failure(ErrorCode::ShapeMismatch, "tile needs one repeat per dimension");
  for (size_t i = 0; i < y.size(); ++i)
    if (repeats[i] < 0 || __builtin_mul_overflow(y[i], repeats[i], &y[i]))
      return failure(ErrorCode::ShapeMismatch, "repeats of tile are out of range");
  return one(c, y);
}

Types inferGather(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsIndices(c, 1));
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  const Shape &x = c.shape(0), &i = c.shape(1);
  Shape y(x.begin(), x.begin() + static_cast<ptrdiff_t>(axis));
  y.insert(y.end(), i.begin(), i.end());
  y.insert(y.end(), x.begin() + static_cast<ptrdiff_t>(axis) + 1, x.end());
  return one(c, y);
}

Types inferGatherElements(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsIndices(c, 1));
  const Shape &x = c.shape(0), &i = c.shape(1);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  bool fits = i.size() == x.size();
  for (size_t d = 0; fits && d < x.size(); ++d)
    fits = static_cast<int64_t>(d) == axis || i[d] <= x[d];
  if (!fits)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("indices {} do not fit data {}", str(i), str(x)));
  return one(c, i);
}

Types inferGatherND(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsIndices(c, 1));
  const Shape &x = c.shape(0), &i = c.shape(1);
  const int64_t batch = c.integer("batch_dims");
  const auto sameBatch = [&] {
    return std::equal(i.begin(), i.begin() + static_cast<ptrdiff_t>(batch), x.begin());
  };
  if (i.empty() || batch >= static_cast<int64_t>(i.size()) || i.back() < 0 ||
      batch + i.back() > static_cast<int64_t>(x.size()) || !sameBatch())
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("indices {} do not fit data {}", str(i), str(x)));
  Shape y(i.begin(), i.end() - 1);
  y.insert(y.end(), x.begin() + static_cast<ptrdiff_t>(batch + i.back()), x.end());
  return one(c, y);
}

Types inferScatterElements(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsIndices(c, 1));
  const Shape &x = c.shape(0), &i = c.shape(1);
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  bool fits = i.size() == x.size() && c.shape(2) == i;
  for (size_t d = 0; fits && d < x.size(); ++d)
    fits = static_cast<int64_t>(d) == axis || i[d] <= x[d];
  if (!fits)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("indices {} and updates {} do not fit data {}", str(i),
                               str(c.shape(2)), str(x)));
  return scattered(c);
}

Types inferScatterND(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsIndices(c, 1));
  const Shape &x = c.shape(0), &i = c.shape(1);
  if (i.empty() || i.back() > static_cast<int64_t>(x.size()))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("indices {} do not fit data {}", str(i), str(x)));
  Shape updates(i.begin(), i.end() - 1);
  updates.insert(updates.end(), x.begin() + static_cast<ptrdiff_t>(i.back()), x.end());
  if (c.shape(2) != updates)
    return failure(ErrorCode::ShapeMismatch, fmt::format("updates are {} where {} are needed",
                                                         str(c.shape(2)), str(updates)));
  return scattered(c);
}

Types inferReverseSequence(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsIndices(c, 1));
  const Shape& x = c.shape(0);
  const int64_t batch = c.integer("batch_axis"), time = c.integer("time_axis");
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 2));
  if (time != 1 - batch)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("reverse_sequence of {} with batch axis {} and time axis {}", str(x),
                               batch, time));
  if (c.shape(1) != Shape{x[static_cast<size_t>(batch)]})
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("reverse_sequence needs {} lengths, not {}",
                               x[static_cast<size_t>(batch)], str(c.shape(1))));
  return one(c, x);
}

Types inferTrilu(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 2));
  if (c.has(1) && (!isInteger(c.type(1).elem) || c.type(1).numElements() != 1))
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("operand 'k' of trilu must be one integer, not {}", c.type(1).str()));
  return one(c, c.shape(0));
}

Types inferDepthToSpace(const InferContext& c) {
  const Shape& x = c.shape(0);
  const int64_t s = c.integer("blocksize");
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 4));
  if (x[1] % (s * s))
    return failure(ErrorCode::ShapeMismatch, fmt::format("depth_to_space of {} by {}", str(x), s));
  return one(c, {x[0], x[1] / (s * s), x[2] * s, x[3] * s});
}

Types inferSpaceToDepth(const InferContext& c) {
  const Shape& x = c.shape(0);
  const int64_t s = c.integer("blocksize");
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 4));
  if (x[2] % s || x[3] % s)
    return failure(ErrorCode::ShapeMismatch, fmt::format("space_to_depth of {} by {}", str(x), s));
  return one(c, {x[0], x[1] * s * s, x[2] / s, x[3] / s});
}

Types inferOneHot(const InferContext& c) {
  ENFOLD_TRY(const Tensor* depth, c.constant(1));
  if (depth->numElements() != 1)
    return failure(ErrorCode::ShapeMismatch, "depth of one_hot must be one number");
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank() + 1));
  Shape y = c.shape(0);
  y.insert(y.begin() + static_cast<ptrdiff_t>(axis), static_cast<int64_t>(depth->asDouble(0)));
  return std::vector{Type{c.type(2).elem, y, {}}};
}

Types inferCenterCropPad(const InferContext& c) {
  ENFOLD_TRY(const Shape sizes, c.constantInts(1));
  std::vector<int64_t> axes = c.ints("axes");
  if (!c.hasAttr("axes"))
    for (size_t i = 0; i < c.shape(0).size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (axes.size() != sizes.size())
    return failure(ErrorCode::ShapeMismatch, "shape and axes differ in length");
  Shape y = c.shape(0);
  for (size_t i = 0; i < axes.size(); ++i) {
    ENFOLD_TRY(const int64_t axis, normalizeAxis(axes[i], c.type(0).rank()));
    y[static_cast<size_t>(axis)] = sizes[i];
  }
  return one(c, y);
}

Types inferCol2Im(const InferContext& c) {
  ENFOLD_TRY(const Shape image, c.constantInts(1));
  ENFOLD_TRY(const Shape block, c.constantInts(2));
  const Shape& x = c.shape(0);
  ENFOLD_RETURN_IF_ERROR(checkShape(image, c.type(0).elem));
  ENFOLD_RETURN_IF_ERROR(checkShape(block, c.type(0).elem));
  const int64_t taps = numElements(block);
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 3));
  if (block.size() != image.size() || taps <= 0 || x[1] % taps)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("col2im of {} with blocks {}", str(x), str(block)));
  ENFOLD_TRY(const Window w, windowOf(c.attrs(), block));
  Shape places;
  for (size_t i = 0; i < image.size(); ++i) {
    const int64_t span =
        image[i] + w.padsBegin[i] + w.padsEnd[i] - (block[i] - 1) * w.dilations[i] - 1;
    places.push_back(span < 0 ? 0 : span / w.strides[i] + 1);
  }
  ENFOLD_RETURN_IF_ERROR(checkShape(places, c.type(0).elem));
  if (numElements(places) != x[2])
    return failure(ErrorCode::ShapeMismatch, fmt::format("col2im of {} columns where {} are needed",
                                                         x[2], numElements(places)));
  Shape y = {x[0], x[1] / taps};
  y.insert(y.end(), image.begin(), image.end());
  return one(c, y);
}

Types inferResize(const InferContext& c) {
  const Shape& x = c.shape(0);
  const bool bySizes = c.has(3);
  const size_t source = bySizes ? 3 : 2;
  if (!c.has(source)) return failure(ErrorCode::ShapeMismatch, "resize needs scales or sizes");
  std::vector<int64_t> axes = c.ints("axes");
  if (!c.hasAttr("axes"))
    for (size_t i = 0; i < x.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  ENFOLD_TRY(const Tensor* values, c.constant(source));
  if (values->numElements() != static_cast<int64_t>(axes.size()))
    return failure(ErrorCode::ShapeMismatch, fmt::format("resize of {} axes by {} values",
                                                         axes.size(), values->numElements()));
  for (int64_t& axis : axes) {
    ENFOLD_TRY(axis, normalizeAxis(axis, c.type(0).rank()));
  }
  Shape y = x;
  const std::string policy = c.string("keep_aspect_ratio_policy");
  double common = 0; // of all axes, when the aspect ratio is kept
  if (bySizes && policy != "stretch")
    for (size_t i = 0; i < axes.size(); ++i) {
      const double scale =
          static_cast<double>(values->asInt(int64_t(i))) / double(x[size_t(axes[i])]);
      common = i == 0                   ? scale
               : policy == "not_larger" ? std::min(common, scale)
                                        : std::max(common, scale);
    }
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    const double value = values->asDouble(static_cast<int64_t>(i));
    // In single precision, as ONNX's own inference has it.
    const auto scaled = static_cast<float>(x[axis]) * static_cast<float>(value);
    const double size = !bySizes ? std::floor(static_cast<double>(scaled))
                        : common ? std::round(common * static_cast<double>(x[axis]))
                                 : value;
    if (!(size >= 0 && size < 1e12) || (!bySizes && !(value > 0)))
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("resize of {} to a size out of range", str(x)));
    y[axis] = static_cast<int64_t>(size);
  }
  return one(c, y);
}

Types inferAffineGrid(const InferContext& c) {
  ENFOLD_TRY(const Shape size, c.constantInts(1));
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 3));
  const Shape& theta = c.shape(0);
  const auto spatial = static_cast<int64_t>(size.size()) - 2;
  if ((spatial != 2 && spatial != 3) || theta != Shape{size[0], spatial, spatial + 1})
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("theta {} does not fit size {}", str(theta), str(size)));
  Shape y = {size[0]};
  y.insert(y.end(), size.begin() + 2, size.end());
  y.push_back(spatial);
  return one(c, y);
}

Types inferGridSample(const InferContext& c) {
  const Shape &x = c.shape(0), &grid = c.shape(1);
  ENFOLD_RETURN_IF_ERROR(needsRankAtLeast(c, 0, 3));
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 1, c.type(0).rank()));
  if (grid[0] != x[0] || grid.back() != static_cast<int64_t>(x.size()) - 2)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("grid {} does not fit input {}", str(grid), str(x)));
  Shape y = {x[0], x[1]};
  y.insert(y.end(), grid.begin() + 1, grid.end() - 1);
  return one(c, y);
}

Types inferNonMaxSuppression(const InferContext& c) {
  for (size_t i : {0, 1}) ENFOLD_RETURN_IF_ERROR(needsRank(c, i, 3));
  return std::unexpected(
      Error(ErrorKind::DataDependent, "the number of boxes kept is known only after running"));
}

} // namespace enfold
