// Quantized operators of com.microsoft, which ONNX Runtime's quantizer and optimizer put into
// models. They become dequantize, operator, quantize; where the operator sums products, the sum
// stays in 32-bit integers and is exact.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Microsoft.h"
#include "onnx/adapters/Windows.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace enfold::onnx {
namespace {

/// Operand i as real numbers; its scale and zero point follow it.
Result<Value*> dequantized(Node& node, size_t i) {
  ENFOLD_TRY(Value * x, node.required(i));
  ENFOLD_TRY(Value * scale, node.required(i + 1));
  return node.emit(OpKind::DequantizeLinear, {x, scale, node.operand(i + 2)});
}

/// The node's result, quantized with the scale at operand i and the zero point behind it.
Result<Values> finishQuantized(Node& node, Value* y, size_t i) {
  ENFOLD_TRY(Value * scale, node.required(i));
  return node.finish(OpKind::QuantizeLinear, {y, scale, node.operand(i + 1)});
}

/// A quantized operator of one operand: its scale and zero point at 1 and 2, the result's at 3.
Result<Values> quantizedUnary(Node& node, OpKind kind, AttrMap attrs = {}) {
  ENFOLD_TRY(Value * x, dequantized(node, 0));
  ENFOLD_TRY(Value * y, node.emit(kind, {x}, std::move(attrs)));
  return finishQuantized(node, y, 3);
}

/// An operand as f32; a scalar if it has one element. An absent one is 0.
Result<Value*> asFloat(Node& node, Value* x) {
  if (!x) return node.scalarConstant(ElemType::F32, 0, "zero");
  if (x->elem() == ElemType::F32) return x;
  return node.emit(OpKind::Cast, {x}, {{"to", ElemType::F32}});
}

/// y, in steps of the result and with its zero point at operand i added, rounded: ties depend on
/// it.
Result<Values> finishSteps(Node& node, Value* y, size_t i) {
  const ElemType to = node.operand(i) ? node.operand(i)->elem() : ElemType::U8;
  ENFOLD_TRY(Value * rounded, node.emit(OpKind::Round, {y}));
  return node.finish(OpKind::Cast, {rounded}, {{"to", to}});
}

/// y, in steps of the result, rounded and then moved by the zero point at operand i.
Result<Values> finishMoved(Node& node, Value* y, size_t i, ElemType to) {
  AttrMap attrs;
  if (!node.operand(i)) attrs.emplace("output_dtype", to);
  return node.finish(OpKind::QuantizeLinear,
                     {y, node.scalarConstant(ElemType::F32, 1, "one"), node.operand(i)},
                     std::move(attrs));
}

/// Whether channels are last; the first operand has them behind the batch afterwards.
Result<bool> takeChannelsLast(Node& node) {
  ENFOLD_TRY(const int64_t last, node.take<int64_t>("channels_last", 0));
  if (last != 0) {
    ENFOLD_TRY(Value * x, node.required(0));
    ENFOLD_TRY(node.operands[0], channelsFirst(node, x));
  }
  return last != 0;
}

/// As quantizedUnary, for a window that may have channels last.
Result<Values> quantizedPool(Node& node, OpKind kind, bool channelsLast) {
  if (!channelsLast) return quantizedUnary(node, kind, node.attrs);
  ENFOLD_TRY(Value * x, dequantized(node, 0));
  ENFOLD_TRY(Value * y, node.emit(kind, {x}, std::move(node.attrs)));
  ENFOLD_TRY(Value * scale, node.required(3));
  ENFOLD_TRY(y, node.emit(OpKind::QuantizeLinear, {y, scale, node.operand(4)}));
  return finishChannelsLast(node, y);
}

/// y, the sum of products of quantized numbers, times their scales, with the bias added.
Result<Values> finishProduct(Node& node, Value* sums, Value* scale, Value* bias) {
  ENFOLD_TRY(Value * real, node.emit(OpKind::Cast, {sums}, {{"to", ElemType::F32}}));
  if (!bias) return node.finish(OpKind::Mul, {real, scale});
  ENFOLD_TRY(Value * y, node.emit(OpKind::Mul, {real, scale}));
  return node.finish(OpKind::Add, {y, bias});
}

} // namespace

// Operands: A, its scale and zero point, B, its scale and zero point, C (32-bit, scaled by the
// product of both scales), and the result's scale and zero point; without these it is float.
Result<Values> qgemm(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 1.0f));
  ENFOLD_TRY(const int64_t transA, node.take<int64_t>("transA", 0));
  ENFOLD_TRY(const int64_t transB, node.take<int64_t>("transB", 0));
  for (size_t i : {0, 1, 3, 4}) ENFOLD_RETURN_IF_ERROR(node.required(i));
  Value *a = node.operands[0], *b = node.operands[3];
  if (transA != 0) {
    ENFOLD_TRY(a, transposedMatrix(node, a));
  }
  if (transB != 0) {
    ENFOLD_TRY(b, transposedMatrix(node, b));
  }
  ENFOLD_TRY(Value * sum,
             node.emit(OpKind::MatMulInteger, {a, b, node.operand(2), node.operand(5)}));
  if (Value* c = node.operand(6)) {
    ENFOLD_TRY(sum, node.emit(OpKind::Add, {sum, c}));
  }
  ENFOLD_TRY(Value * real, node.emit(OpKind::Cast, {sum}, {{"to", ElemType::F32}}));
  ENFOLD_TRY(Value * scale, node.emit(OpKind::Mul, {node.operands[1], node.operands[4]}));
  if (alpha != 1.0f) {
    Value* factor = node.scalarConstant(ElemType::F32, alpha, "alpha");
    ENFOLD_TRY(scale, node.emit(OpKind::Mul, {scale, factor}));
  }
  if (node.operand(7) == nullptr) return node.finish(OpKind::Mul, {real, scale});
  ENFOLD_TRY(Value * ratio, node.emit(OpKind::Div, {scale, node.operand(7)}));
  ENFOLD_TRY(Value * y, node.emit(OpKind::Mul, {real, ratio}));
  return finishMoved(node, y, 8, ElemType::U8);
}

// a · ratio of scales + b · ratio of scales + what is left of the zero points, in f32 as ONNX
// Runtime adds it, then rounded.
Result<Values> qlinearAdd(Node& node) {
  ENFOLD_TRY(Value * outScale, node.required(6));
  ENFOLD_TRY(Value * fixed, asFloat(node, node.operand(7)));
  Value *parts[2], *moved[2];
  for (const size_t i : {0, 1}) {
    ENFOLD_TRY(Value * x, node.required(3 * i));
    ENFOLD_TRY(Value * scale, node.required(3 * i + 1));
    ENFOLD_TRY(Value * real, asFloat(node, x));
    ENFOLD_TRY(Value * zero, asFloat(node, node.operand(3 * i + 2)));
    ENFOLD_TRY(Value * ratio, node.emit(OpKind::Div, {scale, outScale}));
    ENFOLD_TRY(parts[i], node.emit(OpKind::Mul, {real, ratio}));
    ENFOLD_TRY(moved[i], node.emit(OpKind::Mul, {zero, ratio}));
  }
  ENFOLD_TRY(Value * zeros, node.emit(OpKind::Add, {moved[0], moved[1]}));
  ENFOLD_TRY(fixed, node.emit(OpKind::Sub, {fixed, zeros}));
  ENFOLD_TRY(Value * y, node.emit(OpKind::Add, {parts[0], fixed}));
  ENFOLD_TRY(y, node.emit(OpKind::Add, {y, parts[1]}));
  return finishSteps(node, y, 7);
}

// The exact product of a and b, less their zero points, times the ratio of scales.
Result<Values> qlinearMul(Node& node) {
  ENFOLD_TRY(Value * outScale, node.required(6));
  Value* centered[2];
  for (const size_t i : {0, 1}) {
    ENFOLD_TRY(Value * x, node.required(3 * i));
    ENFOLD_RETURN_IF_ERROR(node.required(3 * i + 1));
    ENFOLD_TRY(Value * real, asFloat(node, x));
    ENFOLD_TRY(Value * zero, asFloat(node, node.operand(3 * i + 2)));
    ENFOLD_TRY(centered[i], node.emit(OpKind::Sub, {real, zero}));
  }
  ENFOLD_TRY(Value * scale, node.emit(OpKind::Mul, {node.operands[1], node.operands[4]}));
  ENFOLD_TRY(Value * ratio, node.emit(OpKind::Div, {scale, outScale}));
  ENFOLD_TRY(Value * product, node.emit(OpKind::Mul, {centered[0], centered[1]}));
  ENFOLD_TRY(Value * y, node.emit(OpKind::Mul, {product, ratio}));
  ENFOLD_TRY(Value * zero, asFloat(node, node.operand(7)));
  ENFOLD_TRY(y, node.emit(OpKind::Add, {y, zero}));
  return finishSteps(node, y, 7);
}

Result<Values> qlinearSigmoid(Node& node) { return quantizedUnary(node, OpKind::Sigmoid); }

Result<Values> qlinearLeakyRelu(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 0.01f));
  return quantizedUnary(node, OpKind::LeakyRelu, {{"alpha", alpha}});
}

// The exact sum of all pixels, less their zero points, times scale / (scale of y · pixels).
Result<Values> qlinearGlobalAveragePool(Node& node) {
  ENFOLD_TRY(const bool channelsLast, takeChannelsLast(node));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * scale, node.required(1));
  ENFOLD_TRY(Value * outScale, node.required(3));
  const int64_t rank = x->type().rank();
  if (rank < 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its input {} has no pixels", x->type().str()));
  std::vector<int64_t> pixels;
  double count = 1;
  for (int64_t i = 2; i < rank; ++i) {
    pixels.push_back(i);
    count *= static_cast<double>(x->shape()[static_cast<size_t>(i)]);
  }
  ENFOLD_TRY(Value * wide, node.emit(OpKind::Cast, {x}, {{"to", ElemType::I32}}));
  if (Value* zero = node.operand(2)) {
    ENFOLD_TRY(zero, node.emit(OpKind::Cast, {zero}, {{"to", ElemType::I32}}));
    ENFOLD_TRY(wide, node.emit(OpKind::Sub, {wide, zero}));
  }
  ENFOLD_TRY(Value * sum,
             node.emit(OpKind::ReduceSum, {wide, node.intsConstant(pixels, "pixels")}));
  ENFOLD_TRY(
      Value * divisor,
      node.emit(OpKind::Mul, {outScale, node.scalarConstant(ElemType::F32, count, "count")}));
  ENFOLD_TRY(Value * ratio, node.emit(OpKind::Div, {scale, divisor}));
  ENFOLD_TRY(Value * real, asFloat(node, sum));
  ENFOLD_TRY(Value * y, node.emit(OpKind::Mul, {real, ratio}));
  const ElemType elem = x->elem();
  if (!channelsLast) return finishMoved(node, y, 4, elem);
  ENFOLD_TRY(y, node.emit(OpKind::QuantizeLinear,
                          {y, node.scalarConstant(ElemType::F32, 1, "one"), node.operand(4)}));
  return finishChannelsLast(node, y);
}

Result<Values> qlinearAveragePool(Node& node) {
  ENFOLD_TRY(const bool channelsLast, takeChannelsLast(node));
  ENFOLD_RETURN_IF_ERROR(makePaddingExplicit(node, std::nullopt));
  return quantizedPool(node, OpKind::AveragePool, channelsLast);
}

Result<Values> qlinearConvChannelsLast(Node& node) {
  ENFOLD_TRY(const bool channelsLast, takeChannelsLast(node));
  ENFOLD_RETURN_IF_ERROR(makePaddingExplicit(node, 3));
  if (!channelsLast) return node.finish();
  ENFOLD_TRY(Value * y, node.emit(OpKind::QLinearConv, node.operands, node.attrs));
  return finishChannelsLast(node, y);
}

// Operands: the result's scale and zero point, then each part with its own.
Result<Values> qlinearConcat(Node& node) {
  Values parts;
  for (size_t i = 2; i < node.operands.size(); i += 3) {
    ENFOLD_TRY(parts.emplace_back(), dequantized(node, i));
  }
  ENFOLD_TRY(Value * y, node.emit(OpKind::Concat, std::move(parts), node.attrs));
  return finishQuantized(node, y, 0);
}

Result<Values> qlinearReduceMean(Node& node) {
  ENFOLD_TRY(const auto axes, node.take<std::vector<int64_t>>("axes"));
  ENFOLD_TRY(const int64_t keep, node.take<int64_t>("keepdims", 1));
  ENFOLD_TRY(Value * x, dequantized(node, 0));
  Value* over = axes ? node.intsConstant(*axes, "axes") : nullptr;
  ENFOLD_TRY(Value * y, node.emit(OpKind::ReduceMean, {x, over}, {{"keepdims", keep}}));
  return finishQuantized(node, y, 3);
}

Result<Values> qlinearWhere(Node& node) {
  ENFOLD_TRY(Value * condition, node.required(0));
  ENFOLD_TRY(Value * x, dequantized(node, 1));
  ENFOLD_TRY(Value * y, dequantized(node, 4));
  ENFOLD_TRY(Value * z, node.emit(OpKind::Where, {condition, x, y}));
  return finishQuantized(node, z, 7);
}

// As ONNX Runtime computes it: powers of e are looked up by how far x is below the largest of its
// row, shifted so that they use the range of f32; quotients by their sum are multiplied with
// floor(1 / scale of y), rounded, and moved by the zero point.
Result<Values> qlinearSoftmax(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * scale, node.required(1));
  ENFOLD_TRY(Value * outScale, node.required(3));
  ENFOLD_TRY(const auto opset, node.take<int64_t>("opset"));
  ENFOLD_TRY(const auto stated, node.take<int64_t>("axis"));
  const bool flattened = opset.value_or(13) < 13; // axes from `axis` on are one
  const int64_t rank = x->type().rank();
  ENFOLD_TRY(const int64_t axis, normalizeAxis(stated.value_or(flattened ? 1 : -1), rank));
  const Shape shape = x->shape();
  const Tensor* known = node.known(scale);
  if (!known || known->numElements() != 1)
    return unsupported("the scale of its input is not known when the model is compiled");
  if (!isInteger(x->elem()) || info(x->elem()).bits != 8)
    return failure(ErrorCode::TypeMismatch,
                   fmt::format("its input {} is not of 8-bit integers", x->type().str()));
  int64_t along = axis, length = shape[static_cast<size_t>(axis)];
  if (flattened) {
    length = 1;
    for (size_t i = static_cast<size_t>(axis); i < shape.size(); ++i) length *= shape[i];
    const int64_t rows = length ? numElements(shape) / length : 0;
    ENFOLD_TRY(x, node.emit(OpKind::Reshape, {x, node.intsConstant({rows, length}, "rows")}));
    along = 1;
  }
  const double step = known->asDouble(0);
  const double largest = static_cast<double>(std::numeric_limits<float>::max());
  const double range = std::log(largest / static_cast<double>(std::max<int64_t>(length, 1)));
  Tensor powers(ElemType::F32, {256});
  for (int64_t i = 0; i < 256; ++i)
    powers.setDouble(i, std::exp(static_cast<double>(-i) * step + std::max(0.0, range - 5)));
  Value* axes = node.intsConstant({along}, "axes");
  ENFOLD_TRY(Value * wide, node.emit(OpKind::Cast, {x}, {{"to", ElemType::I32}}));
  ENFOLD_TRY(Value * most, node.emit(OpKind::ReduceMax, {wide, axes}));
  ENFOLD_TRY(Value * below, node.emit(OpKind::Sub, {most, wide}));
  ENFOLD_TRY(Value * power, node.emit(OpKind::Gather, {node.constant(powers, "powers"), below}));
  ENFOLD_TRY(Value * sum, node.emit(OpKind::ReduceSum, {power, axes}));
  ENFOLD_TRY(Value * inverse, node.emit(OpKind::Reciprocal, {outScale}));
  ENFOLD_TRY(Value * steps, node.emit(OpKind::Floor, {inverse}));
  ENFOLD_TRY(Value * scaled, node.emit(OpKind::Mul, {power, steps}));
  ENFOLD_TRY(Value * y, node.emit(OpKind::Div, {scaled, sum}));
  if (flattened) {
    ENFOLD_TRY(y, node.emit(OpKind::Reshape, {y, node.intsConstant(shape, "shape")}));
  }
  return finishMoved(node, y, 4, x->elem());
}

// Operands: A, B, both scales, both zero points, bias.
Result<Values> matMulIntegerToFloat(Node& node) {
  for (size_t i : {0, 1, 2, 3}) ENFOLD_RETURN_IF_ERROR(node.required(i));
  ENFOLD_TRY(Value * sums, node.emit(OpKind::MatMulInteger, {node.operands[0], node.operands[1],
                                                             node.operand(4), node.operand(5)}));
  ENFOLD_TRY(Value * scale, node.emit(OpKind::Mul, {node.operands[2], node.operands[3]}));
  return finishProduct(node, sums, scale, node.operand(6));
}

// A is quantized by its range. Operands: A, B, the scale and zero point of B, bias.
Result<Values> dynamicQuantizeMatMul(Node& node) {
  for (size_t i : {0, 1, 2}) ENFOLD_RETURN_IF_ERROR(node.required(i));
  ENFOLD_TRY(const Values a, node.emitAll(OpKind::DynamicQuantizeLinear, {node.operands[0]}, 3));
  ENFOLD_TRY(Value * sums,
             node.emit(OpKind::MatMulInteger, {a[0], node.operands[1], a[2], node.operand(3)}));
  ENFOLD_TRY(Value * scale, node.emit(OpKind::Mul, {a[1], node.operands[2]}));
  return finishProduct(node, sums, scale, node.operand(4));
}

// B [N, blocks, bytes] holds K weights of a few bits for each of N columns, the first in the low
// bits of a byte; each block of them has a scale and a zero point, the middle of the range if none
// is given. They are constants, and become a matrix of floats.
Result<Values> matMulNBits(Node& node) {
  ENFOLD_TRY(const int64_t rows, node.take<int64_t>("K", 0));
  ENFOLD_TRY(const int64_t columns, node.take<int64_t>("N", 0));
  ENFOLD_TRY(const int64_t bits, node.take<int64_t>("bits", 4));
  ENFOLD_TRY(const int64_t block, node.take<int64_t>("block_size", 0));
  ENFOLD_TRY(const int64_t packed, node.take<int64_t>("weight_prepacked", 0));
  node.drop({"accuracy_level"});
  for (size_t i : {0, 1, 2}) ENFOLD_RETURN_IF_ERROR(node.required(i));
  if (node.operand(4)) return unsupported("g_idx is not supported");
  if (packed != 0) return unsupported("weights packed for a processor are not supported");
  if (bits != 2 && bits != 4 && bits != 8)
    return failure(ErrorCode::BadAttribute, fmt::format("its bits are {}", bits));
  if (rows < 1 || columns < 1 || block < 1 || rows > INT32_MAX || columns > INT32_MAX ||
      block > (1 << 16))
    return failure(ErrorCode::BadAttribute,
                   fmt::format("its K, N and block_size are {}, {} and {}", rows, columns, block));
  const Tensor *codes = node.known(node.operands[1]), *scales = node.known(node.operands[2]);
  const Tensor* zeros = node.operand(3) ? node.known(node.operand(3)) : nullptr;
  if (!codes || !scales || (node.operand(3) && !zeros))
    return unsupported("its weights are not known when the model is compiled");
  const int64_t blocks = (rows + block - 1) / block, each = 8 / bits;
  const int64_t bytes = (block * bits + 7) / 8, zeroBytes = (blocks + each - 1) / each;
  if (scales->numElements() != columns * blocks || codes->elem() != ElemType::U8 ||
      codes->numElements() != columns * blocks * bytes || !isFloat(scales->elem()))
    return failure(ErrorCode::BadAttribute,
                   "its weights or scales have another size than K, N and block_size tell");
  const bool packedZeros = zeros && zeros->elem() == ElemType::U8;
  if (zeros && zeros->numElements() != columns * (packedZeros ? zeroBytes : blocks))
    return failure(ErrorCode::BadAttribute,
                   "its zero points have another size than K, N and block_size tell");
  const auto code = [&](const Tensor& tensor, int64_t first, int64_t i) {
    const auto byte = static_cast<uint64_t>(tensor.asInt(first + i / each));
    return static_cast<double>((byte >> (i % each * bits)) & ((uint64_t{1} << bits) - 1));
  };
  ENFOLD_RETURN_IF_ERROR(checkShape({rows, columns}, scales->elem()));
  Tensor matrix(scales->elem(), {rows, columns});
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t k = 0; k < rows; ++k) {
      const int64_t b = k / block;
      double zero = std::ldexp(1.0, static_cast<int>(bits) - 1);
      if (zeros)
        zero = packedZeros ? code(*zeros, n * zeroBytes, b) : zeros->asDouble(n * blocks + b);
      const double q = code(*codes, (n * blocks + b) * bytes, k % block);
      matrix.setDouble(k * columns + n, (q - zero) * scales->asDouble(n * blocks + b));
    }
  Value* weights = node.constant(std::move(matrix), "weights");
  if (!node.operand(5)) return node.finish(OpKind::MatMul, {node.operands[0], weights});
  ENFOLD_TRY(Value * y, node.emit(OpKind::MatMul, {node.operands[0], weights}));
  return node.finish(OpKind::Add, {y, node.operand(5)});
}

} // namespace enfold::onnx
