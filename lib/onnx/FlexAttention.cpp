// FlexAttention (Dong et al., "Flex Attention: A Programming Model for Generating Optimized
// Attention Kernels", 2024), taken apart: softmax(f(Q Kᵀ scale)) V, where subgraphs may change the
// scores and the probabilities.
#include "onnx/Attributes.h"
#include "onnx/GraphImporter.h"
#include "onnx/TensorCodec.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::onnx {

Result<Value*> GraphImporter::modified(pb::NodeProto& proto, std::string_view attribute, Value* x,
                                       const std::string& origin, Scope& scope) {
  const auto isIt = [&](const auto& attr) { return attr.name() == attribute; };
  if (std::ranges::none_of(proto.attribute(), isIt)) return x;
  ENFOLD_RETURN_IF_ERROR(checkDepth(scope));
  ENFOLD_TRY(pb::GraphProto * graph, subgraphOf(proto, attribute));
  if (graph->input_size() != 1 || graph->output_size() != 1)
    return failure(ErrorCode::BadAttribute,
                   fmt::format("its {} has {} inputs and {} outputs", attribute,
                               graph->input_size(), graph->output_size()));
  Scope inner = scopeWithin(scope, fmt::format("{}/{}", origin, attribute));
  const Bindings made = importBody(*graph, {{Binding::State::Known, x}}, inner);
  if (made[0].state == Binding::State::Failed) return nullptr;
  if (!made[0].value || made[0].value->type() != x->type())
    return failure(ErrorCode::BadAttribute, fmt::format("its {} makes no {} of {}", attribute,
                                                        x->type().str(), x->type().str()));
  return made[0].value;
}

Result<> GraphImporter::importFlexAttention(pb::NodeProto& proto, const std::string& origin,
                                            Scope& scope) {
  ENFOLD_TRY(const auto operands, operandsOf(proto, scope));
  if (!operands) return {};
  Node node = makeNode(proto, origin, opsetOf(proto, scope));
  node.operands = *operands;
  pb::NodeProto plain = withoutSubgraphs(proto);
  ENFOLD_TRY(node.attrs, decodeAttributes(plain, external_, options_.limits));
  ENFOLD_TRY(Value * query, node.required(0));
  ENFOLD_TRY(Value * key, node.required(1));
  ENFOLD_TRY(Value * value, node.required(2));
  const Shape q = query->shape(), k = key->shape(), v = value->shape();
  const ElemType elem = query->elem();
  if (q.size() != 4 || k.size() != 4 || v.size() != 4 || k[0] != q[0] || k[3] != q[3] ||
      v[0] != q[0] || v[1] != k[1] || v[2] != k[2] || k[1] < 1 || q[1] % k[1] != 0 || q[3] < 1 ||
      !isFloat(elem))
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("queries {}, keys {} and values {} do not fit each other",
                               query->type().str(), key->type().str(), value->type().str()));
  ENFOLD_TRY(const float given, node.take<float>("scale", 0.0f));
  const double scale = given != 0 ? double(given) : 1 / std::sqrt(double(q[3]));
  ElemType precision = elem == ElemType::F64 ? ElemType::F64 : ElemType::F32;
  ENFOLD_TRY(const auto wanted, node.take<int64_t>("softmax_precision"));
  if (wanted && *wanted > 0 && *wanted < INT32_MAX) {
    ENFOLD_TRY(precision, decodeElemType(static_cast<int>(*wanted)));
  }
  if (!isFloat(precision))
    return failure(ErrorCode::BadAttribute,
                   fmt::format("its softmax_precision {} is no type of floats", name(precision)));
  if (!node.attrs.empty())
    return failure(ErrorCode::BadAttribute,
                   fmt::format("it has no attribute '{}'", node.attrs.begin()->first));

  // Heads of queries that share keys lie one behind the other: they are more queries.
  Compose to(node);
  const Shape grouped = {q[0], k[1], q[1] / k[1] * q[2], q[3]};
  ENFOLD_TRY(query, to.cast(query, precision));
  ENFOLD_TRY(query, to.reshape(query, grouped));
  ENFOLD_TRY(key, to.cast(key, precision));
  ENFOLD_TRY(key, to.transpose(key, {0, 1, 3, 2}));
  ENFOLD_TRY(Value * scores, to.binary(OpKind::MatMul, query, key));
  ENFOLD_TRY(scores,
             to.binary(OpKind::Mul, scores, node.scalarConstant(precision, scale, "scale")));
  ENFOLD_TRY(scores, to.reshape(scores, {q[0], q[1], q[2], k[2]}));
  ENFOLD_TRY(scores, modified(proto, "score_mod", scores, origin, scope));
  if (!scores) return {};
  ENFOLD_TRY(Value * shares, to.unary(OpKind::Softmax, scores));
  ENFOLD_TRY(shares, modified(proto, "prob_mod", shares, origin, scope));
  if (!shares) return {};
  ENFOLD_TRY(shares, to.reshape(shares, {q[0], k[1], grouped[2], k[2]}));
  ENFOLD_TRY(value, to.cast(value, precision));
  ENFOLD_TRY(Value * y, to.binary(OpKind::MatMul, shares, value));
  ENFOLD_TRY(y, to.reshape(y, {q[0], q[1], q[2], v[3]}));
  ENFOLD_TRY(y, to.cast(y, elem));
  if (proto.output_size() != 1) return failure(ErrorCode::BadOperands, "it must have one output");
  const Binding result{Binding::State::Known, y};
  bindCalled(proto.output(0), &result, scope);
  return {};
}

} // namespace enfold::onnx
