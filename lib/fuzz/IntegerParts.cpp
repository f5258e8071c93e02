// Arithmetic in integers, begun from what is known exactly: rounding to integers jumps.
#include "fuzz/Parts.h"

namespace enfold::fuzz {
namespace {

struct Scale {
  Value *scale, *zero;
};

Scale scaleOf(Draft& d, ElemType type, const Shape& shape = {}) {
  Ints zeros(static_cast<size_t>(numElements(shape)));
  const int64_t middle = type == ElemType::U8 ? 128 : 0;
  for (int64_t& zero : zeros) zero = middle + (shape.empty() ? d.random.in(-9, 9) : 0);
  Tensor scale(ElemType::F32, shape);
  for (int64_t i = 0; i < scale.numElements(); ++i) scale.setDouble(i, d.random.uniform(0.01, 0.1));
  return {d.constant(std::move(scale)), d.ints(zeros, shape, type)};
}

Ints anyOf(Draft& d, int64_t count, int64_t low, int64_t high) {
  Ints values(static_cast<size_t>(count));
  for (int64_t& value : values) value = d.random.in(low, high);
  return values;
}

void quantizedConv(Draft& d, Value* x, ElemType type, const Scale& in) {
  const int64_t channels = x->shape()[1], group = d.groupOf(channels), outputs = group * 3;
  Shape shape = {outputs, channels / group};
  for (const int64_t k : d.each(1, 3)) shape.push_back(k);
  Value* w = d.ints(anyOf(d, numElements(shape), -128, 127), shape, ElemType::I8);
  AttrMap attrs = {{"group", group}};
  if (d.random.chance(60)) attrs["pads"] = d.pads(1);
  if (d.random.chance(30)) attrs["strides"] = d.each(1, 2);
  if (d.random.chance(40)) {
    Value* sums = d.op(OpKind::ConvInteger, {x, w, in.zero}, std::move(attrs));
    d.op(OpKind::Mul, {d.op(OpKind::Cast, {sums}, {{"to", d.elem}}), d.scalar(1e-4)});
    return;
  }
  const Scale weights = scaleOf(d, ElemType::I8, d.random.chance(50) ? Shape{outputs} : Shape{});
  const Scale out = scaleOf(d, type);
  std::vector<Value*> operands = {x,         in.scale, in.zero, w, weights.scale, weights.zero,
                                  out.scale, out.zero};
  if (d.random.chance(50))
    operands.push_back(d.ints(anyOf(d, outputs, -5000, 5000), {outputs}, ElemType::I32));
  Value* y = d.op(OpKind::QLinearConv, std::move(operands), std::move(attrs));
  d.op(OpKind::DequantizeLinear, {y, out.scale, out.zero});
}

void quantizedProduct(Draft& d, Value* x, ElemType type, const Scale& in) {
  const int64_t inner = x->shape().back(), outputs = d.random.in(1, 18);
  Value* w = d.ints(anyOf(d, inner * outputs, -128, 127), {inner, outputs}, ElemType::I8);
  if (d.random.chance(50)) {
    Value* sums = d.op(OpKind::MatMulInteger, {x, w, in.zero});
    d.op(OpKind::Mul, {d.op(OpKind::Cast, {sums}, {{"to", d.elem}}), d.scalar(1e-4)});
    return;
  }
  const Scale weights = scaleOf(d, ElemType::I8), out = scaleOf(d, type);
  Value* y = d.op(OpKind::QLinearMatMul,
                  {x, in.scale, in.zero, w, weights.scale, weights.zero, out.scale, out.zero});
  d.op(OpKind::DequantizeLinear, {y, out.scale, out.zero});
}

} // namespace

void integers(Draft& d) {
  const ElemType type = d.random.pick(
      {ElemType::I32, ElemType::I32, ElemType::I64, ElemType::I8, ElemType::I16, ElemType::U8});
  Value* x = d.op(OpKind::Mul, {d.exact(), d.scalar(100)});
  if (type == ElemType::U8) x = d.op(OpKind::Abs, {x});
  Value* i = d.op(OpKind::Cast, {x}, {{"to", type}});
  for (int64_t n = d.random.in(0, 3); i && n > 0; --n) {
    const OpKind kind =
        d.random.pick({OpKind::Add, OpKind::Sub, OpKind::Mul, OpKind::Max, OpKind::Min,
                       OpKind::BitwiseAnd, OpKind::BitwiseXor, OpKind::Mod, OpKind::Div});
    i = d.op(kind, {i, d.random.chance(70) || kind == OpKind::Mod || kind == OpKind::Div
                           ? d.scalar(static_cast<double>(d.random.in(1, 9)), type)
                           : i});
  }
  if (!i) return;
  if (d.random.chance(20)) {
    i = d.op(OpKind::ReduceSum, {i, d.ints({1})});
    if (!i) return;
  }
  d.op(OpKind::Mul, {d.op(OpKind::Cast, {i}, {{"to", d.elem}}), d.scalar(0.01)});
}

void quantized(Draft& d) {
  if (d.elem != ElemType::F32) return;
  const ElemType type = d.random.pick({ElemType::U8, ElemType::I8});
  Value* x = d.exact();
  if (d.random.chance(15)) {
    Value* q = d.op(OpKind::DynamicQuantizeLinear, {x}, {}, 3);
    if (q) d.op(OpKind::DequantizeLinear, {q, q->producer()->result(1), q->producer()->result(2)});
    return;
  }
  const bool perChannel = d.random.chance(25);
  const Scale in = scaleOf(d, type, perChannel ? Shape{x->shape()[1]} : Shape{});
  Value* q = d.op(OpKind::QuantizeLinear, {x, in.scale, in.zero});
  if (!q) return;
  if (perChannel || d.random.chance(35))
    d.op(OpKind::DequantizeLinear, {q, in.scale, in.zero});
  else if (d.random.chance(65))
    quantizedConv(d, q, type, in);
  else
    quantizedProduct(d, q, type, in);
}

} // namespace enfold::fuzz
