// Ops that mark one element of a line: their mark is where a number equals the position.
#include "passes/Match.h"
#include "passes/decompose/Parts.h"

namespace enfold {

/// 1 where argmax points, else 0.
Results decomposeHardmax(Parts& parts) {
  Value* x = parts.own(0);
  const int64_t axis = frontAxis(parts.op().integer("axis"), x->type().rank());
  if (x->type().numElements() == 0) return {};
  Value* best = parts.make(OpKind::ArgMax, {x}, {{"axis", axis}});
  const auto at = static_cast<size_t>(axis);
  Value* positions = parts.iota(ElemType::I64, x->shape()[at], at, x->shape().size(), "positions");
  return parts.cast(parts.make(OpKind::Equal, {best, positions}), x->elem());
}

/// The on value where the index, counted from either end, is the position, else the off value.
Results decomposeOneHot(Parts& parts) {
  const Op& op = parts.op();
  Value *indices = parts.own(0), *values = parts.own(2);
  const Shape& y = op.result()->shape();
  const auto axis = static_cast<size_t>(frontAxis(op.integer("axis"), op.result()->type().rank()));
  if (!isInteger(indices->elem()) || values->type().numElements() != 2 ||
      op.result()->type().numElements() == 0)
    return {};
  Shape column = y;
  column[axis] = 1;
  const int64_t depth = y[axis];
  indices = parts.cast(indices, ElemType::I64);
  const ElemType elem = ElemType::I64;
  Value* at = parts.reshape(indices, column);
  Value* isNegative = parts.make(OpKind::Less, {at, parts.number(elem, 0, "zero")});
  Value* fromEnd =
      parts.make(OpKind::Add, {at, parts.number(elem, static_cast<double>(depth), "depth")});
  at = parts.make(OpKind::Where, {isNegative, fromEnd, at});
  Value* isThere =
      parts.make(OpKind::Equal, {at, parts.iota(elem, depth, axis, y.size(), "positions")});
  const auto value = [&](int64_t i) {
    Value* part = parts.make(OpKind::Slice, {parts.reshape(values, {2}), parts.ints({i}, "starts"),
                                             parts.ints({i + 1}, "ends")});
    return part;
  };
  return parts.make(OpKind::Where, {isThere, value(1), value(0)});
}

} // namespace enfold
