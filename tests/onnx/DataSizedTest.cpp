// Operators whose results have sizes that depend on data: where the data is known, they are
// constants; where it is not, they are refused.
#include "Support.h"
#include "ir/ConstantText.h"

#include <cmath>
#include <set>

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32, I64 = ElemType::I64;

Message tensorOf(std::string_view name, const Tensor& tensor) {
  return rawTensor(name, tensor.elem(), tensor.shape(),
                   {reinterpret_cast<const char*>(tensor.bytes()), tensor.numBytes()});
}

/// The results of a node of constants; `k` of them.
std::vector<Tensor> resultsOf(const std::string& type, const std::vector<Tensor>& operands,
                              std::vector<Message> attrs, size_t k, int64_t opset = 18) {
  NodeSpec node{type, {}, {}, std::move(attrs), "node"};
  ModelSpec spec{.graph = {.inputs = {valueInfo("x", F32, {1})}}, .opset = opset};
  for (size_t i = 0; i < operands.size(); ++i) {
    node.inputs.push_back("i" + std::to_string(i));
    spec.graph.initializers.push_back(tensorOf(node.inputs.back(), operands[i]));
  }
  for (size_t i = 0; i < k; ++i) {
    node.outputs.push_back("o" + std::to_string(i));
    spec.graph.outputs.push_back(valueInfo(
        node.outputs.back(),
        i == 0 && type != "NonZero" && type != "NonMaxSuppression" ? operands[0].elem() : I64));
  }
  spec.graph.nodes = {node};
  const ImportedModel model = imported(test::model(spec));
  return answers(*model.graph, {Tensor(F32, {1})});
}

/// Few different values, NaN and both zeros among them.
Tensor repetitive(ElemType elem, const Shape& shape, uint64_t seed) {
  Tensor tensor(elem, shape);
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const int pick = static_cast<int>(random() % 6);
    tensor.setDouble(i, pick == 5 && isFloat(elem) ? NAN : pick == 4 ? -0.0 : pick % 3);
  }
  return tensor;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
bool isBefore(double a, double b) { return a < b || (!std::isnan(a) && std::isnan(b)); }

TEST(NonZero, GivesThePlacesInOrder) {
  uint64_t seed = 0;
  for (const ElemType elem : {F32, ElemType::F16, I64, ElemType::U8, ElemType::Bool})
    for (const Shape& shape :
         {Shape{}, Shape{1}, Shape{7}, Shape{3, 4}, Shape{2, 1, 3, 2}, Shape{0}, Shape{3, 0, 2}}) {
      const Tensor x = repetitive(elem, shape, ++seed);
      const Tensor y = resultsOf("NonZero", {x}, {}, 1).front();
      int64_t count = 0;
      for (int64_t flat = 0; flat < x.numElements(); ++flat) {
        if (x.asDouble(flat) == 0) continue;
        int64_t at = 0;
        for (size_t d = 0; d < shape.size(); ++d)
          at = at * shape[d] + y.asInt(static_cast<int64_t>(d) * y.shape()[1] + count);
        EXPECT_EQ(at, flat) << str(shape);
        ++count;
      }
      EXPECT_EQ(y.type(), (Type{I64, {x.rank(), count}, {}}));
    }
}

TEST(Unique, OfListsNamesEachValueOnce) {
  uint64_t seed = 0;
  for (const ElemType elem : {F32, I64, ElemType::U8})
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{1}, Shape{20}, Shape{3, 4, 2}})
      for (const int64_t sorted : {0, 1}) {
        const Tensor x = repetitive(elem, shape, ++seed);
        const auto r = resultsOf("Unique", {x}, {intAttr("sorted", sorted)}, 4);
        const Tensor &y = r[0], &first = r[1], &inverse = r[2], &counts = r[3];
        const int64_t n = y.numElements();
        EXPECT_EQ(y.rank(), 1);
        EXPECT_EQ(inverse.shape(), Shape{x.numElements()});
        std::vector<int64_t> found(static_cast<size_t>(n));
        for (int64_t i = 0; i < x.numElements(); ++i) {
          const int64_t to = inverse.asInt(i);
          ASSERT_TRUE(to >= 0 && to < n);
          EXPECT_TRUE(same(y.asDouble(to), x.asDouble(i)));
          if (found[static_cast<size_t>(to)]++ == 0) {
            EXPECT_EQ(first.asInt(to), i);
          }
        }
        EXPECT_EQ(counts.toInts(), found);
        for (int64_t i = 1; i < n; ++i) {
          EXPECT_TRUE(sorted ? isBefore(y.asDouble(i - 1), y.asDouble(i))
                             : first.asInt(i - 1) < first.asInt(i));
        }
      }
}

TEST(Unique, AlongAnAxisTakesWholeSlices) {
  const Tensor x = Tensor::of<float>({2, 4}, {1, 0, 1, 0, 2, 3, 2, 2});
  const auto r = resultsOf("Unique", {x}, {intAttr("axis", -1)}, 4);
  EXPECT_EQ(r[0], Tensor::of<float>({2, 3}, {0, 0, 1, 2, 3, 2}));
  EXPECT_EQ(r[1], Tensor::of<int64_t>({3}, {3, 1, 0}));
  EXPECT_EQ(r[2], Tensor::of<int64_t>({4}, {2, 1, 2, 0}));
  EXPECT_EQ(r[3], Tensor::of<int64_t>({3}, {1, 1, 2}));
}

TEST(Compress, SelectsByAConditionThatMayBeShort) {
  const Tensor x = Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  const auto run = [&](std::initializer_list<bool> condition, std::vector<Message> attrs) {
    Tensor bools(ElemType::Bool, {static_cast<int64_t>(condition.size())});
    int64_t i = 0;
    for (const bool one : condition) bools.setDouble(i++, one);
    return resultsOf("Compress", {x, bools}, std::move(attrs), 1).front();
  };
  EXPECT_EQ(run({false, true, true}, {intAttr("axis", 0)}),
            Tensor::of<float>({2, 2}, {3, 4, 5, 6}));
  EXPECT_EQ(run({false, true}, {intAttr("axis", 1)}), Tensor::of<float>({3, 1}, {2, 4, 6}));
  EXPECT_EQ(run({false, true}, {intAttr("axis", -2)}), Tensor::of<float>({1, 2}, {3, 4}));
  EXPECT_EQ(run({false, true, false, false, true}, {}), Tensor::of<float>({2}, {2, 5}));
  EXPECT_EQ(run({false, false, false}, {intAttr("axis", 0)}), Tensor(F32, {0, 2}));
  EXPECT_EQ(run({true}, {intAttr("axis", 0)}), Tensor::of<float>({1, 2}, {1, 2}));
}

TEST(Compress, OfDataByAConstantReadsConstantIndices) {
  ModelSpec spec{.graph = {.inputs = {valueInfo("x", F32, {2, 3})},
                           .outputs = {valueInfo("y", F32)},
                           .initializers = {rawTensor("c", ElemType::Bool, {3},
                                                      std::string_view("\1\0\1", 3))},
                           .nodes = {{"Compress", {"x", "c"}, {"y"}, {intAttr("axis", 1)}}}}};
  const ImportedModel model = imported(test::model(spec));
  EXPECT_EQ(answers(*model.graph, {Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6})}).front(),
            Tensor::of<float>({2, 2}, {1, 3, 4, 6}));
}

TEST(NonMaxSuppression, OfConstantsIsAConstant) {
  const Tensor boxes = Tensor::of<float>({1, 3, 4}, {0, 0, 1, 1, 0, 0, 1, 1.1f, 2, 2, 3, 3});
  const Tensor scores = Tensor::of<float>({1, 1, 3}, {0.5f, 0.9f, 0.7f});
  const auto r = resultsOf(
      "NonMaxSuppression",
      {boxes, scores, Tensor::of<int64_t>({1}, {3}), Tensor::of<float>({1}, {0.5f})}, {}, 1);
  EXPECT_EQ(r.front(), Tensor::of<int64_t>({2, 3}, {0, 0, 1, 0, 0, 2}));
}

TEST(DataSized, ByDataIsRefusedNamingIt) {
  const auto refuse = [](const std::string& type, const std::string& operand) {
    ModelSpec spec{
        .graph = {.inputs = {valueInfo("x", F32, {4}), valueInfo("c", ElemType::Bool, {4})},
                  .outputs = {valueInfo("y", F32)},
                  .nodes = {{type, {"x", "c"}, {"y"}, {}, "node"}}}};
    if (type != "Compress") spec.graph.nodes[0].inputs.pop_back();
    expectRefused(test::model(spec),
                  {type + " 'node'", "depends on the data of '" + operand + "'"});
  };
  refuse("NonZero", "x");
  refuse("Unique", "x");
  refuse("Compress", "c");
}

TEST(DataSized, WrongNodesAreRefused) {
  const auto refuse = [](NodeSpec node, std::initializer_list<std::string_view> words) {
    expectRefused(test::model({.graph = {.inputs = {valueInfo("x", F32, {1})},
                                         .outputs = {valueInfo("y", F32)},
                                         .initializers = {floats("k", {2, 2}, {1, 2, 3, 4})},
                                         .nodes = {std::move(node)}}}),
                  words);
  };
  refuse({"Compress", {"x", "k"}, {"y"}, {}, "node"}, {"node", "list of bools"});
  refuse({"Compress", {"x"}, {"y"}, {}, "node"}, {"node", "input 1 is missing"});
  refuse({"Unique", {"k"}, {"y"}, {intAttr("axis", 2)}, "node"}, {"node", "axis 2"});
  refuse({"NonZero", {"k"}, {"y"}, {intAttr("axis", 0)}, "node"}, {"node", "axis"});
}

/// y = x[mask], as exporters write it.
TEST(DataSized, IndexingByAConstantMask) {
  ModelSpec spec{
      .graph = {.inputs = {valueInfo("x", F32, {2, 2})},
                .outputs = {valueInfo("y", F32)},
                .initializers = {floats("k", {2, 2}, {1, 0, 0, 4}), floats("t", {}, {0.5f})},
                .nodes = {{"Greater", {"k", "t"}, {"mask"}},
                          {"NonZero", {"mask"}, {"places"}},
                          {"Transpose", {"places"}, {"tuples"}},
                          {"GatherND", {"x", "tuples"}, {"y"}}}}};
  const ImportedModel model = imported(test::model(spec));
  EXPECT_EQ(answers(*model.graph, {Tensor::of<float>({2, 2}, {5, 6, 7, 8})}).front(),
            Tensor::of<float>({2}, {5, 8}));
}

} // namespace
} // namespace enfold::onnx::test
