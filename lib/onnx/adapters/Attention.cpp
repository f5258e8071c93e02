// Scaled dot-product attention (Vaswani et al., "Attention Is All You Need", 2017, section 3.2.1),
// taken apart: softmax(cap(Q Kᵀ · scale) + bias) V. The bias is 0 where a query attends a key and
// -inf where it does not: by a mask, because the key is in the future, outside the window or
// padding.
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace enfold::onnx {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Of queries and keys that a constant mask is written down for.
constexpr int64_t kMostPairs = int64_t{1} << 26;

struct Attributes {
  int64_t queryHeads, keyHeads; ///< of operands of three dimensions
  float scale, softcap;         ///< 0 where there is none
  bool isCausal;
  int64_t leftWindow, rightWindow; ///< -1: unbounded
  int64_t extraOutput;             ///< which scores the fourth result holds
  std::optional<ElemType> softmaxPrecision;
};

Result<Attributes> takeAttributes(Node& node) {
  Attributes a{};
  ENFOLD_TRY(a.queryHeads, node.takeRow<int64_t>("q_num_heads: int = 0 >= 0"));
  ENFOLD_TRY(a.keyHeads, node.takeRow<int64_t>("kv_num_heads: int = 0 >= 0"));
  ENFOLD_TRY(a.scale, node.take<float>("scale", 0.0f));
  ENFOLD_TRY(a.softcap, node.take<float>("softcap", 0.0f));
  ENFOLD_TRY(const int64_t causal, node.takeRow<int64_t>("is_causal: flag = 0"));
  a.isCausal = causal != 0;
  ENFOLD_TRY(a.leftWindow, node.takeRow<int64_t>("left_window_size: int = -1 >= -1"));
  ENFOLD_TRY(a.rightWindow, node.takeRow<int64_t>("right_window_size: int = -1 >= -1"));
  ENFOLD_TRY(a.extraOutput, node.takeRow<int64_t>("qk_matmul_output_mode: int = 0 in [0, 3]"));
  ENFOLD_TRY(const auto precision, node.take<int64_t>("softmax_precision"));
  if (precision) {
    a.softmaxPrecision = elemTypeByNumber(static_cast<int>(*precision));
    if (!a.softmaxPrecision || !isFloat(*a.softmaxPrecision))
      return failure(ErrorCode::BadAttribute,
                     fmt::format("its softmax_precision {} is no type of floats", *precision));
  }
  return a;
}

/// Heads of queries, keys or values, [batch, heads, sequence, size], out of [batch, sequence, heads
/// · size].
Result<Value*> splitHeads(Node& node, Value* x, int64_t heads) {
  const Shape& shape = x->shape();
  if (heads <= 0 || shape[2] % heads != 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} is not of {} heads", x->type().str(), heads));
  Value* split = node.intsConstant({shape[0], shape[1], heads, shape[2] / heads}, "split");
  ENFOLD_TRY(Value * apart, node.emit(OpKind::Reshape, {x, split}));
  return node.emit(OpKind::Transpose, {apart}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
}

/// Each head `times` times, one after the other.
Result<Value*> repeatHeads(Node& node, Value* x, int64_t times) {
  const Shape& s = x->shape();
  Value* single = node.intsConstant({s[0], s[1], 1, s[2], s[3]}, "single");
  Value* several = node.intsConstant({s[0], s[1], times, s[2], s[3]}, "several");
  Value* all = node.intsConstant({s[0], s[1] * times, s[2], s[3]}, "all");
  ENFOLD_TRY(Value * apart, node.emit(OpKind::Reshape, {x, single}));
  ENFOLD_TRY(Value * repeated, node.emit(OpKind::Expand, {apart, several}));
  return node.emit(OpKind::Reshape, {repeated, all});
}

/// What is added to the scores [batch, heads, queries, keys], of which some dimensions may be 1.
class Bias {
public:
  Bias(Node& node, ElemType elem, int64_t queries, int64_t keys)
      : node_(node), elem_(elem), queries_(queries), keys_(keys) {}

  Result<> addMask(Value* mask);
  /// Query i stands at position i + offset; `perBatch` are offsets for each of the batch, or null.
  Result<> addWindow(int64_t left, int64_t right, bool isCausal, int64_t offset, Value* perBatch);
  /// Keys at and behind `lengths` [batch] are padding.
  Result<> addPadding(Value* lengths);

  Value* value() const { return value_; } ///< null if nothing is added

private:
  Value* number(double x, std::string_view role) { return node_.scalarConstant(elem_, x, role); }
  Result<> add(Value* part);
  /// 0 where true, -inf elsewhere.
  Result<> addAllowed(Value* allowed);

  Node& node_;
  ElemType elem_;
  int64_t queries_, keys_;
  Value* value_ = nullptr;
};

Result<> Bias::add(Value* part) {
  if (!value_) {
    value_ = part;
    return {};
  }
  ENFOLD_TRY(value_, node_.emit(OpKind::Add, {value_, part}));
  return {};
}

Result<> Bias::addAllowed(Value* allowed) {
  ENFOLD_TRY(Value * part, node_.emit(OpKind::Where, {allowed, number(0, "attended"),
                                                      number(-kInfinity, "masked")}));
  return add(part);
}

Result<> Bias::addMask(Value* mask) {
  if (mask->elem() == ElemType::Bool) {
    ENFOLD_TRY(mask, node_.emit(OpKind::Where,
                                {mask, number(0, "attended"), number(-kInfinity, "masked")}));
  } else if (mask->elem() != elem_) {
    return failure(ErrorCode::TypeMismatch, fmt::format("its mask is {}, not of {} or bool",
                                                        mask->type().str(), name(elem_)));
  }
  const int64_t rank = mask->type().rank(), missing = rank ? keys_ - mask->shape().back() : 0;
  if (missing > 0 && mask->shape().back() != 1) {
    std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
    pads.back() = missing;
    ENFOLD_TRY(mask, node_.emit(OpKind::Pad, {mask, node_.intsConstant(pads, "pads"),
                                              number(-kInfinity, "masked")}));
  }
  return add(mask);
}

Result<> Bias::addWindow(int64_t left, int64_t right, bool isCausal, int64_t offset,
                         Value* perBatch) {
  if (isCausal) right = right < 0 ? 0 : std::min<int64_t>(right, 0);
  if (left < 0 && right < 0) return {};
  if (queries_ > 0 && keys_ > kMostPairs / queries_)
    return unsupported(fmt::format("masks of {} queries and {} keys are too large to write down",
                                   queries_, keys_));
  Tensor distance(ElemType::I64, {queries_, keys_}); // of a key from a query, without the offset
  for (int64_t i = 0; i < queries_; ++i)
    for (int64_t j = 0; j < keys_; ++j)
      distance.mutableData<int64_t>()[i * keys_ + j] = j - i - offset;
  Value* far = node_.constant(std::move(distance), "distance");
  if (perBatch) {
    ENFOLD_TRY(far, node_.emit(OpKind::Sub, {far, perBatch}));
  }
  if (right >= 0) {
    Value* limit = node_.scalarConstant(ElemType::I64, static_cast<double>(right), "right");
    ENFOLD_TRY(Value * allowed, node_.emit(OpKind::LessOrEqual, {far, limit}));
    ENFOLD_RETURN_IF_ERROR(addAllowed(allowed));
  }
  if (left >= 0) {
    Value* limit = node_.scalarConstant(ElemType::I64, static_cast<double>(-left), "left");
    ENFOLD_TRY(Value * allowed, node_.emit(OpKind::GreaterOrEqual, {far, limit}));
    ENFOLD_RETURN_IF_ERROR(addAllowed(allowed));
  }
  return {};
}

Result<> Bias::addPadding(Value* lengths) {
  Tensor positions(ElemType::I64, {keys_});
  for (int64_t j = 0; j < keys_; ++j) positions.mutableData<int64_t>()[j] = j;
  Value* position = node_.constant(std::move(positions), "positions");
  ENFOLD_TRY(Value * valid, node_.emit(OpKind::Less, {position, lengths}));
  return addAllowed(valid);
}

/// Queries, keys and values as heads, with what the cache held in front.
struct Heads {
  Value *query, *key, *value;
  bool joined; ///< the operands have three dimensions, and so has the result
  int64_t past = 0;
};

Result<Heads> takeHeads(Node& node, const Attributes& a) {
  Heads h{};
  ENFOLD_TRY(h.query, node.required(0));
  ENFOLD_TRY(h.key, node.required(1));
  ENFOLD_TRY(h.value, node.required(2));
  const int64_t rank = h.query->type().rank();
  if ((rank != 3 && rank != 4) || h.key->type().rank() != rank || h.value->type().rank() != rank)
    return failure(ErrorCode::ShapeMismatch,
                   "its queries, keys and values must all have 3 or all have 4 dimensions");
  h.joined = rank == 3;
  if (h.joined) {
    ENFOLD_TRY(h.query, splitHeads(node, h.query, a.queryHeads));
    ENFOLD_TRY(h.key, splitHeads(node, h.key, a.keyHeads));
    ENFOLD_TRY(h.value, splitHeads(node, h.value, a.keyHeads));
  }
  Value *pastKey = node.operand(4), *pastValue = node.operand(5);
  if (!pastKey != !pastValue) return invalid("it has a past key or a past value, not both");
  if (pastKey) {
    if (pastKey->type().rank() != 4)
      return failure(ErrorCode::ShapeMismatch, "its past key must have 4 dimensions");
    h.past = pastKey->shape()[2];
    ENFOLD_TRY(h.key, node.emit(OpKind::Concat, {pastKey, h.key}, {{"axis", int64_t{2}}}));
    ENFOLD_TRY(h.value, node.emit(OpKind::Concat, {pastValue, h.value}, {{"axis", int64_t{2}}}));
  }
  return h;
}

/// (Q · √scale) (K · √scale)ᵀ: the root on both sides keeps halves from overflowing.
Result<Value*> scaledScores(Node& node, const Heads& h, Value* key, float scale) {
  const double size = static_cast<double>(h.query->shape()[3]);
  const double root = std::sqrt(scale != 0 ? static_cast<double>(scale) : 1 / std::sqrt(size));
  Value* factor = node.scalarConstant(h.query->elem(), root, "root_of_scale");
  ENFOLD_TRY(Value * turned,
             node.emit(OpKind::Transpose, {key}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}));
  ENFOLD_TRY(Value * left, node.emit(OpKind::Mul, {h.query, factor}));
  ENFOLD_TRY(Value * right, node.emit(OpKind::Mul, {turned, factor}));
  return node.emit(OpKind::MatMul, {left, right});
}

/// softcap · tanh(x / softcap)
Result<Value*> capped(Node& node, Value* x, float softcap) {
  Value* cap = node.scalarConstant(x->elem(), softcap, "softcap");
  ENFOLD_TRY(Value * small, node.emit(OpKind::Div, {x, cap}));
  ENFOLD_TRY(Value * bent, node.emit(OpKind::Tanh, {small}));
  return node.emit(OpKind::Mul, {bent, cap});
}

Result<Value*> biasOf(Node& node, const Attributes& a, const Heads& h) {
  const int64_t queries = h.query->shape()[2], keys = h.key->shape()[2];
  Bias bias(node, h.query->elem(), queries, keys);
  if (Value* mask = node.operand(3)) ENFOLD_RETURN_IF_ERROR(bias.addMask(mask));
  Value *lengths = node.operand(6), *offsets = nullptr;
  if (lengths) {
    Value* shape = node.intsConstant({h.query->shape()[0], 1, 1, 1}, "per_batch");
    ENFOLD_TRY(lengths, node.emit(OpKind::Reshape, {lengths, shape}));
    if (!node.operand(4)) {
      Value* count = node.scalarConstant(ElemType::I64, static_cast<double>(queries), "queries");
      ENFOLD_TRY(offsets, node.emit(OpKind::Sub, {lengths, count}));
    }
  }
  ENFOLD_RETURN_IF_ERROR(bias.addWindow(a.leftWindow, a.rightWindow, a.isCausal, h.past, offsets));
  if (lengths) ENFOLD_RETURN_IF_ERROR(bias.addPadding(lengths));
  return bias.value();
}

/// Softmax over the keys; a query that attends none gets zeros.
Result<Value*> probabilities(Node& node, Value* scores, Value* bias,
                             std::optional<ElemType> precision) {
  const ElemType elem = scores->elem();
  if (precision && *precision != elem) {
    ENFOLD_TRY(scores, node.emit(OpKind::Cast, {scores}, {{"to", *precision}}));
  }
  ENFOLD_TRY(Value * p, node.emit(OpKind::Softmax, {scores}, {{"axis", int64_t{-1}}}));
  if (p->elem() != elem) {
    ENFOLD_TRY(p, node.emit(OpKind::Cast, {p}, {{"to", elem}}));
  }
  if (!bias) return p;
  ENFOLD_TRY(Value * most,
             node.emit(OpKind::ReduceMax, {bias, node.intsConstant({-1}, "last_axis")}));
  Value* masked = node.scalarConstant(elem, -kInfinity, "masked");
  ENFOLD_TRY(Value * nothing, node.emit(OpKind::Equal, {most, masked}));
  return node.emit(OpKind::Where, {nothing, node.scalarConstant(elem, 0, "zero"), p});
}

Result<Value*> joinHeads(Node& node, Value* y) {
  ENFOLD_TRY(Value * turned,
             node.emit(OpKind::Transpose, {y}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
  const Shape& s = turned->shape();
  return node.emit(OpKind::Reshape,
                   {turned, node.intsConstant({s[0], s[1], s[2] * s[3]}, "joined")});
}

} // namespace

Result<Values> attention(Node& node) {
  ENFOLD_TRY(const Attributes a, takeAttributes(node));
  ENFOLD_TRY(const Heads h, takeHeads(node, a));
  Value *key = h.key, *value = h.value;
  const int64_t heads = h.query->shape()[1], keyHeads = key->shape()[1];
  if (heads != keyHeads) {
    if (keyHeads == 0 || heads % keyHeads != 0 || value->shape()[1] != keyHeads)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("its {} heads of queries cannot share {} of keys and {} of values",
                                 heads, keyHeads, value->shape()[1]));
    ENFOLD_TRY(key, repeatHeads(node, key, heads / keyHeads));
    ENFOLD_TRY(value, repeatHeads(node, value, heads / keyHeads));
  }
  ENFOLD_TRY(Value * scores, scaledScores(node, h, key, a.scale));
  Value* shown = scores;
  if (a.softcap != 0) {
    ENFOLD_TRY(scores, capped(node, scores, a.softcap));
  }
  if (a.extraOutput == 1) shown = scores;
  ENFOLD_TRY(Value * bias, biasOf(node, a, h));
  if (bias) {
    ENFOLD_TRY(scores, node.emit(OpKind::Add, {scores, bias}));
  }
  if (a.extraOutput == 2) shown = scores;
  ENFOLD_TRY(Value * p, probabilities(node, scores, bias, a.softmaxPrecision));
  if (a.extraOutput == 3) shown = p;
  ENFOLD_TRY(Value * y, node.emit(OpKind::MatMul, {p, value}));
  if (h.joined) {
    ENFOLD_TRY(y, joinHeads(node, y));
  }
  return node.finishAs({y, h.key, h.value, shown});
}

} // namespace enfold::onnx
