// Types that are written down because they depend on data.
#include "ir/Graph.h"
#include "ir/Infer.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold {
namespace {

/// Whether `y` can be `x` but for the sizes along `axis`, or with no axis along any.
bool sameBut(const Shape& y, const Shape& x, std::optional<int64_t> axis = {}) {
  if (y.size() != x.size()) return false;
  for (size_t d = 0; d < x.size(); ++d)
    if (y[d] != x[d] && axis && static_cast<int64_t>(d) != *axis) return false;
  return true;
}

bool isNowhereLarger(const Shape& y, const Shape& x) {
  return std::ranges::equal(y, x, std::ranges::less_equal());
}

/// Sizes of `x` of which some are reduced: to 1, or away.
bool isReduced(const Shape& y, const Shape& x, bool keepdims) {
  if (keepdims)
    return std::ranges::equal(y, x, [](int64_t a, int64_t b) { return a == b || a == 1; });
  auto from = x.begin();
  for (int64_t size : y) {
    from = std::find(from, x.end(), size);
    if (from == x.end()) return false;
    ++from;
  }
  return true;
}

/// Whether some data would give results of these types.
bool arePossible(OpKind kind, std::span<Value* const> operands, const AttrMap& attrs,
                 std::span<const Type> results) {
  const OpInfo& row = info(kind);
  const auto typeOf = [&](size_t i) {
    return i < operands.size() && operands[i] ? operands[i]->type() : Type{};
  };
  const auto axisOf = [&](int64_t rank) {
    return frontAxis(attrOr<int64_t>(row, attrs, "axis"), rank);
  };
  const Type x = typeOf(0), y = results.empty() ? Type{} : results.front();
  switch (kind) {
  case OpKind::Reshape:
  case OpKind::Squeeze:
  case OpKind::Unsqueeze:
    return y.elem == x.elem && y.numElements() == x.numElements();
  case OpKind::Expand: {
    const auto joint = broadcastShapes(x.shape, y.shape);
    return y.elem == x.elem && joint && *joint == y.shape;
  }
  case OpKind::Tile:
    return y.elem == x.elem &&
           std::ranges::equal(y.shape, x.shape, [](int64_t whole, int64_t part) {
             return part == 0 ? whole == 0 : whole % part == 0;
           });
  case OpKind::Slice:
    return y.elem == x.elem && isNowhereLarger(y.shape, x.shape);
  case OpKind::Pad:
  case OpKind::CenterCropPad:
  case OpKind::Resize:
  case OpKind::MaxUnpool:
    return y.elem == x.elem && sameBut(y.shape, x.shape);
  case OpKind::Split: {
    const int64_t axis = axisOf(x.rank());
    int64_t total = 0;
    for (const Type& part : results) {
      if (part.elem != x.elem || !sameBut(part.shape, x.shape, axis)) return false;
      total += part.shape[static_cast<size_t>(axis)];
    }
    return total == x.shape[static_cast<size_t>(axis)];
  }
  case OpKind::TopK: {
    const bool fits = y.elem == x.elem && sameBut(y.shape, x.shape, axisOf(x.rank())) &&
                      isNowhereLarger(y.shape, x.shape);
    return fits && (results.size() == 1 ||
                    (results[1].elem == ElemType::I64 && results[1].shape == y.shape));
  }
  case OpKind::OneHot: {
    const int64_t axis = axisOf(x.rank() + 1);
    Shape indices = y.shape;
    if (y.rank() != x.rank() + 1 || axis < 0 || axis >= y.rank()) return false;
    indices.erase(indices.begin() + axis);
    return y.elem == typeOf(2).elem && indices == x.shape;
  }
  case OpKind::ConstantOfShape: {
    const auto value = attrs.find("value");
    return y.elem ==
           (value == attrs.end() ? ElemType::F32 : std::get<Tensor>(value->second).elem());
  }
  case OpKind::Range:
    return y.elem == x.elem && y.rank() == 1;
  case OpKind::Col2Im:
    return y.elem == x.elem && x.rank() == 3 && y.rank() >= 3 && y.shape[0] == x.shape[0];
  case OpKind::AffineGrid:
    return y.elem == x.elem && x.rank() == 3 && y.rank() == x.shape[1] + 2 &&
           y.shape[0] == x.shape[0] && y.shape.back() == x.shape[1];
  case OpKind::NonMaxSuppression:
    return y.elem == ElemType::I64 && y.rank() == 2 && y.shape[1] == 3;
  default:
    // What is left are reductions over axes that an operand lists.
    return y.elem == x.elem &&
           isReduced(y.shape, x.shape, attrOr<int64_t>(row, attrs, "keepdims") != 0);
  }
}

} // namespace

Result<> checkStatedTypes(OpKind kind, std::span<Value* const> operands, const AttrMap& attrs,
                          std::span<const Type> results) {
  for (const Type& type : results) ENFOLD_RETURN_IF_ERROR(checkShape(type.shape, type.elem));
  if (arePossible(kind, operands, attrs, results)) return {};
  std::string operandTypes, stated;
  for (const Value* operand : operands)
    operandTypes += (operandTypes.empty() ? "" : ", ") + (operand ? operand->type().str() : "_");
  for (const Type& type : results) stated += (stated.empty() ? "" : ", ") + type.str();
  return invalid(fmt::format("{} of {} never gives {}", name(kind), operandTypes, stated));
}

} // namespace enfold
