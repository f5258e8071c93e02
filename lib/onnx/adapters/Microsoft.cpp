// Operators of com.microsoft, which ONNX Runtime's optimizer and quantizer put into models, taken
// apart into ONNX's own. Quantized ones become dequantize, operator, quantize; where the operator
// sums products, the sum stays in 32-bit integers and is exact.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Windows.h"

#include <fmt/format.h>

namespace enfold::onnx {
namespace {

/// The activation that a fused operator applies last, by its ONNX name.
Result<Values> finishActivation(Node& node, Value* x, const std::string& name,
                                const std::vector<float>& params) {
  const auto param = [&](size_t i, float fallback) {
    return i < params.size() ? params[i] : fallback;
  };
  if (name == "Relu") return node.finish(OpKind::Relu, {x});
  if (name == "Sigmoid") return node.finish(OpKind::Sigmoid, {x});
  if (name == "Tanh") return node.finish(OpKind::Tanh, {x});
  if (name == "LeakyRelu") return node.finish(OpKind::LeakyRelu, {x}, {{"alpha", param(0, 0.01f)}});
  if (name == "HardSigmoid")
    return node.finish(OpKind::HardSigmoid, {x},
                       {{"alpha", param(0, 0.2f)}, {"beta", param(1, 0.5f)}});
  if (name == "Clip" && params.size() == 2)
    return node.finish(OpKind::Clip, {x, node.scalarConstant(x->elem(), params[0], "min"),
                                      node.scalarConstant(x->elem(), params[1], "max")});
  return unsupported(fmt::format("activation '{}' is not supported", name));
}

Result<Value*> transposedMatrix(Node& node, Value* x) {
  const int64_t rank = x->type().rank();
  if (rank < 2) return invalid(fmt::format("its operand {} is no matrix", x->type().str()));
  std::vector<int64_t> perm;
  for (int64_t i = 0; i < rank; ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return node.emit(OpKind::Transpose, {x}, {{"perm", std::move(perm)}});
}

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

Result<Values> quantizedBinary(Node& node, OpKind kind) {
  ENFOLD_TRY(Value * a, dequantized(node, 0));
  ENFOLD_TRY(Value * b, dequantized(node, 3));
  ENFOLD_TRY(Value * y, node.emit(kind, {a, b}));
  return finishQuantized(node, y, 6);
}

Result<> refuseChannelsLast(Node& node) {
  ENFOLD_TRY(const int64_t last, node.take<int64_t>("channels_last", 0));
  if (last != 0) return unsupported("channels_last is not supported");
  return {};
}

} // namespace

Result<Values> biasGelu(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * bias, node.required(1));
  ENFOLD_TRY(Value * sum, node.emit(OpKind::Add, {x, bias}));
  return node.finish(OpKind::Gelu, {sum});
}

Result<Values> fastGelu(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  if (Value* bias = node.operand(1)) {
    ENFOLD_TRY(x, node.emit(OpKind::Add, {x, bias}));
  }
  return node.finish(OpKind::Gelu, {x}, {{"approximate", std::string("tanh")}});
}

Result<Values> quickGelu(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 1.702f));
  ENFOLD_TRY(Value * x, node.required(0));
  return node.finish(OpKind::Swish, {x}, {{"alpha", alpha}});
}

// Convolution, then an optional fourth operand added, then an activation.
Result<Values> fusedConv(Node& node) {
  ENFOLD_TRY(const std::string activation, node.take<std::string>("activation", ""));
  ENFOLD_TRY(const auto params,
             node.take<std::vector<float>>("activation_params", std::vector<float>{}));
  ENFOLD_RETURN_IF_ERROR(makePaddingExplicit(node, 1));
  if (node.operands.size() > 4) return invalid("it has more than four inputs");
  Value* addend = node.operand(3);
  if (node.operands.size() > 3) node.operands.resize(3);
  ENFOLD_TRY(Value * y, node.emit(OpKind::Conv, node.operands, node.attrs));
  if (addend) {
    ENFOLD_TRY(y, node.emit(OpKind::Add, {y, addend}));
  }
  if (activation.empty()) return node.finish(OpKind::Identity, {y});
  return finishActivation(node, y, activation, params);
}

Result<Values> fusedGemm(Node& node) {
  ENFOLD_TRY(const std::string activation, node.take<std::string>("activation", ""));
  std::vector<float> params;
  for (std::string_view name : {"activation_alpha", "activation_beta"}) {
    ENFOLD_TRY(const auto param, node.take<float>(name));
    if (param) params.push_back(*param);
  }
  ENFOLD_TRY(Value * y, node.emit(OpKind::Gemm, node.operands, node.attrs));
  if (activation.empty()) return node.finish(OpKind::Identity, {y});
  return finishActivation(node, y, activation, params);
}

Result<Values> fusedMatMul(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 1.0f));
  ENFOLD_TRY(const int64_t transA, node.take<int64_t>("transA", 0));
  ENFOLD_TRY(const int64_t transB, node.take<int64_t>("transB", 0));
  ENFOLD_TRY(const int64_t batchA, node.take<int64_t>("transBatchA", 0));
  ENFOLD_TRY(const int64_t batchB, node.take<int64_t>("transBatchB", 0));
  if (batchA != 0 || batchB != 0) return unsupported("transposed batches are not supported");
  ENFOLD_TRY(Value * a, node.required(0));
  ENFOLD_TRY(Value * b, node.required(1));
  if (transA != 0) {
    ENFOLD_TRY(a, transposedMatrix(node, a));
  }
  if (transB != 0) {
    ENFOLD_TRY(b, transposedMatrix(node, b));
  }
  ENFOLD_TRY(Value * y, node.emit(OpKind::MatMul, {a, b}));
  return node.finish(OpKind::Mul, {y, node.scalarConstant(y->elem(), alpha, "alpha")});
}

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
  ENFOLD_TRY(Value * y, node.emit(OpKind::Mul, {real, scale}));
  return finishQuantized(node, y, 7);
}

Result<Values> qlinearAdd(Node& node) { return quantizedBinary(node, OpKind::Add); }
Result<Values> qlinearMul(Node& node) { return quantizedBinary(node, OpKind::Mul); }
Result<Values> qlinearSigmoid(Node& node) { return quantizedUnary(node, OpKind::Sigmoid); }

Result<Values> qlinearLeakyRelu(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 0.01f));
  return quantizedUnary(node, OpKind::LeakyRelu, {{"alpha", alpha}});
}

Result<Values> qlinearGlobalAveragePool(Node& node) {
  ENFOLD_RETURN_IF_ERROR(refuseChannelsLast(node));
  return quantizedUnary(node, OpKind::GlobalAveragePool);
}

Result<Values> qlinearAveragePool(Node& node) {
  ENFOLD_RETURN_IF_ERROR(refuseChannelsLast(node));
  ENFOLD_RETURN_IF_ERROR(makePaddingExplicit(node, std::nullopt));
  return quantizedUnary(node, OpKind::AveragePool, node.attrs);
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

} // namespace enfold::onnx
