// Convolutions of other element types, with computed weights, and of halves, against the reference.
#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

struct Problem {
  Shape x, w;
  std::vector<int64_t> pads, strides, dilations;
  int64_t group = 1;
};

Problem randomProblem(Sizes& sizes, size_t rank) {
  Problem p;
  p.group = sizes.oneOf<int64_t>({1, 1, 2, 3});
  p.x = {sizes.between(1, 2), p.group * sizes.between(1, 5)};
  p.w = {p.group * sizes.between(1, 9), p.x[1] / p.group};
  std::vector<int64_t> after;
  for (size_t i = 0; i < rank; ++i) {
    p.w.push_back(sizes.between(1, 3));
    p.dilations.push_back(sizes.between(1, 2));
    p.strides.push_back(sizes.between(1, 3));
    p.pads.push_back(sizes.between(0, 2));
    after.push_back(sizes.between(0, 2));
    p.x.push_back((p.w.back() - 1) * p.dilations.back() + sizes.between(1, rank > 2 ? 6 : 30));
  }
  p.pads.insert(p.pads.end(), after.begin(), after.end());
  return p;
}

Value* conv(GraphBuilder& g, const Problem& p, Value* x, Value* w, Value* bias) {
  std::vector<Value*> operands = {x, w};
  if (bias) operands.push_back(bias);
  return g.op(
      OpKind::Conv, "conv", operands,
      {{"group", p.group}, {"pads", p.pads}, {"strides", p.strides}, {"dilations", p.dilations}});
}

bool ranPlain(const std::vector<std::string>& algorithms) {
  return std::ranges::any_of(algorithms,
                             [](const std::string& a) { return a.rfind("conv_plain", 0) == 0; });
}

TEST(PlainConv, ComputedWeightsOfEveryType) {
  Sizes sizes(81);
  for (uint64_t round = 0; round < rounds<uint64_t>(40); ++round) {
    const ElemType elem = sizes.oneOf({ElemType::F32, ElemType::F64});
    const Problem p = randomProblem(sizes, round % 3 + 1);
    const double tolerance = 1e-5;
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* bias = round % 2 ? g.input("b", {elem, {p.w[0]}, {}}) : nullptr;
          Value* y = conv(g, p, g.input("x", {elem, p.x, {}}), g.input("w", {elem, p.w, {}}), bias);
          return round % 4 < 2 ? y : g.op(OpKind::Relu, "relu", {y});
        },
        {.tolerance = {tolerance, tolerance}, .low = -5, .high = 5, .seed = round});
    EXPECT_TRUE(ranPlain(algorithms));
  }
}

TEST(PlainConv, PointwiseWithABroadcastOperand) {
  for (const int64_t width : {1, 7, 33})
    EXPECT_TRUE(ranPlain(expectCompiledAgrees([&](GraphBuilder& g) {
      Value* y = g.op(OpKind::Conv, "conv",
                      {g.input("x", f32({2, 6, 5, width})), g.input("w", f32({9, 6, 1, 1}))});
      return g.op(OpKind::Mul, "mul", {y, g.input("by", f32({9, 5, 1}))});
    })));
}

TEST(PlainConv, RowsLieAlongAnyAxis) {
  for (const bool operand : {false, true})
    for (const Shape& image : {Shape{21, 1}, Shape{1, 21}, Shape{6, 1, 5}, Shape{9, 1, 1}}) {
      Problem p{.x = {2, 6}, .w = {8, 3}, .pads = {}, .strides = {}, .dilations = {}, .group = 2};
      for (const int64_t side : image) {
        p.x.push_back(side);
        p.w.push_back(side == 1 ? 1 : 3);
        p.pads.push_back(side == 1 ? 0 : 2);
        p.strides.push_back(2);
      }
      p.dilations.assign(image.size(), 1);
      p.pads.insert(p.pads.end(), image.size(), 0);
      EXPECT_TRUE(ranPlain(expectCompiledAgrees([&](GraphBuilder& g) {
        Value* y = conv(g, p, g.input("x", f32(p.x)), g.input("w", f32(p.w)), nullptr);
        return operand ? g.op(OpKind::Mul, "mul", {y, g.input("by", y->type())}) : y;
      })));
    }
}

/// Constant weights of halves: the kernels are those of f32, with conversions around them.
TEST(Halves, ConvolutionsPoolsAndProducts) {
  Sizes sizes(82);
  for (const ElemType elem : {ElemType::F16, ElemType::BF16})
    for (uint64_t round = 0; round < 8; ++round) {
      const int64_t c = sizes.between(1, 40), o = sizes.between(1, 40);
      const auto half = [&](GraphBuilder& g, const char* name, Shape shape) {
        return g.op(OpKind::Cast, name, {g.uniform(name, std::move(shape), -0.5, 0.5)},
                    {{"to", elem}});
      };
      const double tolerance = elem == ElemType::F16 ? 4e-3 : 3e-2;
      const auto algorithms = expectCompiledAgrees(
          [&](GraphBuilder& g) {
            Value* x = g.input("x", {elem, {sizes.between(1, 2), c, 11, 13}, {}});
            Value* y =
                g.op(OpKind::Conv, "first", {x, half(g, "w", {o, c, 3, 3}), half(g, "b", {o})},
                     {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
            Value* r = g.op(OpKind::Relu, "relu", {y});
            Value* p = g.op(round % 2 ? OpKind::MaxPool : OpKind::AveragePool, "pool", {r},
                            {{"kernel_shape", std::vector<int64_t>{2, 2}},
                             {"strides", std::vector<int64_t>{2, 2}}});
            Value* z = g.op(OpKind::Conv, "second", {p, half(g, "v", {c, o, 1, 1})});
            return g.op(OpKind::GlobalAveragePool, "mean", {z});
          },
          {.tolerance = {tolerance, tolerance}, .low = -1, .high = 1, .seed = round});
      EXPECT_FALSE(ranPlain(algorithms)) << "constant weights are for the blocked kernels";
      EXPECT_TRUE(std::ranges::any_of(
          algorithms, [](const std::string& a) { return a.rfind("conv_", 0) == 0; }));
    }
}

/// Of a few channels as vectors of pixels, behind convolutions of blocks.
TEST(PlainConv, ResultsOfFewChannels) {
  Sizes sizes(83);
  for (int64_t channels = 1; channels <= 4; ++channels)
    for (const int64_t width : {16, 23, 24, 33, 64, 71}) {
      const int64_t kernel = sizes.between(4, 12), pad = sizes.between(0, kernel / 2);
      const int64_t cin = sizes.between(9, 20);
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = g.op(OpKind::Conv, "first",
                        {g.input("x", f32({2, cin, 13, width + kernel - 1 - 2 * pad})),
                         g.uniform("first.weight", {17, cin, 1, 1}, -0.3, 0.3)});
        Value* y = g.op(OpKind::Conv, "last",
                        {x, g.uniform("weight", {channels, 17, kernel, kernel}, -0.1, 0.1),
                         g.uniform("bias", {channels}, -1, 1)},
                        {{"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
        return g.op(OpKind::Sigmoid, "sigmoid", {y});
      });
    }
  const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
    return g.op(OpKind::Conv, "last",
                {g.input("x", f32({1, 24, 40, 64})), g.uniform("w", {1, 24, 9, 9}, -0.1, 0.1)});
  });
  EXPECT_TRUE(ranPlain(algorithms));
}

} // namespace
} // namespace enfold
