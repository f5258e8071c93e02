// Products of bf16 that are summed in f32, against the reference: every kernel of convolutions and
// matrix products.
#include "Window.h"
#include "ir/ConstantText.h"
#include "support/Hash.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

enum class Behind : uint8_t { Nothing, Rounded, Residual };

struct HalfCase {
  OpKind kind = OpKind::Conv;
  int64_t batch = 1, cin = 1, cout = 1, groups = 1;
  RandomWindow window;
  bool bias = false;
  Behind behind = Behind::Nothing;
  std::string algorithm = "auto";
  bool tiles = false; ///< are allowed
};

Type bf16(Shape shape) { return {ElemType::BF16, std::move(shape), {}}; }

Value* halves(GraphBuilder& g, const std::string& name, Shape shape, double range = 0.5) {
  Tensor tensor(ElemType::BF16, std::move(shape));
  fillRandom(tensor, hashString(name), -range, range);
  return g.constant(name, std::move(tensor));
}

Value* cast(GraphBuilder& g, Value* x, ElemType to) {
  return g.op(OpKind::Cast, "cast", {x}, {{"to", to}});
}

/// A relu, and rounding, which a step of bf16 may differ in; or a residual of bf16 in front.
Value* finished(GraphBuilder& g, Value* y, Behind behind) {
  if (behind == Behind::Nothing) return y;
  if (behind == Behind::Residual)
    y = g.op(OpKind::Add, "sum", {y, cast(g, g.input("r", bf16(y->shape())), ElemType::F32)});
  return cast(g, g.op(OpKind::Relu, "relu", {y}), ElemType::BF16);
}

Tolerance toleranceBehind(Behind behind) {
  return behind == Behind::Nothing ? Tolerance{} : Tolerance{.rtol = 8e-3, .atol = 1e-5};
}

std::vector<std::string> expectConvAgrees(const HalfCase& c) {
  const auto build = [&](GraphBuilder& g) {
    const bool isTransposed = c.kind == OpKind::ConvTranspose;
    Shape x = {c.batch, c.cin};
    Shape w = isTransposed ? Shape{c.cin, c.cout / c.groups} : Shape{c.cout, c.cin / c.groups};
    x.insert(x.end(), c.window.image.begin(), c.window.image.end());
    w.insert(w.end(), c.window.kernel.begin(), c.window.kernel.end());
    std::vector<Value*> operands = {g.input("x", bf16(x)), halves(g, "weight", w)};
    if (c.bias) operands.push_back(g.uniform("bias", {c.cout}, -1, 1));
    AttrMap attrs = c.window.attrs();
    attrs["group"] = c.groups;
    attrs["sum"] = ElemType::F32;
    if (c.algorithm != "auto") attrs["algorithm"] = c.algorithm;
    return finished(g, g.op(c.kind, "conv", operands, attrs), c.behind);
  };
  const std::vector<double> odd = oddNumbers();
  return expectCompiledAgrees(build,
                              {.tolerance = toleranceBehind(c.behind),
                               .odd = {odd[static_cast<size_t>(c.cin + c.cout) % odd.size()]},
                               .tiles = c.tiles});
}

RandomWindow usual(const Shape& image) { return {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, image}; }
RandomWindow pointwise(const Shape& image, int64_t stride = 1) {
  return {{1, 1}, {stride, stride}, {1, 1}, {0, 0, 0, 0}, image};
}

/// Of words, or with the input as f32.
void expectDirect(const std::vector<std::string>& algorithms) {
  EXPECT_TRUE(uses(algorithms, "conv_direct bf16") || uses(algorithms, "conv_widen") ||
              uses(algorithms, "conv_direct spanning"));
}

Behind behindOf(int round) {
  constexpr Behind kAll[] = {Behind::Nothing, Behind::Rounded, Behind::Residual};
  return kAll[round % 3];
}

TEST(HalfConv, AnyWindowOfEveryRank) {
  Sizes sizes(71);
  bool direct = false;
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < 16; ++round) {
      HalfCase c{.batch = sizes.between(1, 3), .cout = sizes.between(1, 40)};
      c.cin = round % 2 ? sizes.between(1, 16) : sizes.between(17, 40);
      c.window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 14});
      c.bias = round % 3 == 0;
      c.behind = behindOf(round / 3);
      direct |= uses(expectConvAgrees(c), "conv_direct");
    }
  EXPECT_TRUE(direct);
}

TEST(HalfConv, ByTiles) {
  Sizes sizes(75);
  int used = 0;
  const int all = rounds(48);
  for (int round = 0; round < all; ++round) {
    HalfCase c{.batch = sizes.between(1, 2), .cout = sizes.between(9, 80), .tiles = true};
    c.cin = round % 3 == 0   ? sizes.between(1, 8)
            : round % 3 == 1 ? sizes.between(9, 32)
                             : sizes.between(33, 100);
    c.window = randomWindow(sizes, 1 + round % 2, {.kernel = round % 8 == 6 ? 7 : 3, .side = 20});
    c.bias = round % 3 == 0;
    c.behind = behindOf(round / 3);
    used += uses(expectConvAgrees(c), "conv_tiles");
  }
  EXPECT_GE(used, all / 6);
}

TEST(HalfConv, ByTilesOfEveryCountOfChannels) {
  for (const int64_t cin : {1, 3, 4, 8, 9, 16, 17, 31, 32, 33, 64, 70})
    for (const int64_t stride : {1, 2}) {
      HalfCase c{.cin = cin, .cout = 40, .window = usual({9, 19}), .tiles = true};
      c.window.strides = {stride, stride};
      c.algorithm = "tiles bf16";
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_tiles")) << cin;
    }
}

TEST(HalfConv, DirectWhereWinogradIsFaster) {
  Sizes sizes(72);
  for (const int64_t cin : {1, 2, 3, 17, 31, 32})
    for (const int64_t cout : {7, 8, 33}) {
      HalfCase c{.cin = cin, .cout = cout, .window = usual({sizes.between(1, 9), 11})};
      c.algorithm = "direct";
      expectDirect(expectConvAgrees(c));
    }
}

TEST(HalfConv, PointwiseAndSampled) {
  Sizes sizes(73);
  for (const int64_t stride : {1, 2, 3})
    for (const int64_t cin : {3, 8, 19, 40})
      for (const int64_t batch : {1, 2}) {
        HalfCase c{.batch = batch, .cin = cin, .cout = sizes.between(8, 50), .bias = true};
        c.window = pointwise({sizes.between(1, 20), sizes.between(1, 40)}, stride);
        c.behind = behindOf(static_cast<int>(cin));
        expectDirect(expectConvAgrees(c));
      }
}

TEST(HalfConv, EveryTileOfWords) {
  for (const std::string tile : {"4x2", "5x1", "3x2", "shared 3x1"})
    for (const int64_t cin : {24, 37}) {
      HalfCase c{.cin = cin, .cout = 32, .window = usual({7, 12}), .bias = true};
      c.algorithm = "direct bf16 " + tile + " of any width";
      expectDirect(expectConvAgrees(c));
    }
}

TEST(HalfConv, Winograd) {
  bool winograd = false;
  for (const int64_t cin : {33, 64})
    for (const int64_t side : {14, 15}) {
      HalfCase c{.cin = cin, .cout = 40, .window = usual({side, side}), .bias = true};
      c.behind = behindOf(static_cast<int>(side));
      winograd |= uses(expectConvAgrees(c), "winograd");
    }
  EXPECT_TRUE(winograd);
}

TEST(HalfConv, GroupsOfOddSizes) {
  Sizes sizes(74);
  for (const int64_t groups : {2, 3, 4, 7, 16})
    for (int round = 0; round < 6; ++round) {
      HalfCase c{.batch = sizes.between(1, 2), .groups = groups, .bias = round % 2 == 0};
      c.cin = groups * sizes.oneOf<int64_t>({1, 2, 3, 4, 5, 8});
      c.cout = groups * sizes.oneOf<int64_t>({2, 3, 4, 7, 16});
      c.window = randomWindow(sizes, 1 + round % 3, {.kernel = 3, .side = 5});
      expectConvAgrees(c);
    }
}

TEST(HalfConv, Depthwise) {
  Sizes sizes(75);
  for (const int64_t channels : {8, 24, 31})
    for (int round = 0; round < 8; ++round) {
      HalfCase c{.cin = channels, .cout = channels, .groups = channels, .bias = round % 2 == 0};
      const int64_t dilation = round % 2 ? 1 : 3; // without, pairs of neighbours may be multiplied
      c.window = randomWindow(sizes, 2, {.kernel = round == 3 ? 9 : 5, .dilation = dilation});
      c.behind = behindOf(round);
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_depthwise"));
    }
}

/// Of pixels that are multiplied together, those that no tap reads are in no sum.
TEST(HalfConv, DepthwiseBesideInfinitePixels) {
  for (const int64_t stride : {1, 2})
    for (const int64_t taps : {2, 3, 5}) {
      const auto build = [&](GraphBuilder& g) {
        Value* x =
            g.op(OpKind::Div, "quotient",
                 {g.constant("one", Tensor::scalar(1.0f)), g.input("x", f32({1, 8, 7, 30}))});
        x = cast(g, x, ElemType::BF16);
        RandomWindow window = {{1, taps}, {1, stride}, {1, 1}, {0, 1, 0, 1}, {7, 30}};
        AttrMap attrs = window.attrs();
        attrs["group"] = int64_t{8};
        attrs["sum"] = ElemType::F32;
        return g.op(OpKind::Conv, "conv", {x, halves(g, "weight", {8, 1, 1, taps})}, attrs);
      };
      expectCompiledAgrees(build, {.low = 1, .fills = {{0, 1, 2, 3, 2, 1, 3, 2, 1, 4, 2}}});
    }
}

TEST(HalfConv, Transposed) {
  Sizes sizes(76);
  for (int round = 0; round < 12; ++round) {
    HalfCase c{.kind = OpKind::ConvTranspose, .batch = sizes.between(1, 2)};
    c.groups = sizes.oneOf<int64_t>({1, 1, 2});
    c.cin = c.groups * sizes.between(1, 20);
    c.cout = c.groups * sizes.between(8, 24);
    c.window = randomWindow(sizes, 2, {.kernel = 3, .stride = 2, .dilation = 1, .side = 6});
    std::ranges::fill(c.window.pads, 0);
    c.bias = round % 2 == 0;
    c.behind = behindOf(round);
    EXPECT_TRUE(uses(expectConvAgrees(c), "conv_transposed"));
  }
}

/// Whatever lies in a block beside the last channel is in no sum.
TEST(HalfConv, BesideTheLastChannel) {
  for (const int64_t channels : {17, 18, 19, 25})
    for (const bool isPointwise : {false, true}) {
      const auto build = [&](GraphBuilder& g) {
        Value* x = blockedInput(g, 1, channels, {6, 9});
        // What the lanes of no channel hold is infinite.
        x = g.op(OpKind::Div, "quotient", {g.constant("one", Tensor::scalar(1.0f)), x});
        x = g.op(OpKind::Clip, "bounded", {x, g.constant("low", Tensor::scalar(-4.0f)), nullptr});
        x = cast(g, g.op(OpKind::Atan, "atan", {x}), ElemType::BF16);
        AttrMap attrs = (isPointwise ? pointwise({6, 9}) : usual({6, 9})).attrs();
        attrs["sum"] = ElemType::F32;
        attrs["algorithm"] = std::string("direct");
        const int64_t side = isPointwise ? 1 : 3;
        return g.op(OpKind::Conv, "conv", {x, halves(g, "weight", {20, channels, side, side})},
                    attrs);
      };
      expectCompiledAgrees(build, {.tolerance = {.rtol = 8e-3, .atol = 8e-3}});
    }
}

struct GemmCase {
  int64_t m, n, k;
  bool transA = false, transB = false, constantB = true, bias = false;
  Behind behind = Behind::Nothing;
};

std::vector<std::string> expectGemmAgrees(const GemmCase& c) {
  const auto build = [&](GraphBuilder& g) {
    const Shape b = c.transB ? Shape{c.n, c.k} : Shape{c.k, c.n};
    std::vector<Value*> operands = {
        g.input("a", bf16(c.transA ? Shape{c.k, c.m} : Shape{c.m, c.k})),
        c.constantB ? halves(g, "b", b) : g.input("b", bf16(b))};
    if (c.bias) operands.push_back(g.uniform("c", {c.n}, -1, 1));
    AttrMap attrs = {{"sum", ElemType::F32}, {"alpha", 0.5f}};
    if (c.transA) attrs["transA"] = int64_t{1};
    if (c.transB) attrs["transB"] = int64_t{1};
    return finished(g, g.op(OpKind::Gemm, "gemm", operands, attrs), c.behind);
  };
  return expectCompiledAgrees(build, {.tolerance = toleranceBehind(c.behind),
                                      .odd = {std::numeric_limits<double>::infinity()}});
}

TEST(HalfGemm, EveryCountOfRowsAndColumnsAroundTheTile) {
  Sizes sizes(77);
  int round = 0;
  for (const int64_t m : {1, 2, 3, 5, 6, 7, 13})
    for (const int64_t n : {1, 3, 8, 9, 17, 33, 65}) {
      GemmCase c{.m = m, .n = n, .k = sizes.between(1, 20), .bias = m % 2 == 0};
      c.behind = behindOf(++round);
      EXPECT_TRUE(uses(expectGemmAgrees(c), "gemm bf16"));
    }
}

TEST(HalfGemm, EveryLengthOfSums) {
  for (const int64_t k : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 101})
    for (const int64_t m : {1, 4})
      EXPECT_TRUE(uses(expectGemmAgrees({.m = m, .n = 10, .k = k}), "gemm bf16"));
}

TEST(HalfGemm, TransposedFromInputsOrConstants) {
  Sizes sizes(78);
  for (const bool transA : {false, true})
    for (const bool transB : {false, true})
      for (const bool constantB : {false, true})
        for (int round = 0; round < 3; ++round)
          EXPECT_TRUE(uses(expectGemmAgrees({.m = sizes.between(1, 20),
                                             .n = sizes.between(1, 40),
                                             .k = sizes.between(1, 30),
                                             .transA = transA,
                                             .transB = transB,
                                             .constantB = constantB}),
                           "gemm"));
}

TEST(HalfMatMul, OfEveryRank) {
  const std::pair<Shape, Shape> shapes[] = {{{5}, {5, 7}},           {{3, 5}, {5}},
                                            {{2, 3, 9}, {9, 11}},    {{2, 3, 8}, {2, 8, 5}},
                                            {{1, 4, 3, 7}, {7, 40}}, {{4}, {4}}};
  for (const auto& [a, b] : shapes)
    for (const bool constantB : {false, true})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* const second = constantB ? halves(g, "b", b) : g.input("b", bf16(b));
        return g.op(OpKind::MatMul, "matmul", {g.input("a", bf16(a)), second},
                    {{"sum", ElemType::F32}});
      });
}

} // namespace
} // namespace enfold
