// Types of ops that change or report shapes.
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

/// Axes counted from the front, without repetition.
Result<std::vector<int64_t>> distinctAxes(std::vector<int64_t> axes, int64_t rank) {
  for (int64_t& axis : axes) {
    ENFOLD_TRY(axis, normalizeAxis(axis, rank));
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end())
    return failure(ErrorCode::BadAttribute, "an axis is named twice");
  return axes;
}

} // namespace

Types inferReshape(const InferContext& c) {
  ENFOLD_TRY(Shape y, c.constantInts(1));
  const Shape& x = c.shape(0);
  const bool allowZero = c.integer("allowzero") != 0;
  int64_t known = 1;
  std::optional<size_t> free;
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] == 0 && !allowZero) {
      if (i >= x.size())
        return failure(ErrorCode::ShapeMismatch,
                       fmt::format("reshape {} to {}: no such dimension to keep", str(x), str(y)));
      y[i] = x[i];
    }
    if (y[i] == -1) {
      if (free)
        return failure(ErrorCode::ShapeMismatch, "reshape has more than one free dimension");
      free = i;
    } else if (y[i] < 0 || __builtin_mul_overflow(known, y[i], &known)) {
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("reshape to {} is out of range", str(y)));
    }
  }
  const int64_t total = numElements(x);
  if (free) {
    if (known == 0 || total % known)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("reshape {} to {}: sizes do not divide", str(x), str(y)));
    y[*free] = total / known;
  } else if (known != total) {
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("reshape {} to {}: sizes differ", str(x), str(y)));
  }
  return one(c, y);
}

Types inferFlatten(const InferContext& c) {
  const Shape& x = c.shape(0);
  const auto rank = static_cast<int64_t>(x.size());
  int64_t axis = c.integer("axis");
  if (axis < -rank || axis > rank)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("axis {} is out of range for rank {}", axis, rank));
  if (axis < 0) axis += rank;
  const auto middle = x.begin() + static_cast<ptrdiff_t>(axis);
  return one(c, {numElements(Shape(x.begin(), middle)), numElements(Shape(middle, x.end()))});
}

Types inferSqueeze(const InferContext& c) {
  const Shape& x = c.shape(0);
  std::vector<int64_t> axes;
  if (c.has(1)) {
    ENFOLD_TRY(axes, c.constantInts(1));
    ENFOLD_TRY(axes, distinctAxes(axes, c.type(0).rank()));
  } else {
    for (size_t i = 0; i < x.size(); ++i)
      if (x[i] == 1) axes.push_back(static_cast<int64_t>(i));
  }
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::ranges::binary_search(axes, static_cast<int64_t>(i)))
      y.push_back(x[i]);
    else if (x[i] != 1)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("squeeze of axis {} of {}: its size is not 1", i, str(x)));
  }
  return one(c, y);
}

Types inferUnsqueeze(const InferContext& c) {
  ENFOLD_TRY(std::vector<int64_t> axes, c.constantInts(1));
  const auto rank = c.type(0).rank() + static_cast<int64_t>(axes.size());
  ENFOLD_TRY(axes, distinctAxes(axes, rank));
  Shape y;
  auto from = c.shape(0).begin();
  for (int64_t i = 0; i < rank; ++i) y.push_back(std::ranges::binary_search(axes, i) ? 1 : *from++);
  return one(c, y);
}

Types inferShape(const InferContext& c) {
  const int64_t rank = c.type(0).rank();
  const auto bound = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const int64_t begin = bound(c.integer("start"));
  const int64_t end = c.hasAttr("end") ? bound(c.integer("end")) : rank;
  return std::vector{Type{ElemType::I64, {std::max<int64_t>(0, end - begin)}, {}}};
}

Types inferSize(const InferContext&) { return std::vector{Type{ElemType::I64, {}, {}}}; }

Types inferConstantOfShape(const InferContext& c) {
  ENFOLD_TRY(Shape y, c.constantInts(0));
  ElemType elem = ElemType::F32;
  if (c.hasAttr("value")) {
    const Tensor& value = std::get<Tensor>(c.attr("value"));
    if (value.numElements() != 1)
      return failure(ErrorCode::ShapeMismatch, "value of constant_of_shape must hold one element");
    elem = value.elem();
  }
  return std::vector{Type{elem, y, {}}};
}

Types inferRange(const InferContext& c) {
  double bounds[3];
  for (size_t i = 0; i < 3; ++i) {
    if (c.type(i).elem != c.type(0).elem)
      return failure(ErrorCode::TypeMismatch, "operands of range differ in element type");
    ENFOLD_TRY(const Tensor* tensor, c.constant(i));
    if (tensor->numElements() != 1) return failure(ErrorCode::ShapeMismatch, "range takes scalars");
    bounds[i] =
        isInteger(tensor->elem()) ? static_cast<double>(tensor->asInt(0)) : tensor->asDouble(0);
  }
  if (bounds[2] == 0 || !std::isfinite(bounds[0] + bounds[1] + bounds[2]))
    return failure(ErrorCode::ShapeMismatch, "range with these bounds has no end");
  const double count = std::max(0.0, std::ceil((bounds[1] - bounds[0]) / bounds[2]));
  if (count > 1e12) return failure(ErrorCode::ShapeMismatch, "range is too long");
  return one(c, {static_cast<int64_t>(count)});
}

Types inferEyeLike(const InferContext& c) {
  ENFOLD_RETURN_IF_ERROR(needsRank(c, 0, 2));
  return std::vector{Type{c.hasAttr("dtype") ? c.elem("dtype") : c.type(0).elem, c.shape(0), {}}};
}

Types inferReduce(const InferContext& c) {
  const Shape& x = c.shape(0);
  const bool keep = c.integer("keepdims") != 0;
  std::vector<int64_t> axes;
  if (c.has(1)) {
    ENFOLD_TRY(axes, c.constantInts(1));
    ENFOLD_TRY(axes, distinctAxes(axes, c.type(0).rank()));
  }
  if (axes.empty() && c.integer("noop_with_empty_axes")) return one(c, x);
  Shape y;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool reduced = axes.empty() || std::ranges::binary_search(axes, static_cast<int64_t>(i));
    if (!reduced)
      y.push_back(x[i]);
    else if (keep)
      y.push_back(1);
  }
  return one(c, y);
}

Types inferArgReduce(const InferContext& c) {
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  Shape y = c.shape(0);
  if (y[static_cast<size_t>(axis)] == 0)
    return failure(ErrorCode::ShapeMismatch, c.info().name + " over an empty axis");
  if (c.integer("keepdims"))
    y[static_cast<size_t>(axis)] = 1;
  else
    y.erase(y.begin() + static_cast<ptrdiff_t>(axis));
  return std::vector{Type{ElemType::I64, y, {}}};
}

/// Sums or products along an axis that an operand gives.
Types inferScan(const InferContext& c) {
  if (!isFloat(c.type(0).elem) && !isInteger(c.type(0).elem))
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("{} is not defined for {}", c.info().name, name(c.type(0).elem)));
  if (!isInteger(c.type(1).elem) || c.type(1).numElements() != 1)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("operand 'axis' of {} must be one integer, not {}", c.info().name,
                               c.type(1).str()));
  if (const auto axis = c.constantInts(1))
    ENFOLD_RETURN_IF_ERROR(normalizeAxis((*axis)[0], c.type(0).rank()));
  return one(c, c.shape(0));
}

Types inferTopK(const InferContext& c) {
  ENFOLD_TRY(const int64_t axis, normalizeAxis(c.integer("axis"), c.type(0).rank()));
  ENFOLD_TRY(const std::vector<int64_t> k, c.constantInts(1));
  Shape y = c.shape(0);
  if (k.size() != 1 || k[0] < 0 || k[0] > y[static_cast<size_t>(axis)])
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("topk of {} elements out of {}", k.empty() ? 0 : k[0],
                               y[static_cast<size_t>(axis)]));
  y[static_cast<size_t>(axis)] = k[0];
  return std::vector{Type{c.type(0).elem, y, {}}, Type{ElemType::I64, y, {}}};
}

} // namespace enfold
