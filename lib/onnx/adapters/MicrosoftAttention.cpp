// Attention as com.microsoft has it, taken apart: softmax(Q Kᵀ · scale + bias) V for each head,
// with one product for queries, keys and values or with operands for each.
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace enfold::onnx {
namespace {

/// [batch, sequence, heads · size] as [batch, heads, sequence, size]; four dimensions stay.
Result<Value*> apart(Node& node, Value* x, int64_t heads) {
  const Shape shape = x->shape();
  if (shape.size() == 4) return x;
  if (shape.size() != 3 || heads <= 0 || shape[2] % heads != 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its operand {} is not of {} heads", x->type().str(), heads));
  Value* sizes = node.intsConstant({shape[0], shape[1], heads, shape[2] / heads}, "heads");
  ENFOLD_TRY(Value * split, node.emit(OpKind::Reshape, {x, sizes}));
  return node.emit(OpKind::Transpose, {split}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
}

Result<Value*> slice(Node& node, Value* x, int64_t axis, int64_t begin, int64_t end) {
  return node.emit(OpKind::Slice,
                   {x, node.intsConstant({begin}, "begin"), node.intsConstant({end}, "end"),
                    node.intsConstant({axis}, "axis")});
}

struct Operands {
  Value *query, *key, *value; ///< [batch, heads, sequence, size]
  Value* mask;                ///< not zero where a key is attended, or their ends, or null
  Value* bias;                ///< added to the scores, or null
};

/// Which keys come before the end that is given for each of the batch and, if starts are given
/// behind the ends, not before its start: [batch, keys].
Result<Value*> between(Node& node, Value* ends, int64_t batch, int64_t keys) {
  std::vector<int64_t> places(static_cast<size_t>(keys));
  std::iota(places.begin(), places.end(), int64_t{0});
  ENFOLD_TRY(Value * place, node.emit(OpKind::Cast, {node.intsConstant(places, "places")},
                                      {{"to", ends->elem()}}));
  const auto column = [&](int64_t begin) -> Result<Value*> {
    ENFOLD_TRY(Value * part, slice(node, ends, 0, begin, begin + batch));
    return node.emit(OpKind::Reshape, {part, node.intsConstant({batch, 1}, "column")});
  };
  ENFOLD_TRY(Value * end, column(0));
  ENFOLD_TRY(Value * attended, node.emit(OpKind::Less, {place, end}));
  if (ends->shape()[0] == batch) return attended;
  ENFOLD_TRY(Value * start, column(batch));
  ENFOLD_TRY(Value * begun, node.emit(OpKind::GreaterOrEqual, {place, start}));
  return node.emit(OpKind::And, {attended, begun});
}

/// What is added to the scores where a key is masked.
Result<Value*> maskBias(Node& node, const Operands& o, float filter) {
  const Shape shape = o.mask->shape();
  const int64_t batch = o.query->shape()[0], keys = o.key->shape()[2];
  const bool areEnds = shape == Shape{batch} || shape == Shape{2 * batch};
  ENFOLD_TRY(Value * given, areEnds ? between(node, o.mask, batch, keys) : Result<Value*>(o.mask));
  Shape spread;
  if (areEnds || shape == Shape{batch, keys})
    spread = {batch, 1, 1, keys};
  else if (shape.size() == 3 && shape[2] == keys)
    spread = {shape[0], 1, shape[1], keys};
  else
    return unsupported(fmt::format("masks of {} are not supported", o.mask->type().str()));
  ENFOLD_TRY(Value * mask, node.emit(OpKind::Reshape, {given, node.intsConstant(spread, "mask")}));
  ENFOLD_TRY(Value * attended, node.emit(OpKind::Cast, {mask}, {{"to", ElemType::Bool}}));
  const ElemType elem = o.query->elem();
  return node.emit(OpKind::Where, {attended, node.scalarConstant(elem, 0, "attended"),
                                   node.scalarConstant(elem, filter, "masked")});
}

/// Of queries and keys that a triangle is written down for.
constexpr int64_t kMostPairs = int64_t{1} << 26;

/// A triangle: each query attends the keys up to its own place, counted from the end.
Result<Value*> causalBias(Node& node, const Operands& o) {
  const int64_t queries = o.query->shape()[2], keys = o.key->shape()[2];
  if (queries > 0 && keys > kMostPairs / queries)
    return unsupported(
        fmt::format("masks of {} queries and {} keys are too large to write down", queries, keys));
  Tensor bias(o.query->elem(), {queries, keys});
  for (int64_t i = 0; i < queries; ++i)
    for (int64_t j = std::max<int64_t>(0, i + keys - queries + 1); j < keys; ++j)
      bias.setDouble(i * keys + j, -std::numeric_limits<double>::infinity());
  return node.constant(std::move(bias), "causal");
}

/// The attention of all heads, [batch, sequence, heads · size].
Result<Value*> attend(Node& node, Operands o) {
  ENFOLD_TRY(const float filter, node.take<float>("mask_filter_value", -10000.0f));
  ENFOLD_TRY(const float scale, node.take<float>("scale", 0.0f));
  ENFOLD_TRY(const int64_t causal, node.take<int64_t>("unidirectional", 0));
  const double size = static_cast<double>(o.query->shape()[3]);
  const ElemType elem = o.query->elem();
  ENFOLD_TRY(Value * turned,
             node.emit(OpKind::Transpose, {o.key}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}));
  ENFOLD_TRY(Value * scores, node.emit(OpKind::MatMul, {o.query, turned}));
  Value* factor = node.scalarConstant(
      elem, scale != 0 ? static_cast<double>(scale) : 1 / std::sqrt(size), "scale");
  ENFOLD_TRY(scores, node.emit(OpKind::Mul, {scores, factor}));
  Values biases;
  if (o.mask) {
    ENFOLD_TRY(biases.emplace_back(), maskBias(node, o, filter));
  }
  if (causal != 0) {
    ENFOLD_TRY(biases.emplace_back(), causalBias(node, o));
  }
  if (o.bias) biases.push_back(o.bias);
  for (Value* bias : biases) {
    ENFOLD_TRY(scores, node.emit(OpKind::Add, {scores, bias}));
  }
  ENFOLD_TRY(Value * p, node.emit(OpKind::Softmax, {scores}, {{"axis", int64_t{-1}}}));
  ENFOLD_TRY(Value * y, node.emit(OpKind::MatMul, {p, o.value}));
  ENFOLD_TRY(y, node.emit(OpKind::Transpose, {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
  const Shape& s = y->shape();
  return node.emit(OpKind::Reshape, {y, node.intsConstant({s[0], s[1], s[2] * s[3]}, "joined")});
}

/// Queries, keys and values of one product [batch, sequence, 3 · hidden].
Result<Operands> ofJoint(Node& node, Value* joint, int64_t heads) {
  ENFOLD_TRY(auto sizes, node.take<std::vector<int64_t>>("qkv_hidden_sizes"));
  const int64_t width = joint->shape().back();
  if (!sizes || sizes->empty()) sizes = std::vector<int64_t>(3, width / 3);
  if (sizes->size() != 3 || (*sizes)[0] + (*sizes)[1] + (*sizes)[2] != width)
    return invalid(
        fmt::format("its product {} is not of queries, keys and values", joint->type().str()));
  Value* parts[3];
  int64_t begin = 0;
  for (size_t i = 0; i < 3; ++i) {
    ENFOLD_TRY(Value * part, slice(node, joint, 2, begin, begin + (*sizes)[i]));
    ENFOLD_TRY(parts[i], apart(node, part, heads));
    begin += (*sizes)[i];
  }
  return Operands{parts[0], parts[1], parts[2], nullptr, nullptr};
}

Result<> refuseOperands(const Node& node, std::initializer_list<size_t> which) {
  for (const size_t i : which)
    if (node.operand(i)) return unsupported(fmt::format("its input {} is not supported", i));
  return {};
}

Result<Values> finishAttention(Node& node, const Operands& operands) {
  for (size_t i = 1; i < node.results.size(); ++i)
    if (node.wantsResult(i)) return unsupported("only its first result is supported");
  ENFOLD_TRY(Value * y, attend(node, operands));
  return node.finishAs({y});
}

} // namespace

// Operands: x, weights of queries, keys and values, bias, mask, past, bias of the scores.
Result<Values> microsoftAttention(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * weights, node.required(1));
  ENFOLD_RETURN_IF_ERROR(refuseOperands(node, {4, 6}));
  ENFOLD_TRY(const int64_t heads, node.take<int64_t>("num_heads", 0));
  ENFOLD_TRY(const int64_t rotary, node.take<int64_t>("do_rotary", 0));
  if (rotary != 0) return unsupported("do_rotary is not supported");
  node.drop({"past_present_share_buffer", "rotary_embedding_dim"});
  ENFOLD_TRY(Value * joint, node.emit(OpKind::MatMul, {x, weights}));
  if (Value* bias = node.operand(2)) {
    ENFOLD_TRY(joint, node.emit(OpKind::Add, {joint, bias}));
  }
  if (joint->type().rank() != 3)
    return failure(ErrorCode::ShapeMismatch, "its input must have 3 dimensions");
  ENFOLD_TRY(Operands operands, ofJoint(node, joint, heads));
  operands.mask = node.operand(3);
  operands.bias = node.operand(5);
  return finishAttention(node, operands);
}

// Operands: x, weights, bias, their scales, mask, their zero points, past. The products are summed
// exactly.
Result<Values> quantizedAttention(Node& node) {
  for (size_t i : {0, 1, 2, 3, 4}) ENFOLD_RETURN_IF_ERROR(node.required(i));
  ENFOLD_RETURN_IF_ERROR(refuseOperands(node, {8}));
  ENFOLD_TRY(const int64_t heads, node.take<int64_t>("num_heads", 0));
  ENFOLD_TRY(const int64_t rotary, node.take<int64_t>("do_rotary", 0));
  if (rotary != 0) return unsupported("do_rotary is not supported");
  node.drop({"past_present_share_buffer"});
  ENFOLD_TRY(Value * sums, node.emit(OpKind::MatMulInteger, {node.operands[0], node.operands[1],
                                                             node.operand(6), node.operand(7)}));
  ENFOLD_TRY(Value * real, node.emit(OpKind::Cast, {sums}, {{"to", ElemType::F32}}));
  ENFOLD_TRY(Value * scale, node.emit(OpKind::Mul, {node.operands[3], node.operands[4]}));
  ENFOLD_TRY(Value * scaled, node.emit(OpKind::Mul, {real, scale}));
  ENFOLD_TRY(Value * joint, node.emit(OpKind::Add, {scaled, node.operands[2]}));
  if (joint->type().rank() != 3)
    return failure(ErrorCode::ShapeMismatch, "its input must have 3 dimensions");
  ENFOLD_TRY(Operands operands, ofJoint(node, joint, heads));
  operands.mask = node.operand(5);
  return finishAttention(node, operands);
}

// Operands: queries; keys and values, or what was cached of them as heads; a bias of all three, a
// mask of keys, a bias of the scores.
Result<Values> multiHeadAttention(Node& node) {
  ENFOLD_RETURN_IF_ERROR(refuseOperands(node, {6, 7, 8, 9}));
  ENFOLD_TRY(const int64_t heads, node.take<int64_t>("num_heads", 0));
  Value* parts[3];
  for (size_t i = 0; i < 3; ++i) {
    ENFOLD_TRY(parts[i], node.required(i));
  }
  if (Value* bias = node.operand(3)) {
    int64_t begin = 0;
    for (Value*& part : parts) {
      if (part->type().rank() != 3)
        return unsupported("a bias of operands with 4 dimensions is not supported");
      const int64_t width = part->shape()[2];
      ENFOLD_TRY(Value * own, slice(node, bias, 0, begin, begin + width));
      ENFOLD_TRY(part, node.emit(OpKind::Add, {part, own}));
      begin += width;
    }
  }
  for (Value*& part : parts) {
    ENFOLD_TRY(part, apart(node, part, heads));
  }
  return finishAttention(node, {parts[0], parts[1], parts[2], node.operand(4), node.operand(5)});
}

} // namespace enfold::onnx
