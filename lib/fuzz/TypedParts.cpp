// Layers whose results are whole numbers, and tails behind them that change the element type.
// Numbers are kept away from where they would jump: every answer is known to the bit.
#include "fuzz/Parts.h"

#include <algorithm>

namespace enfold::fuzz {
namespace {

Value* wholeConstant(Draft& d, const Shape& shape, ElemType elem, int64_t low, int64_t high) {
  Tensor tensor(elem, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, static_cast<double>(d.random.in(low, high)));
  return d.constant(std::move(tensor));
}

/// One number for all, or one for each channel of x.
Shape parameterShape(Draft& d, const Value* x) {
  if (d.random.chance(40) || x->type().rank() < 2) return {};
  Shape shape(x->shape().size() - 1, 1);
  shape[0] = x->shape()[1];
  return shape;
}

Value* convOf(Draft& d, Value* x, OpKind kind) {
  const int64_t channels = x->shape()[1], group = d.groupOf(channels);
  const Ints kernel = d.each(1, 3);
  const int64_t each = d.random.in(1, 4);
  Shape shape =
      kind == OpKind::Conv ? Shape{group * each, channels / group} : Shape{channels, each};
  shape.insert(shape.end(), kernel.begin(), kernel.end());
  AttrMap attrs = {{"group", group}, {"strides", d.each(1, 2)}};
  if (d.random.chance(60)) attrs["pads"] = d.pads(1);
  std::vector<Value*> operands = {x, wholeConstant(d, shape, x->elem(), -3, 3)};
  if (d.random.chance(50)) operands.push_back(wholeConstant(d, {group * each}, x->elem(), -20, 20));
  return d.op(kind, std::move(operands), std::move(attrs));
}

Value* productOf(Draft& d, Value* x) {
  const int64_t outputs = d.random.in(1, 20);
  if (d.random.chance(50))
    return d.op(OpKind::MatMul,
                {x, wholeConstant(d, {x->shape().back(), outputs}, x->elem(), -3, 3)});
  Value* rows = d.op(OpKind::Flatten, {x});
  if (!rows || rows->shape()[1] > 600) return nullptr;
  std::vector<Value*> operands = {rows,
                                  wholeConstant(d, {rows->shape()[1], outputs}, x->elem(), -3, 3)};
  if (d.random.chance(50)) operands.push_back(wholeConstant(d, {outputs}, x->elem(), -20, 20));
  return d.op(OpKind::Gemm, std::move(operands));
}

/// Whole numbers of whole numbers, by a kernel of every family.
Value* layerOf(Draft& d, Value* x) {
  switch (d.random.below(9)) {
  case 0:
  case 1:
    return convOf(d, x, OpKind::Conv);
  case 2:
    return convOf(d, x, OpKind::ConvTranspose);
  case 3:
    return productOf(d, x);
  case 4:
    return d.op(OpKind::MaxPool, {x}, {{"kernel_shape", d.each(1, 3)}, {"pads", d.pads(0)}});
  case 5:
    return d.op(OpKind::GlobalMaxPool, {x});
  case 6:
    return d.op(d.random.pick({OpKind::ReduceSum, OpKind::ReduceMax, OpKind::ReduceL1}),
                {x, d.ints({d.axisOf(x)})});
  case 7: {
    Tensor scales(ElemType::F32, {x->type().rank()});
    for (int64_t i = 0; i < scales.numElements(); ++i)
      scales.setDouble(i, i < 2 ? 1 : static_cast<double>(d.random.in(1, 2)));
    return d.op(OpKind::Resize, {x, nullptr, d.constant(std::move(scales))},
                {{"coordinate_transformation_mode", std::string("asymmetric")},
                 {"nearest_mode", std::string("floor")}});
  }
  default:
    return d.op(OpKind::Abs, {x});
  }
}

/// To integers, arithmetic in them, and back.
Value* throughIntegers(Draft& d, Value* x) {
  const ElemType type = d.random.pick({ElemType::I32, ElemType::I32, ElemType::U8, ElemType::I8,
                                       ElemType::I16, ElemType::I64, ElemType::U32});
  Value* y = d.op(OpKind::Cast, {d.op(OpKind::Add, {x, d.scalar(0.25)})}, {{"to", type}});
  for (int64_t n = d.random.in(0, 3); y && n > 0; --n)
    y = d.op(d.random.pick({OpKind::Add, OpKind::Sub, OpKind::Mul, OpKind::Max, OpKind::Min,
                            OpKind::BitwiseAnd, OpKind::BitwiseXor, OpKind::Div}),
             {y, wholeConstant(d, parameterShape(d, y), type, 1, 9)});
  return d.op(OpKind::Cast, {y}, {{"to", d.elem}});
}

/// Scaled, rounded, moved and saturated; and mostly back.
Value* quantizedTail(Draft& d, Value* x) {
  const ElemType type = d.random.pick({ElemType::U8, ElemType::I8, ElemType::I16});
  Value* scale = d.constant(Tensor::scalar(static_cast<float>(d.random.pick({0.5, 1.0, 2.0}))));
  Value* zero = wholeConstant(d, {}, type, 0, 20);
  Value* q = d.op(OpKind::QuantizeLinear, {d.op(OpKind::Add, {x, d.scalar(0.125)}), scale, zero});
  return d.random.chance(75) ? d.op(OpKind::DequantizeLinear, {q, scale, zero}) : nullptr;
}

/// Compared, and chosen by.
Value* masked(Draft& d, Value* x) {
  Value* mask = d.op(d.random.pick({OpKind::Greater, OpKind::Less, OpKind::GreaterOrEqual}),
                     {d.op(OpKind::Add, {x, d.scalar(0.125)}),
                      wholeConstant(d, parameterShape(d, x), d.elem, -4, 4)});
  if (d.random.chance(30)) mask = d.op(OpKind::Not, {mask});
  if (d.random.chance(30)) return d.op(OpKind::Cast, {mask}, {{"to", d.elem}});
  std::vector<Value*> operands = {mask, wholeConstant(d, x->shape(), d.elem, -4, 4), d.scalar(1)};
  if (d.random.chance(50)) std::swap(operands[1], operands[2]);
  return d.op(OpKind::Where, std::move(operands));
}

/// As halves for a while; whole numbers that are not too large are halves too.
Value* throughHalves(Draft& d, Value* x) {
  const ElemType type = d.random.pick({ElemType::BF16, ElemType::F16, ElemType::F64});
  Value* y = d.op(OpKind::Clip, {x, d.scalar(-100), d.scalar(100)});
  y = d.op(OpKind::Cast, {y}, {{"to", type}});
  if (d.random.chance(60))
    y = d.op(OpKind::Add, {y, wholeConstant(d, parameterShape(d, x), type, -20, 20)});
  if (d.random.chance(50)) y = d.op(OpKind::Relu, {y});
  return d.op(OpKind::Cast, {y}, {{"to", d.elem}});
}

} // namespace

void typedTail(Draft& d) {
  if (d.elem != ElemType::F32) return;
  Value* whole = d.op(OpKind::Round, {d.op(OpKind::Mul, {d.exact(), d.scalar(8)})});
  Value* y = whole ? layerOf(d, whole) : nullptr;
  for (int64_t n = d.random.in(1, 3); y && n > 0; --n) {
    if (d.random.chance(30))
      y = d.op(OpKind::Add, {y, wholeConstant(d, y->shape(), d.elem, -20, 20)});
    if (y && d.random.chance(40)) y = d.op(OpKind::Relu, {y});
    auto* tail = d.random.pick({throughIntegers, quantizedTail, masked, throughHalves});
    y = y ? tail(d, y) : nullptr;
  }
}

} // namespace enfold::fuzz
