// Direct and grouped convolutions against the reference: all ranks, windows, groups and widths.
#include "Window.h"
#include "codegen/TargetInfo.h"
#include "ir/Parser.h"
#include "lower/conv/Separable.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

struct ConvCase {
  int64_t batch = 1, cin = 1, cout = 1, groups = 1;
  RandomWindow window;
  bool bias = false;
  std::string algorithm = "auto";
};

std::vector<std::string> expectConvAgrees(const ConvCase& c) {
  const auto build = [&](GraphBuilder& g) {
    Shape x = {c.batch, c.cin}, w = {c.cout, c.cin / c.groups};
    x.insert(x.end(), c.window.image.begin(), c.window.image.end());
    w.insert(w.end(), c.window.kernel.begin(), c.window.kernel.end());
    std::vector<Value*> operands = {g.input("x", f32(x)), g.uniform("weight", w, -0.5, 0.5)};
    if (c.bias) operands.push_back(g.uniform("bias", {c.cout}, -1, 1));
    AttrMap attrs = c.window.attrs();
    attrs["group"] = c.groups;
    attrs["algorithm"] = c.algorithm;
    return g.op(OpKind::Conv, "conv", operands, attrs);
  };
  // One of the odd numbers, another in the next case.
  const std::vector<double> odd = oddNumbers();
  return expectCompiledAgrees(build,
                              {.odd = {odd[static_cast<size_t>(c.cin + c.cout) % odd.size()]}});
}

/// 3x3, stride 1, as the rest of a network sees it most.
RandomWindow usual(const Shape& image) { return {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, image}; }

TEST(ConvDirect, AnyWindowOfEveryRank) {
  Sizes sizes(21);
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < rounds(20); ++round) {
      ConvCase c{.batch = sizes.between(1, 3), .cout = sizes.between(1, 40)};
      c.cin = round % 2 ? sizes.between(1, 16) : sizes.between(17, 40);
      c.window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 14});
      c.bias = round % 3 == 0;
      const auto algorithms = expectConvAgrees(c);
      EXPECT_TRUE(uses(algorithms, "conv_direct") || uses(algorithms, "winograd"));
    }
}

TEST(ConvDirect, GroupsOfOddSizes) {
  Sizes sizes(22);
  for (const int64_t groups : {2, 3, 4, 7, 16})
    for (int round = 0; round < 6; ++round) {
      ConvCase c{.batch = sizes.between(1, 2), .groups = groups, .bias = round % 2 == 0};
      c.cin = groups * sizes.oneOf<int64_t>({1, 2, 3, 5, 8});
      c.cout = groups * sizes.oneOf<int64_t>({2, 3, 4, 7, 16});
      c.window = randomWindow(sizes, 1 + round % 3, {.kernel = 3, .side = 5});
      expectConvAgrees(c);
      c.algorithm = "direct";
      const auto algorithms = expectConvAgrees(c);
      EXPECT_TRUE(uses(algorithms, "conv_direct") || uses(algorithms, "conv_grouped"));
    }
}

/// Groups that fill blocks of 8 channels but not of 16, between convolutions of other blocks.
TEST(ConvDirect, GroupsOfHalfBlocks) {
  Sizes sizes(30);
  for (const int64_t width : {8, 24, 40, 56})
    for (int round = 0; round < 4; ++round) {
      const int64_t groups = sizes.between(2, 5), results = sizes.oneOf<int64_t>({8, 24, width});
      const RandomWindow window = randomWindow(sizes, 2, {.kernel = 3, .side = 12});
      const std::vector<double> odd = oddNumbers();
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            const Shape x = {sizes.between(1, 2), 20, window.image[0], window.image[1]};
            Value* y = g.op(OpKind::Conv, "before",
                            {g.input("x", f32(x)),
                             g.uniform("before.w", {groups * width, 20, 1, 1}, -0.5, 0.5)});
            AttrMap attrs = window.attrs();
            attrs["group"] = groups;
            const Shape w = {groups * results, width, window.kernel[0], window.kernel[1]};
            y = g.op(OpKind::Conv, "grouped", {y, g.uniform("w", w, -0.5, 0.5)}, attrs);
            y = g.op(OpKind::Relu, "relu", {y});
            return g.op(OpKind::Conv, "behind",
                        {y, g.uniform("behind.w", {33, groups * results, 1, 1}, -0.5, 0.5)});
          },
          {.odd = {odd[static_cast<size_t>(round) % odd.size()]}});
    }
}

TEST(ConvPlain, GroupsThatShareBlocks) {
  Sizes sizes(29);
  for (const int64_t width : {3, 5, 10, 17, 20})
    for (int round = 0; round < 6; ++round) {
      const int64_t groups = sizes.between(2, 5);
      ConvCase c{.batch = sizes.between(1, 2), .groups = groups, .bias = round % 2 == 0};
      c.cin = groups * width;
      c.cout = groups * sizes.oneOf<int64_t>({1, 4, 7, 13, 18, width});
      c.window = randomWindow(sizes, 1 + round % 3, {.kernel = 3, .side = 9});
      expectConvAgrees(c);
    }
  ConvCase c{.cin = 68, .cout = 272, .groups = 4};
  c.window = {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {14, 28}};
  EXPECT_TRUE(uses(expectConvAgrees(c), "conv_plain"));
}

TEST(ConvDirect, EveryWidthAroundTheTile) {
  for (int64_t width = 1; width <= 33; width += width < 20 ? 1 : 3) {
    ConvCase c{.cin = 17, .cout = 24, .window = usual({3, width})};
    c.window.strides = {2, 1}; // not for Winograd's
    EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
  }
}

TEST(ConvDirect, StridedWidthsThatNeedNoPadding) {
  for (const int64_t stride : {2, 3, 5})
    for (int64_t width = 3; width <= 40; width += 7) {
      ConvCase c{.cin = 8, .cout = 16, .window = usual({4, width})};
      c.window.strides = {1, stride};
      c.window.pads = {0, 0, 0, 0};
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
    }
}

TEST(ConvDirect, TapsThatSharePixels) {
  // One block of channels a group: loads bound the tile.
  Sizes sizes(24);
  bool shared = false;
  for (const int64_t taps : {2, 3, 5, 7})
    for (const int64_t stride : {1, 2, 3})
      for (const int64_t dilation : {1, 2}) {
        ConvCase c{.cin = 32, .cout = 24, .groups = sizes.oneOf<int64_t>({1, 2, 4})};
        if (c.groups > 1) c.cout = c.groups * sizes.between(1, 8);
        const int64_t before = sizes.between(0, taps - 1), after = sizes.between(0, taps - 1);
        const int64_t width = (taps - 1) * dilation + 1 + sizes.between(0, 40);
        c.window = {{2, taps}, {1, stride}, {1, dilation}, {0, before, 1, after}, {3, width}};
        c.algorithm = "direct";
        const auto algorithms = expectConvAgrees(c);
        EXPECT_TRUE(uses(algorithms, "conv_direct"));
        shared |= uses(algorithms, "conv_direct shared");
      }
  EXPECT_TRUE(shared);
}

TEST(ConvDirect, ChannelsInTwoParts) {
  // Counts of blocks that no tile divides well, in groups and alone.
  for (const int64_t blocks : {5, 7, 11, 13})
    for (const int64_t groups : {1, 3})
      for (const int64_t k : {1, 3}) {
        const int64_t cout = groups * (8 * blocks - 3);
        ConvCase c{.cin = groups * 40, .cout = cout, .groups = groups, .bias = true};
        c.algorithm = "direct";
        c.window = {{k, k}, {2, 1}, {1, 1}, {k / 2, k / 2, k / 2, k / 2}, {9, 23}};
        EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
      }
}

TEST(ConvDirect, PointwiseWithStrides) {
  Sizes sizes(25);
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < 6; ++round) {
      ConvCase c{.batch = sizes.between(1, 2), .cin = 32, .cout = sizes.between(9, 40)};
      if (round % 2) c.groups = 2, c.cout *= 2, c.algorithm = "direct";
      RandomWindow& w = c.window;
      for (int64_t i = 0; i < rank; ++i) {
        w.strides.push_back(sizes.between(1, 3));
        w.image.push_back(sizes.between(1, 20));
      }
      w.kernel.assign(static_cast<size_t>(rank), 1);
      w.dilations = w.kernel;
      w.pads.assign(static_cast<size_t>(2 * rank), 0);
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
    }
}

/// Axes of one pixel may stand anywhere among the others, with strides that lead nowhere.
RandomWindow withUnitAxes(Sizes& sizes, const RandomWindow& w, const std::vector<bool>& isUnit) {
  RandomWindow all;
  std::vector<int64_t> after;
  size_t from = 0;
  for (const bool unit : isUnit) {
    all.image.push_back(unit ? 1 : w.image[from]);
    all.kernel.push_back(unit ? 1 : w.kernel[from]);
    all.strides.push_back(unit ? sizes.between(1, 3) : w.strides[from]);
    all.dilations.push_back(unit ? sizes.between(1, 2) : w.dilations[from]);
    all.pads.push_back(unit ? 0 : w.pads[from]);
    after.push_back(unit ? 0 : w.pads[w.kernel.size() + from]);
    from += !unit;
  }
  all.pads.insert(all.pads.end(), after.begin(), after.end());
  return all;
}

TEST(Conv, RowsLieAlongAnyAxis) {
  Sizes sizes(27);
  const std::vector<std::vector<bool>> places = {
      {false, true},        {true, false},        {false, true, true}, {true, false, true},
      {false, true, false}, {false, false, true}, {true, true}};
  for (const auto& isUnit : places)
    for (const int64_t groups : {1, 2, 12}) {
      const auto rank = std::ranges::count(isUnit, false);
      ConvCase c{.batch = sizes.between(1, 2), .cin = 24, .cout = 24, .groups = groups};
      const RandomWindow w = randomWindow(sizes, rank, {.kernel = 5, .side = 30});
      c.window = withUnitAxes(sizes, w, isUnit);
      c.bias = groups == 1;
      if (groups == 12) c.groups = c.cin;
      expectConvAgrees(c);
    }
  // As Winograd's algorithm computes it.
  ConvCase c{.cin = 32, .cout = 32, .window = {{3, 1, 3}, {1, 1, 1}, {1, 1, 1}, {}, {28, 1, 28}}};
  c.window.pads = {1, 0, 1, 1, 0, 1};
  EXPECT_TRUE(uses(expectConvAgrees(c), "winograd"));
}

TEST(ConvDirect, RowsAlongTheHeightAreAsFastAsAlongTheWidth) {
  const auto algorithms = [](const Shape& image, std::vector<int64_t> kernel,
                             std::vector<int64_t> pads) {
    ConvCase c{.cin = 64, .cout = 64, .window = {std::move(kernel), {1, 1}, {1, 1}, {}, image}};
    c.window.pads = std::move(pads);
    return expectConvAgrees(c);
  };
  EXPECT_EQ(algorithms({40, 1}, {5, 1}, {2, 0, 2, 0}), algorithms({1, 40}, {1, 5}, {0, 2, 0, 2}));
}

TEST(Conv, OperandsOfEpiloguesAlongAnyAxis) {
  for (const Shape& image : {Shape{13, 1}, Shape{1, 13}, Shape{5, 1, 4}, Shape{7, 1, 1}})
    for (const bool whole : {true, false})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = blockedInput(g, 2, 16, image);
        Shape window(image.size(), 1);
        window.front() = 3;
        Shape weight = {12, 16}, other = {2, 12};
        weight.insert(weight.end(), window.begin(), window.end());
        other.insert(other.end(), image.begin(), image.end());
        std::vector<int64_t> pads(2 * image.size(), 0);
        pads.front() = pads[image.size()] = 1;
        Value* y =
            g.op(OpKind::Conv, "conv", {x, g.uniform("w", weight, -0.5, 0.5)}, {{"pads", pads}});
        if (!whole) std::fill(other.begin(), other.begin() + 2, 1);
        return g.op(OpKind::Add, "add", {y, g.input("r", f32(other))});
      });
}

/// The input is blocked by a 1x1 convolution.
std::vector<std::string> expectBlockedAgrees(const ConvCase& c) {
  return expectCompiledAgrees(
      [&](GraphBuilder& g) {
        Value* x = blockedInput(g, c.batch, c.cin, c.window.image);
        Shape w = {c.cout, c.cin / c.groups};
        w.insert(w.end(), c.window.kernel.begin(), c.window.kernel.end());
        AttrMap attrs = c.window.attrs();
        attrs["group"] = c.groups;
        Value* y = g.op(OpKind::Conv, "conv", {x, g.uniform("weight", w, -0.3, 0.3)}, attrs);
        return c.bias ? g.op(OpKind::Add, "add", {y, g.input("r", y->type())}) : y;
      },
      {.odd = oddNumbers()});
}

TEST(ConvDirect, TilesSpanShortRowsAndImages) {
  Sizes sizes(28);
  int spanning = 0;
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < rounds(16); ++round) {
      ConvCase c{.batch = sizes.between(1, 9), .cin = sizes.between(17, 70)};
      c.groups = sizes.oneOf<int64_t>({1, 1, 1, 2, 3});
      c.cin *= c.groups;
      c.cout = c.groups * sizes.between(9, 70);
      c.window = randomWindow(sizes, rank, {.kernel = 3, .stride = 2, .side = 5});
      if (round % 2) c.window.strides.front() = 2;
      if (round % 4 == 0) std::ranges::fill(c.window.pads, 0);
      for (size_t d = 0; d < c.window.image.size(); ++d)
        c.window.image[d] =
            std::max(c.window.image[d], (c.window.kernel[d] - 1) * c.window.dilations[d] + 1);
      c.bias = round % 3 == 0;
      spanning += uses(expectBlockedAgrees(c), "conv_direct spanning");
    }
  EXPECT_GT(spanning, rounds(8));
}

TEST(ConvDirect, ImagesOfOnePixelAreARow) {
  for (const int64_t batch : {2, 6, 7, 33}) {
    ConvCase c{.batch = batch, .cin = 40, .cout = 64, .window = {}, .bias = true};
    c.window = {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
    EXPECT_TRUE(uses(expectBlockedAgrees(c), "conv_direct spanning"));
  }
}

TEST(ConvDirect, PixelsThatAreApartAreCopiedFirst) {
  for (const int64_t batch : {1, 3})
    for (const int64_t side : {1, 2, 13, 28})
      for (const int64_t stride : {2, 3}) {
        ConvCase c{.batch = batch, .cin = 32, .cout = 64, .window = {}, .bias = true};
        c.window = {{1, 1}, {stride, stride}, {1, 1}, {0, 0, 0, 0}, {side, side}};
        const auto algorithms = expectBlockedAgrees(c);
        EXPECT_TRUE(uses(algorithms, "conv_direct")) << batch << ' ' << side;
        // Tiles may span images of few pixels.
        if (batch == 1 || side == 28)
          EXPECT_FALSE(uses(algorithms, "conv_direct spanning")) << batch << ' ' << side;
      }
}

TEST(ConvDirect, EveryCountOfChannelsAroundTheVector) {
  for (const int64_t cout : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65})
    EXPECT_TRUE(
        uses(expectConvAgrees({.batch = 2, .cin = 5, .cout = cout, .window = usual({1, 7})}),
             "conv_direct"));
  for (const int64_t cin : {1, 2, 8, 15, 16, 17, 23, 24, 25, 31, 33, 64})
    EXPECT_TRUE(
        uses(expectConvAgrees({.cin = cin, .cout = 12, .window = usual({1, 7}), .bias = true}),
             "conv_direct"));
}

TEST(ConvDirect, PointwiseAsAProduct) {
  for (const Shape& image : {Shape{1, 1}, Shape{7, 7}, Shape{3, 31}, Shape{2, 32}, Shape{5, 41}})
    for (const int64_t cin : {16, 19, 40})
      EXPECT_TRUE(uses(expectConvAgrees({.batch = 2,
                                         .cin = cin,
                                         .cout = 37,
                                         .window = {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, image},
                                         .bias = true}),
                       "conv_direct"));
}

TEST(ConvDirect, WindowsLargerThanTheImage) {
  for (const Shape& image : {Shape{1, 1}, Shape{2, 3}, Shape{5, 1}}) {
    ConvCase c{.cin = 9, .cout = 10, .window = {{7, 5}, {1, 2}, {1, 1}, {4, 3, 5, 2}, image}};
    c.window.pads = {6, 4, 6, 4}; // some outputs read padding alone
    EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
    c.window.dilations = {1, 2};
    c.window.pads = {6, 8, 6, 8};
    EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
  }
}

TEST(ConvDirect, ChainsStayBlocked) {
  const auto algorithms = expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = blockedInput(g, 2, 32, {9, 11});
    for (const std::string name : {"a", "b"})
      x = g.op(OpKind::Conv, name, {x, g.uniform(name + ".weight", {32, 32, 3, 1}, -0.3, 0.3)},
               {{"pads", std::vector<int64_t>{0, 1, 2, 0}}});
    return x;
  });
  EXPECT_EQ(std::ranges::count(algorithms, "strided_copy"), 1)
      << "nothing is reordered but the result";
}

TEST(ConvDepthwise, AnyWindowOfEveryRank) {
  Sizes sizes(23);
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < rounds(14); ++round) {
      const int64_t channels = sizes.between(2, 40);
      ConvCase c{.batch = sizes.between(1, 3), .cin = channels, .cout = channels};
      c.groups = channels;
      c.window = randomWindow(sizes, rank, {.kernel = 5, .side = rank == 3 ? 6 : 14});
      c.bias = round % 2 == 0;
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_depthwise"));
    }
}

TEST(ConvDepthwise, EveryWidthAroundTheTile) {
  for (int64_t width = 1; width <= 20; ++width)
    for (const int64_t stride : {1, 2}) {
      ConvCase c{.cin = 16, .cout = 16, .groups = 16, .window = usual({3, width})};
      c.window.strides = {stride, stride};
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_depthwise"));
    }
}

TEST(ConvGrouped, AnyWindowOfEveryRank) {
  Sizes sizes(26);
  bool grouped = false;
  for (const int64_t width : {2, 4, 8})
    for (const int64_t rank : {1, 2, 3})
      for (int round = 0; round < 8; ++round) {
        ConvCase c{.batch = sizes.between(1, 3), .groups = sizes.between(2, 15)};
        c.cin = c.cout = width * c.groups;
        c.window = randomWindow(sizes, rank, {.kernel = 9, .side = rank == 3 ? 5 : 40});
        c.bias = round % 2 == 0;
        grouped |= uses(expectConvAgrees(c), "conv_grouped");
      }
  EXPECT_EQ(grouped, codegen::hostTarget()->lanes(kir::Scalar::F32) > 2);
}

TEST(ConvGrouped, LongRowsOfTaps) {
  for (const int64_t taps : {7, 8, 15, 31, 75})
    for (const int64_t width : {1, 2, 4})
      for (const int64_t stride : {1, 2}) {
        ConvCase c{.cin = 9 * width, .cout = 9 * width, .groups = 9, .bias = true};
        c.window = {{taps}, {stride}, {2}, {taps - 1, taps / 2}, {100}};
        expectConvAgrees(c);
      }
}

TEST(ConvDirect, GroupsThatDoNotFillBlocksInPairs) {
  // Every count of groups, of widths that share a factor with the lanes and of ones that do not.
  for (const int64_t groups : {3, 5, 7, 9, 17})
    for (const int64_t in : {4, 6, 12, 24})
      for (const int64_t out : {8, 12, 24}) {
        ConvCase c{.batch = 2, .cin = groups * in, .cout = groups * out, .groups = groups};
        c.bias = in % 8 == 0;
        c.window = usual({4, 7});
        if (in == 12) c.window = {{1, 1}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {6, 9}};
        expectConvAgrees(c);
      }
}

TEST(ConvGrouped, TapsFarApart) {
  // As far as a billion columns, most of them padding.
  const int64_t far = 1'000'000'000;
  for (const int64_t groups : {1, 8}) {
    ConvCase c{.cin = 8, .cout = 8, .groups = groups};
    c.window = {{2}, {1}, {far}, {far, 0}, {5}};
    expectConvAgrees(c);
  }
}

TEST(ConvDepthwise, SeveralFiltersAChannelAreNotDepthwise) {
  for (const int64_t filters : {2, 3}) {
    ConvCase c{
        .cin = 12, .cout = 12 * filters, .groups = 12, .window = usual({6, 9}), .bias = true};
    expectConvAgrees(c);
    c.algorithm = "direct";
    EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
  }
}

/// A large constant of opposite signs cancels only when both halves are added in full.
TEST(Conv, LargeBiasesDoNotRoundTheProducts) {
  for (const int64_t groups : {1, 8})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* x = g.input("x", f32({1, 8, 6, 6}));
          Value* y = g.op(OpKind::Conv, "conv",
                          {x, g.uniform("weight", {8, 8 / groups, 3, 3}, -0.5, 0.5),
                           g.uniform("bias", {8}, 4096, 4097)},
                          {{"group", groups}});
          return g.op(OpKind::Sub, "sub", {y, g.constant("c", Tensor::scalar(4096.0f))});
        },
        {.tolerance = {.rtol = 1e-4, .atol = 5e-4}});
}

TEST(ConvDirect, RowsFollowEachOtherWhereWeightsLeaveTheCache) {
  for (const int64_t height : {1, 5, 11})
    for (const int64_t groups : {1, 2}) {
      ConvCase c{.batch = 2, .cin = 256, .cout = 515, .groups = 1, .window = usual({height, 6})};
      if (groups == 2) c.groups = 2, c.cin = 384, c.cout = 518;
      c.window.strides = {2, 2}; // not for Winograd's
      EXPECT_TRUE(uses(expectConvAgrees(c), "conv_direct"));
    }
}

/// A depthwise convolution and a pointwise one behind it, in one kernel, with arithmetic behind
/// both.
std::vector<std::string> expectSeparableAgrees(const ConvCase& c, OpKind activation,
                                               bool residual) {
  return expectCompiledAgrees(
      [&](GraphBuilder& g) {
        Value* x = blockedInput(g, c.batch, c.cin, c.window.image);
        Shape depthwise = {c.cin, 1}, pointwise = {c.cout, c.cin};
        depthwise.insert(depthwise.end(), c.window.kernel.begin(), c.window.kernel.end());
        pointwise.insert(pointwise.end(), c.window.kernel.size(), 1);
        AttrMap attrs = c.window.attrs();
        attrs["group"] = c.cin;
        std::vector<Value*> operands = {x, g.uniform("wd", depthwise, -0.5, 0.5)};
        if (c.bias) operands.push_back(g.uniform("bd", {c.cin}, -1, 1));
        Value* d = g.op(activation, "act", {g.op(OpKind::Conv, "depthwise", operands, attrs)});
        operands = {d, g.uniform("wp", pointwise, -0.5, 0.5)};
        if (c.bias) operands.push_back(g.uniform("bp", {c.cout}, -1, 1));
        Value* y =
            g.op(OpKind::Conv, "pointwise", operands, {{"algorithm", std::string("separable")}});
        return residual ? g.op(OpKind::Add, "add", {y, g.input("r", y->type())}) : y;
      },
      {.odd = oddNumbers()});
}

TEST(ConvSeparable, AnyWindowAndChannels) {
  Sizes sizes(41);
  for (const int64_t rank : {1, 2})
    for (int round = 0; round < rounds(24); ++round) {
      ConvCase c{.batch = sizes.between(1, 3), .cin = sizes.between(2, 70)};
      c.cout = sizes.between(1, 70);
      c.window = randomWindow(sizes, rank, {.kernel = 7, .side = 24});
      c.bias = round % 2 == 0;
      // gelu is a long epilogue.
      const auto activation = sizes.oneOf({OpKind::Relu, OpKind::Gelu, OpKind::Abs});
      EXPECT_TRUE(uses(expectSeparableAgrees(c, activation, round % 3 == 0), "conv_separable"));
    }
}

TEST(ConvSeparable, RowsInPiecesWithARest) {
  for (const int64_t height : {1, 2, 3, 17, 31, 64})
    for (const int64_t stride : {1, 2}) {
      ConvCase c{.cin = 24, .cout = 40, .window = usual({height, 29}), .bias = true};
      c.window.strides = {stride, stride};
      EXPECT_TRUE(uses(expectSeparableAgrees(c, OpKind::Relu, true), "conv_separable"));
    }
}

TEST(ConvSeparable, IsChosenWhereTheTensorBetweenLeavesTheCache) {
  kir::Target target;
  target.machine = kir::machineOf("sapphirerapids", kir::Architecture::X86_64, 64);
  target.machine.threads = 1;
  const auto isChosen = [&](int64_t side, std::string_view algorithm, bool readTwice) {
    const auto graph = parseGraph(
        fmt::format("graph @g(%x: f32[1,32,{0},{0}]) {{\n"
                    "  %wd = const f32[32,1,3,3] random(seed=1)\n"
                    "  %wp = const f32[32,32,1,1] random(seed=2)\n"
                    "  %b = reorder(%x) {{block=16}} : f32[1,32,{0},{0}]{{c16}}\n"
                    "  %d = conv(%b, %wd) {{group=32, pads=[1,1,1,1]}} : f32[1,32,{0},{0}]{{c16}}\n"
                    "  %p = conv(%d, %wp) {{{1}}} : f32[1,32,{0},{0}]{{c16}}\n"
                    "  %s = add(%p, %{2}) : f32[1,32,{0},{0}]{{c16}}\n"
                    "  %y = reorder(%s) {{block=0}} : f32[1,32,{0},{0}]\n"
                    "  return %y\n}}",
                    side, algorithm, readTwice ? "d" : "b"));
    EXPECT_TRUE(graph) << graph.error().str();
    if (!graph) return false;
    const Op *depthwise = (*graph)->find("d")->producer(), *op = (*graph)->find("p")->producer();
    const bool chosen = lower::depthwiseWithin(*op, target) == depthwise;
    EXPECT_EQ(chosen, lower::isWithinPointwise(*depthwise, target));
    return chosen;
  };
  EXPECT_TRUE(isChosen(160, "", false));
  EXPECT_FALSE(isChosen(7, "", false));
  EXPECT_TRUE(isChosen(7, "algorithm=\"separable\"", false));
  EXPECT_FALSE(isChosen(160, "", true));
  EXPECT_FALSE(isChosen(160, "algorithm=\"direct\"", false));
  target.disabledKernels = {"conv_separable"};
  EXPECT_FALSE(isChosen(160, "", false));
}

} // namespace
} // namespace enfold
