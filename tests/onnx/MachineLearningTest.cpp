// Operators of ai.onnx.ml, and n-grams: what the definitions say of them.
#include "Support.h"

#include <cmath>
#include <limits>

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32, I64 = ElemType::I64;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// The outputs of one node of ai.onnx.ml on these inputs.
std::vector<Tensor> answersOf(std::string type, const std::vector<Tensor>& inputs,
                              std::vector<Message> attrs, std::vector<ElemType> results,
                              std::string domain = "ai.onnx.ml") {
  ModelSpec spec{.domains = {{"ai.onnx.ml", 3}}};
  Names in, out;
  for (const Tensor& input : inputs) {
    in.push_back("x" + std::to_string(in.size()));
    const Shape& shape = input.shape();
    spec.graph.inputs.push_back(
        valueInfo(in.back(), input.elem(), std::vector<Dim>(shape.begin(), shape.end())));
  }
  for (const ElemType elem : results) {
    out.push_back("y" + std::to_string(out.size()));
    spec.graph.outputs.push_back(valueInfo(out.back(), elem));
  }
  spec.graph.nodes = {{std::move(type), in, out, std::move(attrs), "node", std::move(domain)}};
  return answers(*imported(test::model(spec)).graph, inputs);
}

Tensor table(const Shape& shape, const std::vector<float>& values) {
  return Tensor::of<float>(shape, std::span(values));
}

Tensor numbers(const Shape& shape, const std::vector<int64_t>& values) {
  return Tensor::of<int64_t>(shape, std::span(values));
}

void expectValues(const Tensor& actual, const Shape& shape, const std::vector<double>& expected) {
  ASSERT_EQ(actual.shape(), shape);
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(actual.asDouble(static_cast<int64_t>(i)), expected[i], 1e-6) << i;
}

TEST(MachineLearning, PicksColumns) {
  const Tensor x = table({2, 3}, {1, 2, 3, 4, 5, 6});
  expectValues(answersOf("ArrayFeatureExtractor", {x, numbers({2}, {2, 0})}, {}, {F32})[0], {2, 2},
               {3, 1, 6, 4});
  expectValues(answersOf("ArrayFeatureExtractor", {table({3}, {1, 2, 3}), numbers({1, 1}, {1})}, {},
                         {F32})[0],
               {1, 1}, {2});
}

TEST(MachineLearning, ScalesBinarizesAndNormalizes) {
  const Tensor x = table({2, 2}, {1, -3, 0, 0});
  expectValues(
      answersOf("Scaler", {x}, {floatsAttr("offset", {1, 2}), floatsAttr("scale", {3})}, {F32})[0],
      {2, 2}, {0, -15, -3, -6});
  expectValues(
      answersOf("Scaler", {numbers({1, 2}, {4, 5})}, {floatsAttr("scale", {.5f, 2})}, {F32})[0],
      {1, 2}, {2, 10});
  expectValues(answersOf("Binarizer", {x}, {floatAttr("threshold", .5f)}, {F32})[0], {2, 2},
               {1, 0, 0, 0});
  expectValues(answersOf("Normalizer", {x}, {textAttr("norm", "L1")}, {F32})[0], {2, 2},
               {.25, -.75, 0, 0});
  expectValues(answersOf("Normalizer", {x}, {textAttr("norm", "L2")}, {F32})[0], {2, 2},
               {1 / std::sqrt(10.0), -3 / std::sqrt(10.0), 0, 0});
  expectValues(answersOf("Normalizer", {x}, {}, {F32})[0], {2, 2}, {1, -3, 0, 0});
}

TEST(MachineLearning, PutsValuesInPlaceOfLostOnes) {
  const Tensor x = table({2, 2}, {1, kNaN, kNaN, 4});
  expectValues(answersOf("Imputer", {x},
                         {floatsAttr("imputed_value_floats", {7, 8}),
                          floatAttr("replaced_value_float", kNaN)},
                         {F32})[0],
               {2, 2}, {1, 8, 7, 4});
  expectValues(
      answersOf("Imputer", {numbers({1, 2}, {-1, 5})},
                {intsAttr("imputed_value_int64s", {9}), intAttr("replaced_value_int64", -1)},
                {I64})[0],
      {1, 2}, {9, 5});
}

TEST(MachineLearning, JoinsAndEncodes) {
  expectValues(answersOf("FeatureVectorizer", {table({1, 3}, {1, 2, 3}), table({1, 1}, {4})},
                         {intsAttr("inputdimensions", {2, 2})}, {F32})[0],
               {1, 4}, {1, 2, 4, 0});
  expectValues(answersOf("OneHotEncoder", {numbers({2}, {3, 8})}, {intsAttr("cats_int64s", {1, 3})},
                         {F32})[0],
               {2, 2}, {0, 1, 0, 0});
  expectValues(answersOf("LabelEncoder", {numbers({3}, {5, 2, 0})},
                         {intsAttr("keys_int64s", {2, 5}), floatsAttr("values_floats", {.2f, .5f}),
                          floatAttr("default_float", -1)},
                         {F32})[0],
               {3}, {.5, .2, -1});
}

TEST(MachineLearning, LinearModels) {
  const Tensor x = table({2, 2}, {1, 2, 3, -4});
  expectValues(answersOf("LinearRegressor", {x},
                         {floatsAttr("coefficients", {1, 10}), floatsAttr("intercepts", {.5f})},
                         {F32})[0],
               {2, 1}, {21.5, -36.5});
  const auto classes = answersOf(
      "LinearClassifier", {x},
      {floatsAttr("coefficients", {1, 0, 0, 1, -1, -1}), intsAttr("classlabels_ints", {7, 8, 9})},
      {I64, F32});
  expectValues(classes[0], {2}, {8, 7});
  expectValues(classes[1], {2, 3}, {1, 2, -3, 3, -4, 1});
}

TEST(MachineLearning, WrongAttributesAreRefused) {
  ModelSpec spec{.graph = {.inputs = {valueInfo("x", F32, {int64_t{2}, int64_t{3}})},
                           .outputs = {valueInfo("y", F32)}},
                 .domains = {{"ai.onnx.ml", 3}}};
  const auto expect = [&](std::string type, std::vector<Message> attrs, std::string_view why) {
    spec.graph.nodes = {{std::move(type), {"x"}, {"y"}, std::move(attrs), "node", "ai.onnx.ml"}};
    expectRefused(test::model(spec), {"'node'", why});
  };
  expect("Scaler", {floatsAttr("scale", {1, 2})}, "scale of 2 numbers for 3 columns");
  expect("Normalizer", {textAttr("norm", "L3")}, "norm");
  expect("LinearRegressor", {floatsAttr("coefficients", {1})}, "1 coefficients for 3 columns");
  expect("Imputer", {}, "no values");
  expect("TreeEnsembleRegressor", {}, "no such operator");
  expect("Scaler", {intAttr("odd", 1)}, "odd");
}

std::vector<Message> ngrams(std::string_view mode, int64_t least, int64_t most, int64_t skips,
                            std::vector<int64_t> columns, std::vector<float> weights = {}) {
  std::vector<Message> attrs = {textAttr("mode", mode),
                                intAttr("min_gram_length", least),
                                intAttr("max_gram_length", most),
                                intAttr("max_skip_count", skips),
                                intsAttr("ngram_counts", {0, 2}),
                                intsAttr("ngram_indexes", columns),
                                intsAttr("pool_int64s", {2, 3, 5, 4, 5, 6})};
  if (!weights.empty()) attrs.push_back(floatsAttr("weights", weights));
  return attrs;
}

/// The pool: 2 and 3; 5 4 and 5 6.
TEST(NGrams, AreCountedByLengthAndSkip) {
  const Tensor row = numbers({6}, {5, 4, 2, 6, 2, 5});
  const auto count = [&](std::vector<Message> attrs, const Tensor& x) {
    return answersOf("TfIdfVectorizer", {x}, std::move(attrs), {F32}, "")[0];
  };
  expectValues(count(ngrams("TF", 1, 2, 0, {0, 1, 2, 3}), row), {4}, {2, 0, 1, 0});
  expectValues(count(ngrams("TF", 2, 2, 2, {0, 1, 2, 3}), row), {4}, {0, 0, 1, 1});
  expectValues(count(ngrams("TF", 1, 1, 5, {0, 1, 2, 3}), row), {4}, {2, 0, 0, 0});
  // Columns in another order, one of two n-grams, and one of none.
  expectValues(count(ngrams("TF", 1, 2, 2, {4, 1, 4, 0}), row), {5}, {1, 0, 0, 0, 3});
  expectValues(count(ngrams("IDF", 1, 2, 0, {0, 1, 2, 3}, {.5f, 2, 3, 4}), row), {4},
               {.5, 0, 3, 0});
  expectValues(count(ngrams("TFIDF", 1, 2, 0, {0, 1, 2, 3}, {.5f, 2, 3, 4}), row), {4},
               {1, 0, 3, 0});
  const Tensor rows = numbers({3, 2}, {5, 4, 4, 5, 3, 3});
  expectValues(count(ngrams("TF", 1, 2, 0, {0, 1, 2, 3}), rows), {3, 4},
               {0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0});
  expectValues(count(ngrams("TF", 2, 2, 0, {0, 1, 2, 3}), numbers({1}, {5})), {4}, {0, 0, 0, 0});
  expectValues(count(ngrams("TF", 1, 2, 0, {0, 1, 2, 3}), numbers({0}, {})), {4}, {0, 0, 0, 0});
}

} // namespace
} // namespace enfold::onnx::test
