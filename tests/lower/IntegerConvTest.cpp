// Convolutions of 8-bit integers against the reference, bit for bit.
#include "Window.h"
#include "codegen/TargetInfo.h"
#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "lower/Words.h"
#include "support/Hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace enfold {
namespace {

enum class Behind : uint8_t { Nothing, Requantized, RequantizedSigned, Residual, QuantizedSum };

struct IntegerCase {
  int64_t batch = 1, cin = 1, cout = 1, groups = 1;
  RandomWindow window;
  ElemType x = ElemType::U8, w = ElemType::I8;
  int64_t xZero = 128;
  bool zeroComputed = false; ///< the input's zero point is an input too
  bool perChannel = false;   ///< zero points of weights
  int64_t wZero = 0;
  double weights = 1; ///< how much of their range the weights take
  Behind behind = Behind::Requantized;
  bool winograd = false; ///< is asked for
  bool tiles = false;    ///< are allowed
  std::string algorithm; ///< that is asked for
};

double least(ElemType elem) { return isUnsigned(elem) ? 0 : -128; }
double most(ElemType elem) { return isUnsigned(elem) ? 255 : 127; }

Tensor whole(const std::string& name, ElemType elem, Shape shape, double low, double high) {
  Tensor real(ElemType::F64, shape), tensor(elem, std::move(shape));
  fillRandom(real, hashString(name), low - 0.49, high + 0.49);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, std::clamp(std::round(real.asDouble(i)), low, high));
  return tensor;
}

Value* cast(GraphBuilder& g, Value* x, ElemType to) {
  return g.op(OpKind::Cast, "cast", {x}, {{"to", to}});
}

/// Bias, factor of every channel, rounding and zero point, as quantized networks have them.
Value* requantized(GraphBuilder& g, Value* sums, ElemType to, double scale, Value* residual) {
  Shape channels(sums->shape().size() - 1, 1);
  channels[0] = sums->shape()[1];
  Value* biased =
      g.op(OpKind::Add, "biased",
           {sums, g.constant("bias", whole("bias", ElemType::I32, channels, -2000, 2000))});
  Value* scaled =
      g.op(OpKind::Mul, "scaled",
           {cast(g, biased, ElemType::F32), g.uniform("factor", channels, 0.5 * scale, scale)});
  if (residual) scaled = g.op(OpKind::Add, "sum", {scaled, cast(g, residual, ElemType::F32)});
  Value* zero = g.constant("yzero", Tensor::scalar(isUnsigned(to) ? 113.0f : -7.0f));
  return cast(g, g.op(OpKind::Add, "shifted", {g.op(OpKind::Round, "rounded", {scaled}), zero}),
              to);
}

/// The sum of two quantized tensors, quantized: the bytes of the first are numbers again at once.
Value* quantizedSum(GraphBuilder& g, Value* bytes, Value* residual) {
  const auto number = [&](const std::string& name, float value) {
    return g.constant(name, Tensor::scalar(value));
  };
  const float zero = isUnsigned(bytes->elem()) ? 113.0f : -7.0f;
  Value* shifted =
      g.op(OpKind::Sub, "unshifted", {cast(g, bytes, ElemType::F32), number("ownzero", zero)});
  Value* own = g.op(OpKind::Mul, "own", {shifted, number("ownscale", 0.038583647f)});
  Value* other = g.op(OpKind::Mul, "other",
                      {cast(g, residual, ElemType::F32), number("otherscale", 0.0696681f)});
  Value* sum = g.op(OpKind::Add, "both", {own, other});
  Value* divided = g.op(OpKind::Div, "divided", {sum, number("sumscale", 0.06865147f)});
  Value* rounded = g.op(OpKind::Round, "wholes", {divided});
  return cast(g, g.op(OpKind::Add, "moved", {rounded, number("sumzero", 3.0f)}), bytes->elem());
}

std::vector<std::string> expectExact(const IntegerCase& c) {
  const auto build = [&](GraphBuilder& g) -> Value* {
    Shape x = {c.batch, c.cin}, w = {c.cout, c.cin / c.groups};
    x.insert(x.end(), c.window.image.begin(), c.window.image.end());
    w.insert(w.end(), c.window.kernel.begin(), c.window.kernel.end());
    const double low = std::ceil(c.weights * least(c.w)), high = std::floor(c.weights * most(c.w));
    Tensor xZero(c.x, {}), wZero = whole("wzero", c.w, {c.cout}, least(c.w), most(c.w));
    xZero.setDouble(0, static_cast<double>(c.xZero));
    if (!c.perChannel) {
      wZero = Tensor(c.w, {});
      wZero.setDouble(0, static_cast<double>(c.wZero));
    }
    AttrMap attrs = c.window.attrs();
    attrs["group"] = c.groups;
    if (c.winograd) attrs["algorithm"] = std::string("winograd");
    if (!c.algorithm.empty()) attrs["algorithm"] = c.algorithm;
    Value* sums = g.op(
        OpKind::ConvInteger, "conv",
        {g.input("x", {c.x, x, {}}), g.constant("weight", whole("weight", c.w, w, low, high)),
         c.zeroComputed ? g.input("xzero", {c.x, {}, {}}) : g.constant("xzero", std::move(xZero)),
         g.constant("wzero", std::move(wZero))},
        attrs);
    if (c.behind == Behind::Nothing) return sums;
    const double terms = static_cast<double>(numElements(w) / c.cout);
    const double scale = 0.02 / std::sqrt(terms);
    const bool isSum = c.behind == Behind::QuantizedSum;
    const ElemType to = c.behind == Behind::RequantizedSigned || (isSum && c.x == ElemType::I8)
                            ? ElemType::I8
                            : ElemType::U8;
    Value* residual = c.behind == Behind::Residual || isSum
                          ? g.input("r", {ElemType::U8, sums->shape(), {}})
                          : nullptr;
    if (isSum) return quantizedSum(g, requantized(g, sums, to, scale, nullptr), residual);
    return requantized(g, sums, to, scale, residual);
  };
  return expectCompiledAgrees(build,
                              {.tolerance = {.rtol = 0, .atol = 0},
                               .low = least(c.x),
                               .high = most(c.x),
                               .fills = {{least(c.x)}, {most(c.x)}, {static_cast<double>(c.xZero)}},
                               .tiles = c.tiles});
}

RandomWindow usual(const Shape& image) { return {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, image}; }
RandomWindow pointwise(const Shape& image, int64_t stride = 1) {
  return {{1, 1}, {stride, stride}, {1, 1}, {0, 0, 0, 0}, image};
}

/// Elements, zero points and what follows: another combination for every number.
void vary(IntegerCase& c, int64_t i) {
  c.x = i % 2 ? ElemType::I8 : ElemType::U8;
  c.w = i / 2 % 3 == 2 ? ElemType::U8 : ElemType::I8;
  constexpr int64_t kUnsigned[] = {0, 255, 128, 3}, kSigned[] = {-128, 127, 0, 5};
  c.xZero = (c.x == ElemType::I8 ? kSigned : kUnsigned)[i / 3 % 4];
  c.wZero = c.w == ElemType::U8 ? 128 : i % 5 == 0 ? 1 : 0;
  c.perChannel = i % 7 == 3;
  constexpr Behind kBehind[] = {Behind::Requantized, Behind::Nothing, Behind::RequantizedSigned,
                                Behind::Residual, Behind::QuantizedSum};
  c.behind = kBehind[i % 5];
}

TEST(IntegerConv, AnyWindowOfEveryRank) {
  Sizes sizes(31);
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < rounds(24); ++round) {
      IntegerCase c{.batch = sizes.between(1, 3), .cout = sizes.between(1, 40)};
      c.cin = round % 3 == 0 ? sizes.between(1, 16) : sizes.between(17, 40);
      c.window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 14});
      vary(c, round);
      EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
    }
}

TEST(IntegerConv, Groups) {
  Sizes sizes(33);
  for (const int64_t groups : {2, 3, 4, 7, 16})
    for (int round = 0; round < 6; ++round) {
      IntegerCase c{.batch = sizes.between(1, 2), .groups = groups};
      c.cin = groups * sizes.oneOf<int64_t>({1, 2, 3, 5, 8});
      c.cout = groups * sizes.oneOf<int64_t>({2, 3, 4, 7, 16});
      c.window = randomWindow(sizes, 1 + round % 3, {.kernel = 3, .side = 5});
      vary(c, round + groups);
      expectExact(c);
    }
}

TEST(IntegerConv, Depthwise) {
  Sizes sizes(34);
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < rounds(16); ++round) {
      const int64_t channels = sizes.between(2, 40);
      IntegerCase c{.batch = sizes.between(1, 3), .cin = channels, .cout = channels};
      c.groups = channels;
      c.window =
          randomWindow(sizes, rank, {.kernel = round == 7 ? 9 : 5, .side = rank == 3 ? 6 : 14});
      vary(c, round);
      EXPECT_TRUE(uses(expectExact(c), "conv_depthwise"));
    }
}

TEST(IntegerConv, GroupsWithinABlock) {
  Sizes sizes(35);
  bool grouped = false;
  for (const int64_t width : {2, 4, 8})
    for (int round = 0; round < 8; ++round) {
      IntegerCase c{.batch = sizes.between(1, 2), .groups = sizes.between(2, 9)};
      c.cin = c.cout = width * c.groups;
      c.window = randomWindow(sizes, 1 + round % 3, {.kernel = 3, .side = 6});
      vary(c, round);
      grouped |= uses(expectExact(c), "conv_grouped");
    }
  EXPECT_TRUE(grouped);
}

TEST(IntegerConv, EveryWidthAroundTheTile) {
  for (int64_t width = 1; width <= 33; width += width < 20 ? 1 : 3) {
    IntegerCase c{.cin = 17, .cout = 24, .window = usual({3, width})};
    c.window.strides = {2, 1};
    vary(c, width);
    EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
  }
}

TEST(IntegerConv, EveryCountOfChannelsAroundTheVector) {
  for (const int64_t cout : {1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 65}) {
    IntegerCase c{.batch = 2, .cin = 5, .cout = cout, .window = usual({1, 7})};
    vary(c, cout);
    EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
  }
  for (const int64_t cin : {1, 2, 3, 4, 5, 8, 15, 16, 17, 18, 19, 20, 33}) {
    IntegerCase c{.cin = cin, .cout = 12, .window = usual({1, 7})};
    vary(c, cin);
    EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
  }
}

TEST(IntegerConv, PointwiseWithAndWithoutStrides) {
  int64_t i = 0;
  for (const Shape& image : {Shape{1, 1}, Shape{7, 7}, Shape{3, 31}, Shape{2, 32}, Shape{5, 41}})
    for (const int64_t stride : {1, 2, 3}) {
      IntegerCase c{.batch = 2, .cin = 24, .cout = 37, .window = pointwise(image, stride)};
      vary(c, i++);
      EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
    }
}

TEST(IntegerConv, WindowsLargerThanTheImage) {
  for (const Shape& image : {Shape{1, 1}, Shape{2, 3}, Shape{5, 1}}) {
    IntegerCase c{.cin = 9, .cout = 10, .window = {{7, 5}, {1, 2}, {1, 1}, {6, 4, 6, 4}, image}};
    EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
    c.window.dilations = {1, 2};
    c.window.pads = {6, 8, 6, 8};
    c.x = ElemType::I8;
    c.xZero = -128;
    EXPECT_TRUE(uses(expectExact(c), "conv_direct"));
  }
}

TEST(IntegerConv, ZeroPointsThatAreComputed) {
  Sizes sizes(38);
  bool bytes = false, pairs = false;
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < 12; ++round) { // all element types
      IntegerCase c{.batch = sizes.between(1, 2), .cout = sizes.between(1, 40)};
      c.cin = round % 3 == 0 ? sizes.between(1, 16) : sizes.between(17, 40);
      c.window = randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 14});
      if (round % 4 == 1) c.cin = c.cout = c.groups = 24;
      vary(c, round);
      if (round % 6 == 5) c.wZero = 1; // no bytes
      c.zeroComputed = true;
      const auto algorithms = expectExact(c);
      EXPECT_TRUE(uses(algorithms, c.groups > 1 ? "conv_depthwise" : "conv_direct"));
      bytes |= uses(algorithms, "conv_direct bytes");
      pairs |= uses(algorithms, "conv_direct pairs");
    }
  EXPECT_TRUE(pairs);
  EXPECT_TRUE(bytes || codegen::hostTarget()->lanes(kir::Scalar::F32) == 1);
  IntegerCase c{.cin = 40, .cout = 33, .window = usual({9, 7})};
  c.zeroComputed = true;
  c.winograd = true;
  EXPECT_TRUE(uses(expectExact(c), "winograd"));
}

TEST(IntegerConv, WeightsOfNineBits) {
  const kir::Machine machine = codegen::hostTarget()->machine;
  Sizes sizes(39);
  int shifted = 0;
  for (const int64_t rank : {1, 2, 3})
    for (int round = 0; round < 12; ++round) {
      IntegerCase c{.batch = sizes.between(1, 2), .cout = sizes.between(1, 40)};
      c.cin = round % 3 == 0 ? sizes.between(1, 16) : sizes.between(17, 70);
      c.window = round % 4 == 3 && rank == 2
                     ? pointwise({sizes.between(1, 40), sizes.between(1, 40)}, 1 + round % 2)
                     : randomWindow(sizes, rank, {.side = rank == 3 ? 6 : 14});
      vary(c, round);
      c.w = round % 2 ? ElemType::U8 : ElemType::I8;
      c.wZero = c.w == ElemType::U8 ? sizes.between(0, 100) : sizes.between(1, 127);
      c.zeroComputed = round % 3 == 1;
      const auto algorithms = expectExact(c);
      EXPECT_TRUE(uses(algorithms, "conv_direct"));
      shifted += uses(algorithms, "channel_sums");
    }
  EXPECT_EQ(shifted > 12, lower::hasDot(machine, lower::bytesFor(machine)));
}

TEST(IntegerConv, SumsWrapAround) {
  // 2^17 products of the largest numbers leave 32 bits, as the reference's do.
  IntegerCase c{.cin = 4096, .cout = 8, .window = usual({6, 6}), .xZero = 0};
  c.behind = Behind::Nothing;
  c.w = ElemType::U8;
  c.weights = 1;
  expectExact(c);
}

TEST(IntegerWinograd, BordersOfAllKinds) {
  Sizes sizes(37);
  for (int round = 0; round < rounds(30); ++round) {
    IntegerCase c{
        .batch = sizes.between(1, 2), .cin = sizes.between(17, 60), .cout = sizes.between(17, 40)};
    const int64_t step = round % 5 == 4 ? sizes.between(2, 3) : 1;
    std::vector<int64_t> pads;
    for (int i = 0; i < 4; ++i) pads.push_back(sizes.between(0, 3));
    Shape image;
    for (size_t i = 0; i < 2; ++i)
      image.push_back(std::max<int64_t>(1, 2 * step + 1 - pads[i] - pads[i + 2]) +
                      sizes.between(0, 13));
    c.window = {{3, 3}, {1, 1}, {step, step}, pads, image};
    vary(c, round);
    c.winograd = true;
    EXPECT_TRUE(uses(expectExact(c), "winograd"));
  }
}

TEST(IntegerWinograd, EveryCountOfChannelsAndOfTiles) {
  for (const int64_t cin : {17, 24, 31, 32, 33, 41, 64}) {
    IntegerCase c{.cin = cin, .cout = 80 - cin, .window = usual({5, 9})};
    vary(c, cin);
    c.winograd = true;
    EXPECT_TRUE(uses(expectExact(c), "winograd"));
  }
  for (int64_t width = 4; width <= 60; width += width < 9 ? 1 : 17) {
    IntegerCase c{.batch = 3, .cin = 20, .cout = 24, .window = usual({width, 31})};
    vary(c, width);
    c.winograd = true;
    EXPECT_TRUE(uses(expectExact(c), "winograd"));
  }
}

TEST(IntegerWinograd, LargeImagesAreFused) {
  IntegerCase c{.cin = 17, .cout = 17, .window = usual({150, 140})};
  c.winograd = true;
  EXPECT_TRUE(std::ranges::any_of(expectExact(c), [](const std::string& algorithm) {
    return algorithm.starts_with("winograd pairs") && !algorithm.contains("staged");
  }));
}

/// All weights are -128, so that sums reach what the proof allows, and one channel more exceeds it.
TEST(IntegerWinograd, SumsOfTheLargestMagnitude) {
  const auto conv = [](GraphBuilder& g, int64_t channels, ElemType x, int64_t zero) {
    Tensor xZero(x, {});
    xZero.setDouble(0, static_cast<double>(zero));
    return g.op(
        OpKind::ConvInteger, "conv",
        {g.input("x", {x, {1, channels, 9, 10}, {}}),
         g.constant("weight", whole("weight", ElemType::I8, {24, channels, 3, 3}, -128, -128)),
         g.constant("xzero", std::move(xZero))},
        {{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"algorithm", std::string("winograd")}});
  };
  const auto algorithms = [&](int64_t channels, ElemType x, int64_t zero) {
    return expectCompiledAgrees([&](GraphBuilder& g) { return conv(g, channels, x, zero); },
                                {.tolerance = {.rtol = 0, .atol = 0},
                                 .low = least(x),
                                 .high = most(x),
                                 .fills = {{least(x)}, {most(x)}}});
  };
  EXPECT_TRUE(uses(algorithms(114, ElemType::U8, 0), "winograd"));
  GraphBuilder g("test");
  auto graph = g.finish(conv(g, 117, ElemType::U8, 0), "y");
  ASSERT_TRUE(graph) << graph.error().str();
  const auto compiled = compile(*std::move(graph));
  ASSERT_FALSE(compiled);
  EXPECT_TRUE(compiled.error().str().contains("has no algorithm 'winograd'"))
      << compiled.error().str();
  EXPECT_TRUE(uses(algorithms(114, ElemType::U8, 255), "winograd"));
  EXPECT_TRUE(uses(algorithms(114, ElemType::I8, -128), "winograd"));
  EXPECT_TRUE(uses(algorithms(200, ElemType::I8, 0), "winograd"));
}

/// Of few channels, whose pixels share a row of a tile, and of several units; strides whose
/// remainders are planes; and results that end in half a group.
TEST(IntegerConv, ByTiles) {
  Sizes sizes(39);
  int used = 0;
  const int all = rounds(60);
  for (int round = 0; round < all; ++round) {
    IntegerCase c{.batch = sizes.between(1, 2), .cout = sizes.between(9, 100), .tiles = true};
    c.cin = round % 3 == 0   ? sizes.between(1, 16)
            : round % 3 == 1 ? sizes.between(17, 64)
                             : sizes.between(65, 200);
    c.window = randomWindow(sizes, 1 + round % 2, {.kernel = round % 8 == 5 ? 7 : 3, .side = 20});
    vary(c, round);
    used += uses(expectExact(c), "conv_tiles");
  }
  EXPECT_GE(used, all / 6);
}

TEST(IntegerConv, ByTilesOfEveryCountOfChannels) {
  for (const int64_t cin : {1, 3, 4, 8, 16, 17, 32, 33, 48, 49, 63, 64, 65, 128, 130}) {
    IntegerCase c{.cin = cin, .cout = 48, .window = usual({9, 19}), .tiles = true};
    c.xZero = cin % 2 ? 0 : 77;
    c.algorithm = "tiles bytes";
    EXPECT_TRUE(uses(expectExact(c), "conv_tiles")) << cin;
    c.window.strides = {2, 2};
    EXPECT_TRUE(uses(expectExact(c), "conv_tiles")) << cin;
  }
  for (const int64_t cout : {16, 17, 24, 31, 32, 33, 40, 64, 72, 96}) {
    IntegerCase c{.batch = 2, .cin = 64, .cout = cout, .window = usual({7, 7}), .tiles = true};
    vary(c, 12 * cout); // bytes whose weights have no zero points
    c.perChannel = false;
    c.wZero = 0;
    c.w = ElemType::I8;
    c.algorithm = "tiles bytes";
    EXPECT_TRUE(uses(expectExact(c), "conv_tiles")) << cout;
  }
}

TEST(IntegerMatMul, AnySizes) {
  Sizes sizes(36);
  for (int round = 0; round < rounds(40); ++round) {
    const ElemType a = round % 2 ? ElemType::I8 : ElemType::U8;
    const ElemType b = round % 3 ? ElemType::I8 : ElemType::U8;
    const int64_t k = sizes.between(1, 70), n = sizes.between(1, 70);
    Shape x = {k};
    for (int64_t i = sizes.between(0, 2); i > 0; --i) x.insert(x.begin(), sizes.between(1, 20));
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Tensor zero(a, {});
          zero.setDouble(0, std::array{least(a), most(a), 3.0}[static_cast<size_t>(round % 3)]);
          const Shape zeros = round % 4 == 0 ? Shape{n} : Shape{};
          return g.op(OpKind::MatMulInteger, "product",
                      {g.input("x", {a, x, {}}),
                       g.constant("weight", whole("weight", b, {k, n}, least(b), most(b))),
                       round % 5 == 4 ? g.input("xzero", {a, {}, {}})
                                      : g.constant("xzero", std::move(zero)),
                       g.constant("wzero", whole("wzero", b, zeros, least(b), most(b)))});
        },
        {.tolerance = {.rtol = 0, .atol = 0},
         .low = least(a),
         .high = most(a),
         .fills = {{least(a)}, {most(a)}}});
    EXPECT_TRUE(uses(algorithms, "gemm"));
  }
}

TEST(IntegerConv, ChainsStayBlocked) {
  const auto algorithms = expectCompiledAgrees(
      [](GraphBuilder& g) {
        Value* x = g.input("x", {ElemType::U8, {2, 32, 9, 11}, {}});
        for (const std::string name : {"a", "b", "c"}) {
          Value* sums = g.op(
              OpKind::ConvInteger, name,
              {x,
               g.constant(name + ".weight", whole(name, ElemType::I8, {32, 32, 3, 3}, -128, 127)),
               g.constant("zero", Tensor::scalar(uint8_t{113}))},
              {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
          x = requantized(g, sums, ElemType::U8, 0.001, nullptr);
        }
        return x;
      },
      {.tolerance = {.rtol = 0, .atol = 0}, .low = 0, .high = 255});
  EXPECT_EQ(std::ranges::count(algorithms, "strided_copy"), 2)
      << "nothing is reordered but the input and the result";
}

} // namespace
} // namespace enfold
