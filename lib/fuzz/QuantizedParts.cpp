// Networks between dequantizations and quantizations, as quantizers write them. Scales are powers
// of two and sums are small, so that floats and integers agree to the bit, in ties too, which are
// common.
#include "fuzz/Parts.h"

#include <algorithm>
#include <cmath>

namespace enfold::fuzz {
namespace {

struct Codes {
  Value *scale, *zero;
  ElemType type;
  double step;
};

/// Zero points at the ends of the type, in its middle, and odd ones.
Codes codesOf(Draft& d, double step) {
  const ElemType type = d.random.pick({ElemType::U8, ElemType::U8, ElemType::I8});
  const int64_t low = type == ElemType::U8 ? 0 : -128;
  const int64_t zero = low + d.random.pick<int64_t>({0, 128, 255, d.random.in(0, 255)});
  Tensor scale = Tensor::scalar(static_cast<float>(step));
  return {d.constant(std::move(scale)), d.ints({zero}, {}, type), type, step};
}

double powerOfTwo(Draft& d, int low, int high) {
  return std::ldexp(1.0, static_cast<int>(d.random.in(low, high)));
}

Value* quantize(Draft& d, Value* x, const Codes& codes) {
  return d.op(OpKind::QuantizeLinear, {x, codes.scale, codes.zero});
}
Value* dequantize(Draft& d, Value* x, const Codes& codes) {
  return d.op(OpKind::DequantizeLinear, {x, codes.scale, codes.zero});
}

/// Small weights, some of extreme magnitude, with one scale or one for each index of `axis`.
Value* weightsOf(Draft& d, const Shape& shape, int64_t axis, double& step) {
  Ints codes(static_cast<size_t>(numElements(shape)));
  for (int64_t& code : codes)
    code = d.random.chance(3) ? d.random.pick<int64_t>({-128, 127}) : d.random.in(-9, 9);
  Value* w = d.ints(codes, shape, ElemType::I8);
  step = powerOfTwo(d, -7, -4);
  const bool perChannel = d.random.chance(60);
  Tensor scales(ElemType::F32, perChannel ? Shape{shape[static_cast<size_t>(axis)]} : Shape{});
  for (int64_t i = 0; i < scales.numElements(); ++i)
    scales.setDouble(i, perChannel ? step * powerOfTwo(d, -1, 1) : step);
  std::vector<Value*> operands = {w, d.constant(std::move(scales))};
  if (!perChannel && d.random.chance(30))
    operands.push_back(d.ints({d.random.in(-1, 0)}, {}, ElemType::I8));
  return d.op(OpKind::DequantizeLinear, std::move(operands),
              perChannel ? AttrMap{{"axis", axis}} : AttrMap{});
}

Value* layerOf(Draft& d, Value* x, double& step) {
  double weightStep = 1;
  if (d.random.chance(20) && x->shape().back() > 0) {
    const int64_t outputs = d.random.in(1, 18);
    Value* w = weightsOf(d, {x->shape().back(), outputs}, 1, weightStep);
    step *= weightStep;
    return d.op(OpKind::MatMul, {x, w});
  }
  const int64_t channels = x->shape()[1], group = d.groupOf(channels);
  Shape shape = {group * d.random.in(1, 3), channels / group};
  for (const int64_t k : d.each(1, 3)) shape.push_back(k);
  AttrMap attrs = {{"group", group}};
  if (d.random.chance(60)) attrs["pads"] = d.pads(1);
  if (d.random.chance(30)) attrs["strides"] = d.each(1, 2);
  std::vector<Value*> operands = {x, weightsOf(d, shape, 0, weightStep)};
  step *= weightStep;
  if (d.random.chance(40))
    operands.push_back(d.constant([&] {
      Tensor bias(ElemType::F32, {shape[0]});
      for (int64_t i = 0; i < shape[0]; ++i)
        bias.setDouble(i, step * static_cast<double>(d.random.in(-500, 500)));
      return bias;
    }()));
  return d.op(OpKind::Conv, std::move(operands), std::move(attrs));
}

/// What stands between a layer and its quantization, exact in floats.
Value* activated(Draft& d, Value* x, double step) {
  switch (d.random.below(5)) {
  case 0:
    return d.op(OpKind::Relu, {x});
  case 1:
    return d.op(OpKind::Clip, {x, d.scalar(0), d.scalar(step * 512)});
  case 2:
    return d.op(OpKind::LeakyRelu, {x}, {{"alpha", 0.25f}});
  default:
    return x;
  }
}

/// Ops that run on integers as on what they stand for.
Value* moved(Draft& d, Value* x) {
  switch (d.random.below(6)) {
  case 0:
    return d.op(OpKind::MaxPool, {x}, {{"kernel_shape", d.each(1, 2)}});
  case 1:
    return d.op(OpKind::Transpose, {x});
  case 2:
    return d.op(OpKind::Concat, {x, x}, {{"axis", int64_t{1}}});
  case 3:
    return d.op(OpKind::Flatten, {x});
  default:
    return x;
  }
}

} // namespace

void quantizedNetwork(Draft& d) {
  if (d.elem != ElemType::F32) return;
  Codes codes = codesOf(d, powerOfTwo(d, -6, -4));
  Value* x = d.exact();
  if (x->type().numElements() == 0) return;
  x = dequantize(d, quantize(d, x, codes), codes);
  for (int64_t n = d.random.in(1, 3); x && n > 0; --n) {
    if (x->type().rank() != d.spatial + 2) return;
    double step = codes.step;
    Value* y = layerOf(d, x, step);
    if (!y) return;
    y = activated(d, y, step);
    const Codes next = codesOf(d, std::ldexp(step, static_cast<int>(d.random.in(0, 5))));
    y = dequantize(d, quantize(d, y, next), next);
    codes = next;
    if (y && x->shape() == y->shape() && d.random.chance(60)) {
      codes = codesOf(d, 2 * codes.step);
      y = dequantize(d, quantize(d, d.op(OpKind::Add, {y, x}), codes), codes);
    }
    if (y && d.random.chance(40)) {
      Value* m = moved(d, y);
      // Quantized by the same scale again, or by another.
      if (d.random.chance(40)) codes = codesOf(d, codes.step * powerOfTwo(d, -1, 1));
      y = m ? dequantize(d, quantize(d, m, codes), codes) : nullptr;
    }
    x = y;
  }
}

} // namespace enfold::fuzz
