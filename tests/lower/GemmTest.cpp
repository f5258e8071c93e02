// Matrix products against the reference: all sizes around the tile, transposed, batched, broadcast.
#include "Differential.h"

#include <gtest/gtest.h>

#include <cmath>

namespace enfold {
namespace {

Tensor randomTensor(ElemType elem, const Shape& shape, uint64_t seed) {
  Tensor tensor(elem, shape);
  Sizes sizes(seed);
  for (int64_t i = 0; i < tensor.numElements(); ++i) {
    const auto value = static_cast<double>(sizes.between(isUnsigned(elem) ? 0 : -64, 64));
    tensor.setDouble(i, isFloat(elem) ? value / 64 : std::round(value / 8));
  }
  return tensor;
}

Value* operand(GraphBuilder& g, const std::string& name, const Type& type, bool constant) {
  return constant ? g.constant(name, randomTensor(type.elem, type.shape, 5)) : g.input(name, type);
}

struct GemmCase {
  int64_t m, n, k;
  bool transA = false, transB = false, constantB = true;
  std::optional<Shape> c;
  float alpha = 1, beta = 1;
  ElemType elem = ElemType::F32;
};

void expectGemmAgrees(const GemmCase& c) {
  const bool real = isFloat(c.elem);
  const auto algorithms = expectCompiledAgrees(
      [&](GraphBuilder& g) {
        std::vector<Value*> operands = {
            g.input("a", {c.elem, c.transA ? Shape{c.k, c.m} : Shape{c.m, c.k}, {}}),
            operand(g, "b", {c.elem, c.transB ? Shape{c.n, c.k} : Shape{c.k, c.n}, {}},
                    c.constantB)};
        if (c.c) operands.push_back(operand(g, "c", {c.elem, *c.c, {}}, c.constantB));
        AttrMap attrs;
        if (c.transA) attrs["transA"] = int64_t{1};
        if (c.transB) attrs["transB"] = int64_t{1};
        if (c.alpha != 1) attrs["alpha"] = c.alpha;
        if (c.beta != 1) attrs["beta"] = c.beta;
        return g.op(OpKind::Gemm, "gemm", operands, attrs);
      },
      {.tolerance = toleranceOf(c.elem),
       .low = real                 ? -1.0
              : isUnsigned(c.elem) ? 0.0
                                   : -9.0,
       .high = real ? 1.0 : 9.0});
  EXPECT_TRUE(uses(algorithms, "gemm"));
}

TEST(Gemm, EveryCountOfRowsAndColumnsAroundTheTile) {
  Sizes sizes(41);
  for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 9, 12, 13})
    for (const int64_t n : {1, 3, 8, 9, 16, 23, 33, 65})
      expectGemmAgrees({.m = m, .n = n, .k = sizes.between(1, 20)});
}

TEST(Gemm, EveryLengthOfSums) {
  for (const int64_t k : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 100})
    for (const int64_t m : {1, 4}) expectGemmAgrees({.m = m, .n = 10, .k = k});
}

TEST(Gemm, TransposedFromInputsOrConstants) {
  Sizes sizes(42);
  for (const bool transA : {false, true})
    for (const bool transB : {false, true})
      for (const bool constantB : {false, true})
        for (int round = 0; round < 4; ++round)
          expectGemmAgrees({.m = sizes.between(1, 20),
                            .n = sizes.between(1, 40),
                            .k = sizes.between(1, 30),
                            .transA = transA,
                            .transB = transB,
                            .constantB = constantB});
}

TEST(Gemm, ScaledWithEveryShapeOfTheThirdOperand) {
  for (const bool constant : {false, true})
    for (const Shape& c : {Shape{}, Shape{1}, Shape{19}, Shape{1, 19}, Shape{5, 1}, Shape{5, 19}})
      for (const float beta : {1.0f, -0.5f})
        expectGemmAgrees(
            {.m = 5, .n = 19, .k = 6, .constantB = constant, .c = c, .alpha = 0.25f, .beta = beta});
}

constexpr ElemType kElems[] = {ElemType::F64, ElemType::F16, ElemType::BF16, ElemType::I32,
                               ElemType::U32, ElemType::I64, ElemType::U64};

TEST(Gemm, OtherElementTypes) {
  for (const ElemType elem : kElems)
    for (const bool constantB : {false, true})
      expectGemmAgrees({.m = 5,
                        .n = 21,
                        .k = 11,
                        .transB = constantB,
                        .constantB = constantB,
                        .c = Shape{21},
                        .elem = elem});
}

void expectMatMulAgrees(const Shape& a, const Shape& b, bool constantB,
                        ElemType elem = ElemType::F32) {
  const auto algorithms = expectCompiledAgrees(
      [&](GraphBuilder& g) {
        return g.op(OpKind::MatMul, "matmul",
                    {g.input("a", {elem, a, {}}), operand(g, "b", {elem, b, {}}, constantB)});
      },
      {.tolerance = toleranceOf(elem),
       .low = isUnsigned(elem) ? 0.0 : -1.0,
       .high = isFloat(elem) ? 1.0 : 9.0});
  EXPECT_TRUE(uses(algorithms, "gemm"));
}

TEST(MatMul, VectorsMatricesAndBatches) {
  const std::pair<Shape, Shape> shapes[] = {
      {{7}, {7}},
      {{7}, {7, 13}},
      {{5, 7}, {7}},
      {{5, 7}, {7, 9}},
      {{3, 5, 7}, {7, 9}},
      {{5, 7}, {3, 7, 9}},
      {{3, 5, 7}, {3, 7, 9}},
      {{2, 1, 5, 7}, {3, 7, 9}},
      {{1, 5, 7}, {4, 7, 1}},
      {{2, 3, 1, 8}, {2, 3, 8, 17}},
      {{2, 1, 4, 6}, {1, 3, 6, 16}},
      {{4, 7}, {2, 2, 7, 5}},
      {{7}, {3, 7, 5}},
      {{3, 5, 7}, {7}},
      {{1, 1}, {1, 1}},
      {{33, 1}, {1, 33}},
  };
  for (const auto& [a, b] : shapes)
    for (const bool constantB : {false, true}) expectMatMulAgrees(a, b, constantB);
}

TEST(MatMul, OtherElementTypes) {
  for (const ElemType elem : kElems)
    for (const bool constantB : {false, true})
      expectMatMulAgrees({2, 3, 10}, {10, 9}, constantB, elem);
}

TEST(MatMul, TransposedOperandsAreReadInPlaceOrCopied) {
  for (const std::vector<int64_t>& perm : {std::vector<int64_t>{0, 2, 1}, {2, 0, 1}, {1, 2, 0}})
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value* a = g.transpose(g.input("a", f32({6, 6, 6})), perm);
      Value* b = g.transpose(g.input("b", f32({6, 6, 6})), perm);
      return g.op(OpKind::MatMul, "matmul", {a, b});
    });
}

TEST(MatMul, Attention) {
  expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = g.input("x", f32({2, 9, 12}));
    const auto heads = [&](const char* name) {
      Value* y = g.op(OpKind::MatMul, name,
                      {x, g.uniform(std::string(name) + ".weight", {12, 12}, -0.5, 0.5)});
      return g.transpose(g.reshape(y, {2, 9, 3, 4}), {0, 2, 1, 3});
    };
    Value* scores =
        g.op(OpKind::MatMul, "scores", {heads("q"), g.transpose(heads("k"), {0, 1, 3, 2})});
    Value* weights = g.op(OpKind::Softmax, "softmax", {scores});
    Value* y = g.op(OpKind::MatMul, "mix", {weights, heads("v")});
    return g.reshape(g.transpose(y, {0, 2, 1, 3}), {2, 9, 12});
  });
}

} // namespace
} // namespace enfold
