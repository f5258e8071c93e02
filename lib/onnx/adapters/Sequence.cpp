// Operators on sequences of tokens: rotary embedding (Su et al., "RoFormer", 2021), caches written
// at a position, causal convolution and linear attention (Katharopoulos et al., 2020; Yang et al.,
// "Parallelizing Linear Transformers with the Delta Rule", 2024), step by step.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::onnx {
namespace {

/// Steps that are written out one after the other.
constexpr int64_t kMostSteps = 4096;

/// The rotation of the first `size` numbers of each head of x [batch, sequence, heads, numbers].
Result<Value*> rotated(Node& node, Value* x, Value* cosine, Value* sine, int64_t size,
                       bool interleaved) {
  Compose to(node);
  const Shape all = x->shape();
  ENFOLD_TRY(Value * turning, to.slice(x, 3, 0, size));
  const int64_t half = size / 2;
  const auto part = [&](int64_t which) {
    return interleaved ? to.slice(turning, 3, which, size, 2)
                       : to.slice(turning, 3, which * half, (which + 1) * half);
  };
  ENFOLD_TRY(Value * first, part(0));
  ENFOLD_TRY(Value * second, part(1));
  const auto combined = [&](Value* a, OpKind kind, Value* b) -> Result<Value*> {
    ENFOLD_TRY(Value * left, to.binary(OpKind::Mul, a, first));
    ENFOLD_TRY(Value * right, to.binary(OpKind::Mul, b, second));
    return to.binary(kind, left, right);
  };
  ENFOLD_TRY(Value * real, combined(cosine, OpKind::Sub, sine));
  ENFOLD_TRY(Value * imaginary, combined(sine, OpKind::Add, cosine));
  Value* turned = nullptr;
  if (interleaved) {
    const Shape apart = {all[0], all[1], all[2], half, 1};
    ENFOLD_TRY(real, to.reshape(real, apart));
    ENFOLD_TRY(imaginary, to.reshape(imaginary, apart));
    ENFOLD_TRY(Value * pairs, to.concat({real, imaginary}, 4));
    ENFOLD_TRY(turned, to.reshape(pairs, {all[0], all[1], all[2], size}));
  } else {
    ENFOLD_TRY(turned, to.concat({real, imaginary}, 3));
  }
  if (size == all[3]) return turned;
  ENFOLD_TRY(Value * rest, to.slice(x, 3, size, all[3]));
  return to.concat({turned, rest}, 3);
}

/// Cosines or sines, [batch, sequence, 1, half]: those at the positions, or as they are.
Result<Value*> atPositions(Node& node, Value* cache, Value* positions, const Shape& x,
                           int64_t half) {
  if (positions) {
    if (positions->shape() != Shape{x[0], x[1]} || !isInteger(positions->elem()))
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("its positions are {}, not one for each of {} tokens",
                                 positions->type().str(), x[0] * x[1]));
    if (cache->type().rank() != 2)
      return failure(ErrorCode::ShapeMismatch,
                     fmt::format("its cache is {}, not of 2 dimensions", cache->type().str()));
    ENFOLD_TRY(cache, node.emit(OpKind::Gather, {cache, positions}));
  }
  if (cache->shape() != Shape{x[0], x[1], half})
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its cache is {} where {} is needed", cache->type().str(),
                               str(Shape{x[0], x[1], half})));
  return Compose(node).reshape(cache, {x[0], x[1], 1, half});
}

/// Heads of x [batch, sequence, heads * numbers], as [batch, heads, sequence, numbers].
Result<Value*> headsOf(Node& node, Value* x, int64_t heads) {
  const Shape& shape = x->shape();
  if (shape.size() != 3 || heads < 1 || shape[2] % heads != 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} is not of {} heads", x->type().str(), heads));
  Compose to(node);
  ENFOLD_TRY(Value * apart, to.reshape(x, {shape[0], shape[1], heads, shape[2] / heads}));
  return to.transpose(apart, {0, 2, 1, 3});
}

/// What linear attention reads in each step, by heads: [batch, heads, steps, numbers].
struct LinearAttention {
  Value *query, *key, *value;
  Value *decay = nullptr, *rate = nullptr;
  int64_t sharing; ///< heads of queries to one of keys

  Result<std::pair<Value*, Value*>> steps(Node& node, Value* state, double scale) const;
};

/// The results [batch, heads, steps, numbers] and the last state.
Result<std::pair<Value*, Value*>> LinearAttention::steps(Node& node, Value* state,
                                                         double scale) const {
  Compose to(node);
  const Shape& k = key->shape();
  const int64_t batch = k[0], heads = k[1], keys = k[3], values = value->shape()[3];
  Value* factor = node.scalarConstant(state->elem(), scale, "scale");
  Values results;
  for (int64_t t = 0; t < k[2]; ++t) {
    const auto at = [&](Value* x) { return to.slice(x, 2, t, t + 1); };
    const auto column = [&](Value* x) -> Result<Value*> {
      ENFOLD_TRY(Value * row, at(x));
      return to.reshape(row, {batch, heads, row->shape()[3], 1});
    };
    ENFOLD_TRY(Value * keyRow, at(key));
    ENFOLD_TRY(Value * keyColumn, to.reshape(keyRow, {batch, heads, keys, 1}));
    ENFOLD_TRY(Value * added, at(value));
    if (decay) {
      ENFOLD_TRY(Value * exponent, column(decay));
      ENFOLD_TRY(Value * kept, to.unary(OpKind::Exp, exponent));
      ENFOLD_TRY(state, to.binary(OpKind::Mul, state, kept));
    }
    if (rate) {
      ENFOLD_TRY(Value * known, to.binary(OpKind::MatMul, keyRow, state));
      ENFOLD_TRY(added, to.binary(OpKind::Sub, added, known));
      ENFOLD_TRY(Value * share, at(rate));
      ENFOLD_TRY(added, to.binary(OpKind::Mul, added, share));
    }
    ENFOLD_TRY(Value * update, to.binary(OpKind::Mul, keyColumn, added));
    ENFOLD_TRY(state, to.binary(OpKind::Add, state, update));
    ENFOLD_TRY(Value * asked, at(query));
    ENFOLD_TRY(asked, to.reshape(asked, {batch, heads, sharing, keys}));
    ENFOLD_TRY(Value * found, to.binary(OpKind::MatMul, asked, state));
    ENFOLD_TRY(found, to.binary(OpKind::Mul, found, factor));
    ENFOLD_TRY(found, to.reshape(found, {batch, heads * sharing, 1, values}));
    results.push_back(found);
  }
  ENFOLD_TRY(Value * all, to.concat(results, 2));
  return std::pair(all, state);
}

} // namespace

Result<Values> rotaryEmbedding(Node& node) {
  ENFOLD_TRY(const int64_t interleaved, node.takeRow<int64_t>("interleaved: flag = 0"));
  ENFOLD_TRY(const int64_t heads, node.takeRow<int64_t>("num_heads: int = 0 >= 0"));
  ENFOLD_TRY(int64_t size, node.takeRow<int64_t>("rotary_embedding_dim: int = 0 >= 0"));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * cosine, node.required(1));
  ENFOLD_TRY(Value * sine, node.required(2));
  const Shape given = x->shape();
  Compose to(node);
  if (given.size() == 3 && heads > 0 && given[2] % heads == 0) {
    ENFOLD_TRY(x, to.reshape(x, {given[0], given[1], heads, given[2] / heads}));
  } else if (given.size() == 4) {
    ENFOLD_TRY(x, to.transpose(x, {0, 2, 1, 3}));
  } else {
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} is not of {} heads", x->type().str(), heads));
  }
  if (size == 0) size = x->shape()[3];
  if (size > x->shape()[3] || size % 2 != 0)
    return failure(
        ErrorCode::ShapeMismatch,
        fmt::format("{} numbers of heads of {} cannot be rotated in pairs", size, x->shape()[3]));
  ENFOLD_TRY(cosine, atPositions(node, cosine, node.operand(3), x->shape(), size / 2));
  ENFOLD_TRY(sine, atPositions(node, sine, node.operand(3), x->shape(), size / 2));
  ENFOLD_TRY(Value * y, rotated(node, x, cosine, sine, size, interleaved != 0));
  if (given.size() == 4) {
    ENFOLD_TRY(y, to.transpose(y, {0, 2, 1, 3}));
  } else {
    ENFOLD_TRY(y, to.reshape(y, given));
  }
  return node.finishAs({y});
}

// Each sequence of the batch writes from a position of its own on.
Result<Values> tensorScatter(Node& node) {
  ENFOLD_TRY(const std::string mode,
             node.takeRow<std::string>("mode: string = linear in {linear, circular}"));
  ENFOLD_TRY(const int64_t axis, node.take<int64_t>("axis", int64_t{-2}));
  ENFOLD_TRY(Value * cache, node.required(0));
  ENFOLD_TRY(Value * update, node.required(1));
  ENFOLD_TRY(const int64_t along, normalizeAxis(axis, cache->type().rank()));
  const auto at = static_cast<size_t>(along);
  Shape expected = cache->shape();
  if (update->type().rank() == cache->type().rank()) expected[at] = update->shape()[at];
  if (along == 0 || update->shape() != expected || expected[at] > cache->shape()[at])
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} cannot be written to axis {} of {}", update->type().str(), axis,
                               cache->type().str()));
  Shape single(cache->shape().size(), 1);
  single[at] = expected[at];
  Tensor steps(ElemType::I64, single);
  for (int64_t i = 0; i < expected[at]; ++i) steps.mutableData<int64_t>()[i] = i;
  Value* places = node.constant(std::move(steps), "steps");
  Compose to(node);
  if (Value* first = node.operand(2)) {
    if (first->shape() != Shape{expected[0]} || first->elem() != ElemType::I64)
      return failure(
          ErrorCode::ShapeMismatch,
          fmt::format("its positions are {}, not one for each of the batch", first->type().str()));
    single[at] = 1;
    single[0] = expected[0];
    ENFOLD_TRY(first, to.reshape(first, single));
    ENFOLD_TRY(places, to.binary(OpKind::Add, places, first));
  }
  if (mode == "circular") {
    Value* size = node.constant(Tensor::scalar(cache->shape()[at]), "size");
    ENFOLD_TRY(places, to.binary(OpKind::Mod, places, size));
  }
  ENFOLD_TRY(places, to.expand(places, expected));
  ENFOLD_TRY(Value * y,
             node.emit(OpKind::ScatterElements, {cache, places, update}, {{"axis", along}}));
  return node.finishAs({y});
}

Result<Values> causalConvWithState(Node& node) {
  ENFOLD_TRY(const std::string activation,
             node.takeRow<std::string>("activation: string = none in {none, silu, swish}"));
  ENFOLD_TRY(Value * x, node.required(0));
  ENFOLD_TRY(Value * weights, node.required(1));
  const Shape &shape = x->shape(), &w = weights->shape();
  if (shape.size() != 3 || w.size() != 3 || w[0] != shape[1] || w[1] != 1 || w[2] < 1)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("weights {} do not fit {}", weights->type().str(), x->type().str()));
  const int64_t past = w[2] - 1, length = shape[2];
  Compose to(node);
  Value* state = node.operand(3);
  if (!state) state = node.constant(Tensor(x->elem(), {shape[0], shape[1], past}), "past");
  ENFOLD_TRY(Value * all, to.concat({state, x}, 2));
  if (all->shape() != Shape{shape[0], shape[1], past + length})
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("its past state is {}", state->type().str()));
  ENFOLD_TRY(Value * y,
             node.emit(OpKind::Conv, {all, weights, node.operand(2)}, {{"group", shape[1]}}));
  if (activation != "none") {
    ENFOLD_TRY(y, to.unary(OpKind::Swish, y));
  }
  ENFOLD_TRY(Value * present, to.slice(all, 2, length, past + length));
  return node.finishAs({y, present});
}

Result<Values> linearAttention(Node& node) {
  ENFOLD_TRY(const int64_t queryHeads, node.takeRow<int64_t>("q_num_heads: int >= 1"));
  ENFOLD_TRY(const int64_t heads, node.takeRow<int64_t>("kv_num_heads: int >= 1"));
  ENFOLD_TRY(const float scale, node.take<float>("scale", 0.0f));
  ENFOLD_TRY(const std::string rule,
             node.takeRow<std::string>("update_rule: string = gated_delta in {linear, gated, "
                                       "delta, gated_delta}"));
  ENFOLD_RETURN_IF_ERROR(node.takeRow<int64_t>("chunk_size: int = 64 >= 1"));
  LinearAttention a{};
  for (const auto& [operand, into, count] :
       {std::tuple(size_t{0}, &a.query, queryHeads), std::tuple(size_t{1}, &a.key, heads),
        std::tuple(size_t{2}, &a.value, heads)}) {
    ENFOLD_TRY(Value * x, node.required(operand));
    ENFOLD_TRY(*into, headsOf(node, x, count));
  }
  if (heads < 1 || queryHeads % heads != 0)
    return failure(ErrorCode::ShapeMismatch,
                   fmt::format("{} heads of queries cannot share {}", queryHeads, heads));
  a.sharing = queryHeads / heads;
  const Shape q = a.query->shape(), k = a.key->shape(), v = a.value->shape();
  if (q[0] != k[0] || q[2] != k[2] || q[3] != k[3] || v[0] != k[0] || v[2] != k[2])
    return failure(ErrorCode::ShapeMismatch, "its queries, keys and values do not fit each other");
  if (k[2] > kMostSteps)
    return unsupported(fmt::format("its {} steps are more than {}", k[2], kMostSteps));
  if (rule == "gated" || rule == "gated_delta") {
    ENFOLD_TRY(Value * x, node.required(4));
    ENFOLD_TRY(a.decay, headsOf(node, x, heads));
  }
  if (rule == "delta" || rule == "gated_delta") {
    ENFOLD_TRY(Value * x, node.required(5));
    const bool isShared = x->type().rank() == 3 && x->shape()[2] == 1;
    ENFOLD_TRY(a.rate, headsOf(node, x, isShared ? 1 : heads));
  }
  const ElemType elem = a.query->elem(), inner = elem == ElemType::F64 ? elem : ElemType::F32;
  Compose to(node);
  for (Value** x : {&a.query, &a.key, &a.value, &a.decay, &a.rate})
    if (*x) {
      ENFOLD_TRY(*x, to.cast(*x, inner));
    }
  const Shape stateShape = {k[0], heads, k[3], v[3]};
  Value* state = node.operand(3);
  const ElemType stateElem = state ? state->elem() : elem;
  if (!state) state = node.constant(Tensor(inner, stateShape), "state");
  if (state->shape() != stateShape)
    return failure(ErrorCode::ShapeMismatch, fmt::format("its state is {} where {} is needed",
                                                         state->type().str(), str(stateShape)));
  ENFOLD_TRY(state, to.cast(state, inner));
  const double factor = scale != 0 ? double(scale) : 1 / std::sqrt(double(k[3]));
  ENFOLD_TRY(const auto made, a.steps(node, state, factor));
  ENFOLD_TRY(Value * y, to.transpose(made.first, {0, 2, 1, 3}));
  ENFOLD_TRY(y, to.reshape(y, {q[0], q[2], queryHeads * v[3]}));
  ENFOLD_TRY(y, to.cast(y, elem));
  ENFOLD_TRY(Value * last, to.cast(made.second, stateElem));
  return node.finishAs({y, last});
}

} // namespace enfold::onnx
