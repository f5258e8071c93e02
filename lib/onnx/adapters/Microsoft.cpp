// Operators of com.microsoft that ONNX Runtime's optimizer puts in place of several of ONNX's,
// taken apart into these.
#include "onnx/adapters/Microsoft.h"

#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Windows.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// What stands in `params`, in order, of an activation that a fused operator applies last.
struct Activation {
  std::string_view name;
  OpKind kind;
  std::vector<std::pair<std::string_view, float>> attrs; ///< with their defaults
};

const Activation* findActivation(std::string_view name) {
  static const std::vector<Activation> kActivations = {
      {"Elu", OpKind::Elu, {{"alpha", 1.0f}}},
      {"Gelu", OpKind::Gelu, {}},
      {"HardSigmoid", OpKind::HardSigmoid, {{"alpha", 0.2f}, {"beta", 0.5f}}},
      {"HardSwish", OpKind::HardSwish, {}},
      {"LeakyRelu", OpKind::LeakyRelu, {{"alpha", 0.01f}}},
      {"Mish", OpKind::Mish, {}},
      {"QuickGelu", OpKind::Swish, {{"alpha", 1.702f}}},
      {"Relu", OpKind::Relu, {}},
      {"Selu", OpKind::Selu, {{"alpha", 1.67326f}, {"gamma", 1.0507f}}},
      {"Sigmoid", OpKind::Sigmoid, {}},
      {"Softplus", OpKind::Softplus, {}},
      {"Softsign", OpKind::Softsign, {}},
      {"Swish", OpKind::Swish, {{"alpha", 1.0f}}},
      {"Tanh", OpKind::Tanh, {}},
      {"ThresholdedRelu", OpKind::ThresholdedRelu, {{"alpha", 1.0f}}},
  };
  const auto found = std::ranges::find(kActivations, name, &Activation::name);
  return found == kActivations.end() ? nullptr : &*found;
}

Result<Values> finishActivation(Node& node, Value* x, const std::string& name,
                                const std::vector<float>& params) {
  if (name.empty()) return node.finish(OpKind::Identity, {x});
  if (name == "Clip") {
    if (params.size() != 2)
      return failure(ErrorCode::BadAttribute, "its activation Clip needs two parameters");
    return node.finish(OpKind::Clip, {x, node.scalarConstant(x->elem(), params[0], "min"),
                                      node.scalarConstant(x->elem(), params[1], "max")});
  }
  const Activation* activation = findActivation(name);
  if (!activation) return unsupported(fmt::format("activation '{}' is not supported", name));
  if (params.size() > activation->attrs.size())
    return failure(ErrorCode::BadAttribute,
                   fmt::format("its activation {} has {} parameters, not {}", name,
                               activation->attrs.size(), params.size()));
  AttrMap attrs;
  for (size_t i = 0; i < activation->attrs.size(); ++i) {
    const auto& [attr, standard] = activation->attrs[i];
    attrs.emplace(std::string(attr), i < params.size() ? params[i] : standard);
  }
  return node.finish(activation->kind, {x}, std::move(attrs));
}

} // namespace

Result<Value*> channelsFirst(Node& node, Value* x) {
  const int64_t rank = x->type().rank();
  if (rank < 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its input {} has no pixels", x->type().str()));
  std::vector<int64_t> perm = {0, rank - 1};
  for (int64_t i = 1; i + 1 < rank; ++i) perm.push_back(i);
  return node.emit(OpKind::Transpose, {x}, {{"perm", std::move(perm)}});
}

Result<Values> finishChannelsLast(Node& node, Value* y) {
  const int64_t rank = y->type().rank();
  std::vector<int64_t> perm = {0};
  for (int64_t i = 2; i < rank; ++i) perm.push_back(i);
  perm.push_back(1);
  return node.finish(OpKind::Transpose, {y}, {{"perm", std::move(perm)}});
}

Result<Value*> transposedMatrix(Node& node, Value* x) {
  const int64_t rank = x->type().rank();
  if (rank < 2)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its operand {} is no matrix", x->type().str()));
  std::vector<int64_t> perm;
  for (int64_t i = 0; i < rank; ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return node.emit(OpKind::Transpose, {x}, {{"perm", std::move(perm)}});
}

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
  if (node.operands.size() > 4)
    return failure(ErrorCode::BadOperands, "it has more than four inputs");
  Value* addend = node.operand(3);
  if (node.operands.size() > 3) node.operands.resize(3);
  ENFOLD_TRY(Value * y, node.emit(OpKind::Conv, node.operands, node.attrs));
  if (addend) {
    ENFOLD_TRY(y, node.emit(OpKind::Add, {y, addend}));
  }
  return finishActivation(node, y, activation, params);
}

Result<Values> fusedGemm(Node& node) {
  ENFOLD_TRY(const std::string activation, node.take<std::string>("activation", ""));
  std::vector<float> params;
  for (std::string_view name : {"activation_alpha", "activation_beta", "activation_gamma"}) {
    ENFOLD_TRY(const auto param, node.take<float>(name));
    if (param) params.push_back(*param);
  }
  ENFOLD_TRY(Value * y, node.emit(OpKind::Gemm, node.operands, node.attrs));
  return finishActivation(node, y, activation, params);
}

namespace {

/// [rows, batch ..., columns] as [batch ..., rows, columns].
Result<Value*> rowsInFront(Node& node, Value* x) {
  const int64_t rank = x->type().rank();
  if (rank < 3)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its operand {} has no batch", x->type().str()));
  std::vector<int64_t> perm;
  for (int64_t i = 1; i + 1 < rank; ++i) perm.push_back(i);
  perm.push_back(0);
  perm.push_back(rank - 1);
  return node.emit(OpKind::Transpose, {x}, {{"perm", std::move(perm)}});
}

} // namespace

Result<Values> fusedMatMul(Node& node) {
  ENFOLD_TRY(const float alpha, node.take<float>("alpha", 1.0f));
  ENFOLD_TRY(const int64_t transA, node.take<int64_t>("transA", 0));
  ENFOLD_TRY(const int64_t transB, node.take<int64_t>("transB", 0));
  ENFOLD_TRY(const int64_t batchA, node.take<int64_t>("transBatchA", 0));
  ENFOLD_TRY(const int64_t batchB, node.take<int64_t>("transBatchB", 0));
  ENFOLD_TRY(Value * a, node.required(0));
  ENFOLD_TRY(Value * b, node.required(1));
  if (batchA != 0) {
    ENFOLD_TRY(a, rowsInFront(node, a));
  }
  if (batchB != 0) {
    ENFOLD_TRY(b, rowsInFront(node, b));
  }
  if (transA != 0) {
    ENFOLD_TRY(a, transposedMatrix(node, a));
  }
  if (transB != 0) {
    ENFOLD_TRY(b, transposedMatrix(node, b));
  }
  ENFOLD_TRY(Value * y, node.emit(OpKind::MatMul, {a, b}));
  return node.finish(OpKind::Mul, {y, node.scalarConstant(y->elem(), alpha, "alpha")});
}

// Operands: x, the skip that is added to it, scale, shift and a bias that is added to the sum, of
// which the last two may be absent. Results: the normalized sum, its mean and 1 / deviation, which
// are never wanted, and the sum.
Result<Values> skipLayerNorm(Node& node) {
  const bool simplified = node.type == "SkipSimplifiedLayerNormalization";
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * skip, node.required(1));
  ENFOLD_TRY(Value * scale, node.required(2));
  Value *shift = simplified ? nullptr : node.operand(3), *bias = node.operand(simplified ? 3 : 4);
  ENFOLD_TRY(const float epsilon, node.take<float>("epsilon", simplified ? 1e-6f : 1e-12f));
  if (node.wantsResult(1) || node.wantsResult(2))
    return unsupported("its mean and deviation are not supported as results");
  ENFOLD_TRY(Value * sum, node.emit(OpKind::Add, {x, skip}));
  if (bias) {
    ENFOLD_TRY(sum, node.emit(OpKind::Add, {sum, bias}));
  }
  const OpKind kind = simplified ? OpKind::RMSNormalization : OpKind::LayerNormalization;
  ENFOLD_TRY(Value * y, node.emit(kind, {sum, scale, shift}, {{"epsilon", epsilon}}));
  return node.finishAs({y, y, y, sum});
}

// A normalization by the root of the mean square, as ONNX Runtime had it before ONNX.
Result<Values> simplifiedLayerNorm(Node& node) {
  if (node.wantsResult(1)) return unsupported("its deviation is not supported as a result");
  node.drop({"stash_type"});
  if (!node.results.empty()) node.results.resize(1);
  if (!node.declared.empty()) node.declared.resize(1);
  return node.finish(OpKind::RMSNormalization);
}

// The largest of each window, channels last.
Result<Values> nhwcMaxPool(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(node.operands[0], channelsFirst(node, x));
  ENFOLD_RETURN_IF_ERROR(makePaddingExplicit(node, std::nullopt));
  ENFOLD_TRY(Value * y, node.emit(OpKind::MaxPool, {node.operands[0]}, std::move(node.attrs)));
  return finishChannelsLast(node, y);
}

} // namespace enfold::onnx
