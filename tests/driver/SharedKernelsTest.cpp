// Matrix products with any number of rows, and rows of few elements, share kernels, and give the
// bits of what is compiled for a size alone.
#include "../onnx/ModelBytes.h"
#include "driver/Network.h"
#include "ir/ConstantText.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

using namespace onnx::test;

constexpr int64_t kDepth = 37;

std::vector<float> uniform(int64_t count, uint64_t seed) {
  Tensor tensor(ElemType::F32, {count});
  fillRandom(tensor, seed, -1, 1);
  return {tensor.data<float>(), tensor.data<float>() + count};
}

/// relu(x w + b), where `dims` of x are open.
std::string product(const std::vector<Dim>& dims, int64_t columns, bool isTransposed) {
  const std::vector<NodeSpec> matMul = {
      {"MatMul", {"x", "w"}, {"p"}}, {"Add", {"p", "b"}, {"s"}}, {"Relu", {"s"}, {"y"}}};
  const std::vector<NodeSpec> gemm = {{"Gemm", {"x", "w", "b"}, {"s"}, {intAttr("transA", 1)}},
                                      {"Relu", {"s"}, {"y"}}};
  return model(
      {.graph = {.inputs = {valueInfo("x", ElemType::F32, dims)},
                 .outputs = {valueInfo("y", ElemType::F32)},
                 .initializers = {floats("w", {kDepth, columns}, uniform(kDepth * columns, 1)),
                                  floats("b", {columns}, uniform(columns, 2))},
                 .nodes = isTransposed ? gemm : matMul}});
}

Tensor runAt(Network& network, const NamedTensor& input) {
  auto run = network.run(std::span(&input, 1));
  EXPECT_TRUE(run) << run.error().str();
  return std::move(run->outputs[0]);
}

/// Runs the network on `threads` at these sizes of its input x, one after the other. After the
/// first `numMet`, no kernel may be compiled.
void expectSharedKernels(const std::string& bytes, int threads, const std::vector<Shape>& shapes,
                         size_t numMet) {
  const ModelSource model = ModelSource::inMemory(bytes);
  auto open = Network::open(model, {.session = {.threads = threads}});
  ASSERT_TRUE(open) << open.error().str();
  int64_t kernels = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Type type{ElemType::F32, shapes[i], {}};
    SCOPED_TRACE(type.str());
    NamedTensor input{"x", Tensor(ElemType::F32, shapes[i])};
    fillRandom(input.tensor, i + 1, -1, 1);
    const Tensor general = runAt(**open, input);

    LoadOptions fixed;
    fixed.shapes["x"] = shapes[i];
    auto alone = Network::open(model, {.load = fixed, .session = {.threads = 1}});
    ASSERT_TRUE(alone) << alone.error().str();
    EXPECT_EQ(general, runAt(**alone, input));
    const auto loaded = loadModelFor(model, std::span(&input, 1), {});
    ASSERT_TRUE(loaded);
    const auto expected = reference::run(*loaded->graph, std::span(&input.tensor, 1));
    ASSERT_TRUE(expected);
    for (int64_t k = 0; k < general.numElements(); ++k)
      ASSERT_NEAR(general.asDouble(k), (*expected)[0].asDouble(k), 1e-4);
    if (i + 1 == numMet) kernels = (*open)->kernelCompilations();
  }
  EXPECT_EQ((*open)->kernelCompilations(), kernels);
}

void expectSharedProducts(const std::string& bytes, const std::function<Shape(int64_t)>& shapeOf) {
  std::vector<Shape> shapes;
  for (const int64_t rows : {64, 400, 96, 33, 17, 131, 12, 64, 7, 400})
    shapes.push_back(shapeOf(rows));
  for (const int threads : {1, 2}) expectSharedKernels(bytes, threads, shapes, 2);
}

TEST(SharedProducts, Matrices) {
  for (const int64_t columns : {1, 50, 64, 1000}) {
    SCOPED_TRACE(columns);
    expectSharedProducts(product({"n", kDepth}, columns, false),
                         [](int64_t rows) { return Shape{rows, kDepth}; });
  }
}

TEST(SharedProducts, RowsOfSeveralDimensions) {
  expectSharedProducts(product({"n", int64_t{3}, kDepth}, 50, false),
                       [](int64_t rows) { return Shape{rows, 3, kDepth}; });
}

/// The rows are the inner one of two dimensions.
TEST(SharedProducts, RowsOfABatch) {
  expectSharedProducts(product({int64_t{3}, "n", kDepth}, 50, false),
                       [](int64_t rows) { return Shape{3, rows, kDepth}; });
}

TEST(SharedProducts, Transposed) {
  expectSharedProducts(product({kDepth, "n"}, 50, true),
                       [](int64_t rows) { return Shape{kDepth, rows}; });
}

/// Each row times its first element.
TEST(SharedRows, ShorterThanAVector) {
  const std::string bytes =
      model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {int64_t{9}, "n"})},
                       .outputs = {valueInfo("y", ElemType::F32)},
                       .initializers = {ints("from", {0}), ints("to", {1}), ints("axis", {1})},
                       .nodes = {{"Slice", {"x", "from", "to", "axis"}, {"first"}},
                                 {"Mul", {"x", "first"}, {"y"}}}}});
  expectSharedKernels(bytes, 1, {{9, 40}, {9, 33}, {9, 6}, {9, 5}, {9, 7}, {9, 6}}, 4);
  expectSharedKernels(bytes, 2, {{9, 40}, {9, 33}, {9, 11}, {9, 9}, {9, 15}, {9, 40}, {9, 13}}, 4);
  expectSharedKernels(bytes, 1, {{9, 40}, {9, 1}, {9, 2}, {9, 3}, {9, 4}, {9, 8}, {9, 16}}, 7);
}

} // namespace
} // namespace enfold
