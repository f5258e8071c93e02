// TfIdfVectorizer on integers: how often each n-gram of a pool occurs in a row of tokens.
#include "onnx/adapters/Adapters.h"
#include "onnx/adapters/Compose.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// The attributes, checked.
struct Vocabulary {
  int64_t least = 1, most = 1, skips = 0; ///< lengths of n-grams, tokens left out between two
  std::string mode;
  std::vector<int64_t> starts; ///< in `pool`, of the n-grams of each length
  std::vector<int64_t> pool;
  std::vector<int64_t> columns; ///< of the result, for each n-gram of the pool
  std::vector<float> weights;   ///< of each n-gram; none: 1

  int64_t numColumns() const { return *std::ranges::max_element(columns) + 1; }
  /// Where the n-grams of `length` tokens end in the pool.
  int64_t endOf(int64_t length) const {
    return length < static_cast<int64_t>(starts.size()) ? starts[static_cast<size_t>(length)]
                                                        : static_cast<int64_t>(pool.size());
  }
};

Result<Vocabulary> vocabularyOf(Node& node) {
  using Ints = std::vector<int64_t>;
  Vocabulary v;
  ENFOLD_TRY(v.least, node.takeRow<int64_t>("min_gram_length: int"));
  ENFOLD_TRY(v.most, node.takeRow<int64_t>("max_gram_length: int"));
  ENFOLD_TRY(v.skips, node.takeRow<int64_t>("max_skip_count: int"));
  ENFOLD_TRY(v.mode, node.takeRow<std::string>("mode: string in {TF, IDF, TFIDF}"));
  ENFOLD_TRY(v.starts, node.take<Ints>("ngram_counts", {}));
  ENFOLD_TRY(v.columns, node.take<Ints>("ngram_indexes", {}));
  ENFOLD_TRY(v.pool, node.take<Ints>("pool_int64s", {}));
  ENFOLD_TRY(v.weights, node.take<std::vector<float>>("weights", {}));
  if (node.attrs.contains("pool_strings"))
    return failure(ErrorCode::UnsupportedType, "n-grams of strings");
  if (v.least < 1 || v.most < v.least || v.skips < 0)
    return invalid(
        fmt::format("n-grams of {} to {} tokens with {} skipped", v.least, v.most, v.skips));
  const auto length = static_cast<int64_t>(v.pool.size());
  if (static_cast<int64_t>(v.starts.size()) < v.most || !std::ranges::is_sorted(v.starts) ||
      v.starts.front() < 0 || v.starts.back() > length)
    return failure(ErrorCode::BadAttribute, "its ngram_counts do not divide the pool");
  int64_t number = 0;
  for (int64_t n = 1; n <= static_cast<int64_t>(v.starts.size()); ++n) {
    const int64_t tokens = v.endOf(n) - v.starts[static_cast<size_t>(n - 1)];
    if (tokens % n != 0)
      return invalid(fmt::format("{} tokens in its pool are no n-grams of {}", tokens, n));
    number += tokens / n;
  }
  const auto columns = static_cast<int64_t>(v.columns.size());
  if (columns != number || columns == 0 || *std::ranges::min_element(v.columns) < 0 ||
      v.numColumns() > (int64_t{1} << 24))
    return failure(
        ErrorCode::BadAttribute,
        fmt::format("its ngram_indexes do not name a column for each of {} n-grams", number));
  if (!v.weights.empty() && v.weights.size() != v.columns.size())
    return invalid(fmt::format("it has {} weights for {} n-grams", v.weights.size(), number));
  return v;
}

/// How often each n-gram of `length` tokens occurs in each row of x, f32[rows, n-grams].
Result<Value*> countsOf(Node& node, const Vocabulary& v, Value* x, int64_t length) {
  Compose to(node);
  const int64_t rows = x->shape()[0], tokens = x->shape()[1];
  const int64_t begin = v.starts[static_cast<size_t>(length - 1)];
  const int64_t number = (v.endOf(length) - begin) / length;
  Value* counts = node.constant(Tensor(ElemType::F32, {rows, number}), "none");
  if (length < v.least || length > v.most || number == 0) return counts;
  for (int64_t step = 1; step <= (length == 1 ? 1 : v.skips + 1); ++step) {
    const int64_t places = tokens - (length - 1) * step;
    if (places <= 0) break;
    Value* isHere = nullptr;
    for (int64_t k = 0; k < length; ++k) {
      ENFOLD_TRY(Value * token, to.slice(x, 1, k * step, k * step + places));
      ENFOLD_TRY(token, to.reshape(token, {rows, places, 1}));
      std::vector<int64_t> wanted;
      for (int64_t g = 0; g < number; ++g)
        wanted.push_back(v.pool[static_cast<size_t>(begin + g * length + k)]);
      ENFOLD_TRY(Value * same,
                 to.binary(OpKind::Equal, token, node.intsConstant(wanted, "ngrams")));
      ENFOLD_TRY(isHere, isHere ? to.binary(OpKind::And, isHere, same) : Result<Value*>(same));
    }
    ENFOLD_TRY(Value * one, to.cast(isHere, ElemType::F32));
    ENFOLD_TRY(Value * sum, node.emit(OpKind::ReduceSum, {one, node.intsConstant({1}, "axis")},
                                      {{"keepdims", int64_t{0}}}));
    ENFOLD_TRY(counts, to.binary(OpKind::Add, counts, sum));
  }
  return counts;
}

/// The counts of n-grams in the columns of the result; a column of several has their sum.
Result<Value*> inColumns(Node& node, const Vocabulary& v, Value* counts) {
  Compose to(node);
  const auto number = static_cast<int64_t>(v.columns.size());
  std::vector<std::vector<int64_t>> layers;
  std::vector<size_t> height(static_cast<size_t>(v.numColumns()));
  for (int64_t g = 0; g < number; ++g) {
    const auto column = static_cast<size_t>(v.columns[static_cast<size_t>(g)]);
    const size_t layer = height[column]++;
    if (layer == layers.size()) layers.emplace_back(height.size(), number);
    layers[layer][column] = g;
  }
  Value* zero = node.constant(Tensor(ElemType::F32, {counts->shape()[0], 1}), "zero");
  ENFOLD_TRY(Value * all, to.concat({counts, zero}, 1));
  Value* sum = nullptr;
  for (const std::vector<int64_t>& layer : layers) {
    ENFOLD_TRY(Value * picked, node.emit(OpKind::Gather, {all, node.intsConstant(layer, "ngram")},
                                         {{"axis", int64_t{1}}}));
    ENFOLD_TRY(sum, sum ? to.binary(OpKind::Add, sum, picked) : Result<Value*>(picked));
  }
  return sum;
}

} // namespace

Result<Values> tfIdfVectorizer(Node& node) {
  ENFOLD_TRY(Value * x, node.required(0));
  if (x->elem() != ElemType::I32 && x->elem() != ElemType::I64)
    return failure(ErrorCode::UnsupportedType, fmt::format("tokens of {}", name(x->elem())));
  if (x->type().rank() != 1 && x->type().rank() != 2)
    return invalid(fmt::format("its tokens are {}, not one row or several", x->type().str()));
  ENFOLD_TRY(const Vocabulary v, vocabularyOf(node));
  Compose to(node);
  const bool isRow = x->type().rank() == 1;
  ENFOLD_TRY(Value * rows, to.cast(x, ElemType::I64));
  if (isRow) {
    ENFOLD_TRY(rows, to.reshape(rows, {1, x->shape()[0]}));
  }
  Values parts;
  for (int64_t n = 1; n <= static_cast<int64_t>(v.starts.size()); ++n) {
    ENFOLD_TRY(parts.emplace_back(), countsOf(node, v, rows, n));
  }
  ENFOLD_TRY(Value * counts, to.concat(std::move(parts), 1));
  ENFOLD_TRY(Value * result, inColumns(node, v, counts));
  if (v.mode == "IDF") {
    ENFOLD_TRY(Value * occurs,
               to.binary(OpKind::Greater, result, node.scalarConstant(ElemType::F32, 0, "zero")));
    ENFOLD_TRY(result, to.cast(occurs, ElemType::F32));
  }
  if (v.mode != "TF" && !v.weights.empty()) {
    Tensor weights(ElemType::F32, {v.numColumns()});
    for (size_t g = 0; g < v.columns.size(); ++g)
      weights.setDouble(v.columns[g], static_cast<double>(v.weights[g]));
    ENFOLD_TRY(result,
               to.binary(OpKind::Mul, result, node.constant(std::move(weights), "weights")));
  }
  if (isRow) {
    ENFOLD_TRY(result, to.reshape(result, {v.numColumns()}));
  }
  return node.finishAs({result});
}

} // namespace enfold::onnx
