// Ops that are written as others which have kernels, against their own reference functions.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

const DifferentialOptions kExact{.tolerance = {0, 0}};

DifferentialOptions within(ElemType elem) {
  const double tolerance = elem == ElemType::F64   ? 1e-9
                           : elem == ElemType::F32 ? 1e-5
                           : elem == ElemType::F16 ? 2e-3
                                                   : 2e-2;
  return {.tolerance = {.rtol = tolerance, .atol = tolerance}};
}

Value* ints(GraphBuilder& g, const char* name, const std::vector<int64_t>& values) {
  const std::span<const int64_t> span(values);
  return g.constant(name, Tensor::of({static_cast<int64_t>(values.size())}, span));
}

TEST(Decompose, NormsOfEveryAxisAndFloat) {
  Sizes sizes(71);
  for (const ElemType elem : {ElemType::F32, ElemType::F64, ElemType::F16, ElemType::BF16})
    for (int64_t axis = -3; axis < 3; ++axis) {
      const Type x{elem, {sizes.between(1, 5), sizes.between(1, 19), sizes.between(1, 40)}, {}};
      for (const int64_t p : {1, 2})
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return g.op(OpKind::LpNormalization, "norm", {g.input("x", x)},
                          {{"axis", axis}, {"p", p}});
            },
            within(elem));
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::ReduceLogSumExp, "sum", {g.input("x", x), ints(g, "axes", {axis})},
                        {{"keepdims", sizes.between(0, 1)}});
          },
          within(elem));
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::Hardmax, "max", {g.input("x", x)}, {{"axis", axis}});
          },
          kExact);
    }
}

TEST(Decompose, ExtremesOfLogSumExp) {
  for (const double shift : {-1000.0, 1000.0})
    expectCompiledAgrees(
        [](GraphBuilder& g) {
          return g.op(OpKind::ReduceLogSumExp, "sum", {g.input("x", f32({3, 21}))});
        },
        {.low = shift - 5, .high = shift + 5});
  const float inf = INFINITY;
  for (const std::vector<float>& row :
       {std::vector<float>{-inf, -inf, -inf}, {inf, 1, 2}, {-inf, 1, 2}, {NAN, 1, inf}}) {
    const std::span<const float> span(row);
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* x = g.op(OpKind::Add, "x",
                          {g.constant("c", Tensor::of({3}, span)), g.input("zero", f32({3}))});
          return g.op(OpKind::ReduceLogSumExp, "sum", {x});
        },
        {.low = 0, .high = 0});
  }
}

TEST(Decompose, VectorsOfZerosHaveNoDirection) {
  expectCompiledAgrees(
      [](GraphBuilder& g) {
        return g.op(OpKind::LpNormalization, "norm", {g.input("x", f32({4, 9}))});
      },
      {.tolerance = {0, 0}, .low = 0, .high = 0});
}

TEST(Decompose, MeanVarianceNormalization) {
  for (const std::vector<int64_t>& axes :
       {std::vector<int64_t>{0, 2, 3}, {2, 3}, {-1}, {0, 1, 2, 3}})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::MeanVarianceNormalization, "norm", {g.input("x", f32({3, 5, 7, 9}))},
                      {{"axes", axes}});
        },
        {.tolerance = {.rtol = 1e-4, .atol = 1e-5}});
}

TEST(Decompose, CroppedAndPaddedCenters) {
  Sizes sizes(72);
  for (int round = 0; round < 20; ++round) {
    const Shape x = {sizes.between(1, 9), sizes.between(1, 9), sizes.between(1, 20)};
    std::vector<int64_t> to;
    for (int i = 0; i < 3; ++i) to.push_back(sizes.between(1, 20));
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::CenterCropPad, "crop", {g.input("x", f32(x)), ints(g, "shape", to)});
        },
        kExact);
  }
}

TEST(Decompose, Triangles) {
  for (const ElemType elem : {ElemType::F32, ElemType::I64, ElemType::Bool, ElemType::F16})
    for (const int64_t k : {-30, -2, 0, 1, 5, 30})
      for (const int64_t upper : {0, 1})
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return g.op(OpKind::Trilu, "tri",
                          {g.input("x", {elem, {2, 9, 13}, {}}),
                           g.constant("k", Tensor::scalar<int64_t>(k))},
                          {{"upper", upper}});
            },
            {.tolerance = {0, 0}, .low = 0, .high = 1});
}

TEST(Decompose, OneHotOfEveryAxisAndIndexType) {
  Sizes sizes(73);
  for (const ElemType index : {ElemType::I64, ElemType::I32, ElemType::U8})
    for (int64_t axis = -3; axis < 3; ++axis) {
      const Shape shape = {sizes.between(1, 9), sizes.between(1, 9)};
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::OneHot, "hot",
                        {g.input("i", {index, shape, {}}),
                         g.constant("depth", Tensor::scalar<int64_t>(7)),
                         g.input("values", f32({2}))},
                        {{"axis", axis}});
          },
          // Some are out of range: they mark nothing.
          {.tolerance = {0, 0}, .low = index == ElemType::U8 ? 0.0 : -9.0, .high = 9});
    }
}

TEST(Decompose, IntegerProducts) {
  Sizes sizes(74);
  for (const ElemType elem : {ElemType::U8, ElemType::I8})
    for (int round = 0; round < 8; ++round) {
      const int64_t m = sizes.between(1, 20), k = sizes.between(1, 70), n = sizes.between(1, 40);
      const DifferentialOptions options{
          .tolerance = {0, 0}, .low = elem == ElemType::U8 ? 0.0 : -128.0, .high = 127};
      const auto zero = [&](GraphBuilder& g, const char* name, Shape shape) {
        return g.input(name, {elem, std::move(shape), {}});
      };
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) {
            std::vector<Value*> operands = {g.input("a", {elem, {m, k}, {}}),
                                            g.input("b", {elem, {k, n}, {}})};
            if (round % 4 > 0) operands.push_back(zero(g, "za", round % 2 ? Shape{} : Shape{m}));
            if (round % 4 > 1) operands.push_back(zero(g, "zb", round % 2 ? Shape{n} : Shape{}));
            return g.op(OpKind::MatMulInteger, "mul", operands);
          },
          options);
      EXPECT_TRUE(std::ranges::any_of(
          algorithms, [](const std::string& a) { return a.rfind("gemm", 0) == 0; }));
    }
}

} // namespace
} // namespace enfold
