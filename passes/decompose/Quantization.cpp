// Quantized ops. A quantized number q stands for (q - zero point) * scale. Products are summed
// exactly in i32; scales are applied in f32, and conversion to the quantized type saturates.
#include "passes/decompose/Parts.h"

#include <algorithm>
#include <cstdlib>

namespace enfold {
namespace {

bool isQuantized(ElemType elem) { return isInteger(elem) && info(elem).bits >= 8; }

/// A scale or zero point shaped to broadcast over x: one for all, one for each index along `axis`,
/// or, of x's rank, one for each block of `block` indices along it.
Value* spread(Parts& parts, Value* parameter, const Shape& x, int64_t axis, int64_t block) {
  if (parameter->type().numElements() == 1) return parts.reshape(parameter, {});
  const auto at = static_cast<size_t>(frontAxis(axis, static_cast<int64_t>(x.size())));
  if (parameter->type().rank() == 1) {
    Shape column(x.size(), 1);
    column[at] = parameter->shape()[0];
    return parts.reshape(parameter, column);
  }
  if (block == 0) return parameter;
  Shape apart = parameter->shape(), together = apart;
  apart.insert(apart.begin() + static_cast<ptrdiff_t>(at) + 1, 1);
  Value* one = parts.reshape(parameter, apart);
  apart[at + 1] = block;
  together[at] *= block;
  Value* repeated =
      parts.reshape(parts.make(OpKind::Expand, {one, parts.ints(apart, "blocks")}), together);
  if (together[at] == x[at]) return repeated;
  const auto number = static_cast<int64_t>(at);
  return parts.make(OpKind::Slice, {repeated, parts.ints({0}, "starts"),
                                    parts.ints({x[at]}, "ends"), parts.ints({number}, "axes")});
}

/// round(x) + zero point, saturated.
Value* quantized(Parts& parts, Value* x, Value* zeroPoint, ElemType to) {
  Value* rounded = parts.make(OpKind::Round, {x});
  if (zeroPoint) rounded = parts.make(OpKind::Add, {rounded, parts.cast(zeroPoint, ElemType::F32)});
  return parts.cast(rounded, to);
}

/// x - zero point in a type that holds it.
Value* centered(Parts& parts, Value* x, Value* zeroPoint, ElemType type = ElemType::I32) {
  Value* wide = parts.cast(x, type);
  if (!zeroPoint) return wide;
  return parts.make(OpKind::Sub, {wide, parts.cast(zeroPoint, type)});
}

/// A parameter of the rows of a matrix: a vector of them becomes a column.
Value* ofRows(Parts& parts, Value* parameter) {
  if (!parameter || parameter->type().numElements() == 1)
    return parameter ? parts.reshape(parameter, {}) : nullptr;
  if (parameter->type().rank() > 1) return parameter;
  return parts.reshape(parameter, {parameter->shape()[0], 1});
}

Value* ofColumns(Parts& parts, Value* parameter) {
  const bool isOne = parameter && parameter->type().numElements() == 1;
  return isOne ? parts.reshape(parameter, {}) : parameter;
}

/// A parameter of the channels that `w` makes: a vector of them is shaped to broadcast over w, or
/// over results with as many dimensions.
Value* ofOutputs(Parts& parts, Value* parameter, const Shape& w, size_t axis) {
  if (!parameter) return nullptr;
  if (parameter->type().numElements() == 1) return parts.reshape(parameter, {});
  Shape shape(w.size(), 1);
  shape[axis] = parameter->type().numElements();
  return parts.reshape(parameter, shape);
}

/// The float type in which sums of products with these weights are exact: of numbers of 8 bits,
/// less their zero points, and with a zero point moved behind the convolution too.
ElemType exactFor(const Value* w, const Value* zeroPoint) {
  const Tensor *weights = w->constant(), *zero = zeroPoint ? zeroPoint->constant() : nullptr;
  if (!weights || (zeroPoint && !zero) || weights->numElements() == 0) return ElemType::F64;
  constexpr int64_t kExact = int64_t{1} << 24, kMost = 255;
  const int64_t inner = weights->numElements() / weights->shape()[0];
  int64_t sum = 0, greatest = 0;
  for (int64_t i = 0; i < weights->numElements(); ++i) {
    if (i % inner == 0) sum = 0;
    const int64_t shift = zero ? zero->asInt(zero->numElements() == 1 ? 0 : i / inner) : 0;
    sum += std::abs(weights->asInt(i) - shift);
    greatest = std::max(greatest, sum);
  }
  return 2 * kMost * greatest <= kExact ? ElemType::F32 : ElemType::F64;
}

Value* f32(Parts& parts, Value* x) { return parts.cast(x, ElemType::F32); }

/// sums * (scale of x * scale of w / scale of y)
Value* rescaled(Parts& parts, Value* sums, Value* xScale, Value* wScale, Value* yScale) {
  Value* products = parts.make(OpKind::Mul, {f32(parts, xScale), f32(parts, wScale)});
  Value* factor = parts.make(OpKind::Div, {products, parts.reshape(f32(parts, yScale), {})});
  return parts.make(OpKind::Mul, {f32(parts, sums), factor});
}

} // namespace

Results decomposeQuantizeLinear(Parts& parts) {
  const Op& op = parts.op();
  Value *x = parts.own(0), *scale = parts.own(1), *zeroPoint = parts.own(2);
  const ElemType to = op.result()->elem();
  const ElemType precision =
      elemTypeByNumber(static_cast<int>(op.integer("precision"))).value_or(scale->elem());
  if (!isQuantized(to) || x->elem() == ElemType::F64 || precision == ElemType::F64) return {};
  const int64_t axis = op.integer("axis"), block = op.integer("block_size");
  const auto over = [&](Value* parameter) {
    return spread(parts, parameter, x->shape(), axis, block);
  };
  Value* quotient =
      parts.make(OpKind::Div, {parts.cast(x, precision), parts.cast(over(scale), precision)});
  return quantized(parts, f32(parts, quotient), zeroPoint ? over(zeroPoint) : nullptr, to);
}

Results decomposeDequantizeLinear(Parts& parts) {
  const Op& op = parts.op();
  Value *x = parts.own(0), *zeroPoint = parts.own(2);
  const ElemType to = op.result()->elem();
  if (!isQuantized(x->elem()) || to == ElemType::F64) return {};
  const int64_t axis = op.integer("axis"), block = op.integer("block_size");
  const auto over = [&](Value* parameter) {
    return spread(parts, parameter, x->shape(), axis, block);
  };
  // Numbers of up to 16 bits and their differences are exact in f32.
  const bool small = info(x->elem()).bits <= 16;
  Value* difference = nullptr;
  if (!zeroPoint)
    difference = f32(parts, x);
  else if (small)
    difference = parts.make(OpKind::Sub, {f32(parts, x), f32(parts, over(zeroPoint))});
  else
    difference = f32(parts, centered(parts, x, over(zeroPoint)));
  return parts.cast(parts.make(OpKind::Mul, {difference, f32(parts, over(parts.own(1)))}), to);
}

Results decomposeMatMulInteger(Parts& parts) {
  Value* a = centered(parts, parts.own(0), ofRows(parts, parts.own(2)));
  Value* b = centered(parts, parts.own(1), ofColumns(parts, parts.own(3)));
  return parts.make(OpKind::MatMul, {a, b});
}

/// Zero points that are all the same, as one: other runtimes take no others.
Value* asOne(Parts& parts, Value* zeros) {
  const Tensor* tensor = zeros ? zeros->constant() : nullptr;
  if (!tensor || tensor->numElements() < 2) return zeros;
  for (int64_t i = 1; i < tensor->numElements(); ++i)
    if (tensor->asInt(i) != tensor->asInt(0)) return zeros;
  return parts.number(tensor->elem(), static_cast<double>(tensor->asInt(0)), "zero");
}

Results decomposeQLinearMatMul(Parts& parts) {
  Value* sums = parts.make(OpKind::MatMulInteger,
                           {parts.own(0), parts.own(3), parts.own(2), asOne(parts, parts.own(5))});
  Value* scaled = rescaled(parts, sums, ofRows(parts, parts.own(1)), ofColumns(parts, parts.own(4)),
                           parts.own(6));
  return quantized(parts, scaled, parts.reshape(parts.own(7), {}), parts.op().result()->elem());
}

/// By floats, for they are faster and as exact.
Results decomposeConvInteger(Parts& parts) {
  Value *x = parts.own(0), *w = parts.own(1), *xZero = parts.own(2), *wZero = parts.own(3);
  const ElemType type = exactFor(w, wZero);
  AttrMap attrs = parts.op().attrs();
  attrs["algorithm"] = std::string("direct");
  Value* sums = parts.make(OpKind::Conv,
                           {centered(parts, x, ofOutputs(parts, xZero, x->shape(), 1), type),
                            centered(parts, w, ofOutputs(parts, wZero, w->shape(), 0), type)},
                           std::move(attrs));
  return parts.cast(sums, ElemType::I32);
}

Results decomposeQLinearConv(Parts& parts) {
  Value* sums = parts.make(OpKind::ConvInteger,
                           {parts.own(0), parts.own(3), parts.own(2), asOne(parts, parts.own(5))},
                           parts.op().attrs());
  if (Value* bias = parts.own(8))
    sums = parts.make(OpKind::Add, {sums, ofOutputs(parts, bias, sums->shape(), 1)});
  Value* wScale = ofOutputs(parts, parts.own(4), sums->shape(), 1);
  Value* scaled = rescaled(parts, sums, parts.reshape(parts.own(1), {}), wScale, parts.own(6));
  return quantized(parts, scaled, parts.reshape(parts.own(7), {}), parts.op().result()->elem());
}

} // namespace enfold
