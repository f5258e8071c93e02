// Ops that are written as others which have kernels, against their own reference functions.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

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
  for (int round = 0; round < rounds(20); ++round) {
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

TEST(Decompose, LocalResponseNormalization) {
  Sizes sizes(75);
  for (const ElemType elem : {ElemType::F32, ElemType::F64, ElemType::F16})
    for (int round = 0; round < rounds(12); ++round) {
      Shape shape = {sizes.between(1, 2), sizes.between(1, 20)};
      for (int64_t i = sizes.between(0, 3); i > 0; --i) shape.push_back(sizes.between(1, 7));
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return g.op(OpKind::LRN, "lrn", {g.input("x", {elem, shape, {}})},
                        {{"size", sizes.between(1, 6)},
                         {"alpha", 0.7f},
                         {"beta", sizes.oneOf({0.75f, 0.5f, 1.3f})},
                         {"bias", sizes.oneOf({1.0f, 2.0f})}});
          },
          within(elem));
    }
}

/// Sums of squares whose powers a narrower formula would not hold.
TEST(Decompose, LocalResponseNormalizationOfExtremes) {
  for (const double magnitude : {1e-13, 1e15})
    expectCompiledAgrees(
        [](GraphBuilder& g) {
          Value* y = g.op(OpKind::LRN, "lrn", {g.input("x", f32({1, 7, 3, 5}))},
                          {{"size", int64_t{3}}, {"alpha", 1.0f}, {"beta", 0.75f}, {"bias", 0.0f}});
          return g.op(OpKind::Log, "log", {y});
        },
        {.low = magnitude / 2, .high = magnitude});
}

/// The quotient is rounded to the type of the scale, or to the one that is stated.
TEST(Decompose, QuantizationDividesInTheStatedType) {
  constexpr int64_t kOfScale = 0, kF32 = 1, kF16 = 10, kBF16 = 16;
  Sizes sizes(80);
  for (const ElemType elem : {ElemType::F32, ElemType::F16, ElemType::BF16})
    for (const ElemType of : {ElemType::F32, ElemType::F16, ElemType::BF16})
      for (const int64_t precision : {kOfScale, kF32, kF16, kBF16}) {
        const int64_t columns = sizes.between(50, 90), block = sizes.between(3, 20);
        const bool inBlocks = sizes.between(0, 1) == 1;
        Tensor scale(of, inBlocks ? Shape{3, (columns + block - 1) / block} : Shape{});
        for (int64_t i = 0; i < scale.numElements(); ++i)
          scale.setDouble(i, static_cast<double>(sizes.between(900, 2000)) / 70000);
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return g.op(OpKind::QuantizeLinear, "q",
                          {g.input("x", {elem, {3, columns}, {}}), g.constant("scale", scale)},
                          {{"axis", int64_t{1}},
                           {"block_size", inBlocks ? block : 0},
                           {"output_dtype", sizes.oneOf({ElemType::I8, ElemType::I16})},
                           {"precision", precision}});
            },
            kExact);
      }
}

TEST(Decompose, GlobalLpPools) {
  Sizes sizes(76);
  for (const int64_t p : {1, 2, 3})
    for (const Shape& shape : {Shape{2, 3, 17}, Shape{1, 5, 4, 9}, Shape{2, 1, 3, 2, 5}})
      expectCompiledAgrees([&](GraphBuilder& g) {
        return g.op(OpKind::GlobalLpPool, "pool", {g.input("x", f32(shape))}, {{"p", p}});
      });
}

TEST(Decompose, ConvolutionsOfQuantizedNumbers) {
  Sizes sizes(77);
  for (uint64_t round = 0; round < rounds<uint64_t>(60); ++round) {
    const ElemType xElem = sizes.oneOf({ElemType::U8, ElemType::I8});
    const ElemType wElem = sizes.oneOf({ElemType::U8, ElemType::I8});
    const int64_t group = sizes.oneOf<int64_t>({1, 1, 2}), perGroup = sizes.between(1, 6);
    const int64_t outputs = group * sizes.between(1, 6);
    Shape x = {sizes.between(1, 2), group * perGroup}, w = {outputs, perGroup};
    std::vector<int64_t> pads, strides;
    const int64_t rank = sizes.between(1, 3);
    for (int64_t i = 0; i < rank; ++i) {
      w.push_back(sizes.between(1, 3));
      x.push_back(w.back() + sizes.between(0, 12));
      strides.push_back(sizes.between(1, 2));
    }
    for (int64_t i = 0; i < 2 * rank; ++i) pads.push_back(sizes.between(0, 1));
    const AttrMap attrs = {{"group", group}, {"pads", pads}, {"strides", strides}};
    const bool perOutput = round % 3 == 0;
    const auto zeros = [&](GraphBuilder& g, const char* name, ElemType elem, int64_t count) {
      Tensor tensor(elem, count ? Shape{count} : Shape{});
      for (int64_t i = 0; i < tensor.numElements(); ++i)
        tensor.setDouble(i, static_cast<double>(sizes.between(isUnsigned(elem) ? 0 : -9, 9)));
      return g.constant(name, std::move(tensor));
    };
    const auto scales = [&](GraphBuilder& g, const char* name, int64_t count) {
      return g.uniform(name, count ? Shape{count} : Shape{}, 0.01, 0.1);
    };
    const bool whole = round % 2 == 0;
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* input = g.input("x", {xElem, x, {}});
          Tensor weights(wElem, w);
          for (int64_t i = 0; i < weights.numElements(); ++i)
            weights.setDouble(i,
                              static_cast<double>(sizes.between(isUnsigned(wElem) ? 0 : -99, 99)));
          Value* wei = g.constant("w", std::move(weights));
          Value* xZero = zeros(g, "xz", xElem, 0);
          Value* wZero = zeros(g, "wz", wElem, perOutput ? outputs : 0);
          if (!whole) return g.op(OpKind::ConvInteger, "conv", {input, wei, xZero, wZero}, attrs);
          return g.op(OpKind::QLinearConv, "conv",
                      {input, scales(g, "xs", 0), xZero, wei,
                       scales(g, "ws", perOutput ? outputs : 0), wZero, scales(g, "ys", 0),
                       zeros(g, "yz", xElem, 0)},
                      attrs);
        },
        {.tolerance = {0, 0}, .low = isUnsigned(xElem) ? 0.0 : -100.0, .high = 100, .seed = round});
  }
}

TEST(Decompose, EinsumsOfOneTwoAndThree) {
  struct Case {
    const char* equation;
    std::vector<Shape> shapes;
  };
  const Case cases[] = {
      {"ij->ji", {{5, 17}}},
      {"ijk->k", {{3, 4, 19}}},
      {"ij->", {{6, 9}}},
      {"ij,jk->ik", {{7, 12}, {12, 18}}},
      {"bij,bjk->bik", {{3, 7, 12}, {3, 12, 9}}},
      {"bhid,bhjd->bhij", {{2, 3, 5, 8}, {2, 3, 6, 8}}},
      {"nchw,nchw->nc", {{2, 5, 4, 4}, {2, 5, 4, 4}}},
      {"i,j->ij", {{5}, {9}}},
      {"i,i->", {{33}, {33}}},
      {"ij,kl->il", {{3, 4}, {5, 6}}},
      {"...ij,...jk->...ik", {{2, 3, 4, 5}, {2, 3, 5, 6}}},
      {"bi,oij,bj->bo", {{3, 4}, {5, 4, 6}, {3, 6}}},
  };
  for (const ElemType elem : {ElemType::F32, ElemType::F64})
    for (const Case& c : cases)
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            std::vector<Value*> operands;
            for (const Shape& shape : c.shapes)
              operands.push_back(g.input("x" + std::to_string(operands.size()), {elem, shape, {}}));
            return g.op(OpKind::Einsum, "einsum", operands,
                        {{"equation", std::string(c.equation)}});
          },
          within(elem));
}

TEST(Decompose, EinsumsThatAreLeftAlone) {
  for (const char* equation : {"ii->i", "ii->"})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          return g.op(OpKind::Einsum, "einsum", {g.input("x", f32({6, 6}))},
                      {{"equation", std::string(equation)}});
        },
        {.generated = false});
}

TEST(Decompose, AffineGrids) {
  for (const int64_t align : {0, 1})
    for (const std::vector<int64_t>& size :
         {std::vector<int64_t>{2, 3, 5, 7}, std::vector<int64_t>{1, 1, 1, 4},
          std::vector<int64_t>{2, 3, 4, 5, 6}})
      for (const ElemType elem : {ElemType::F32, ElemType::F64, ElemType::F16})
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              const auto rank = static_cast<int64_t>(size.size()) - 2;
              return g.op(
                  OpKind::AffineGrid, "grid",
                  {g.input("theta", {elem, {size[0], rank, rank + 1}, {}}), ints(g, "size", size)},
                  {{"align_corners", align}});
            },
            within(elem));
}

} // namespace
} // namespace enfold
