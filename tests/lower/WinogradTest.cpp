// Winograd convolution: the transforms by themselves, and the kernels against the reference.
#include "Differential.h"
#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "lower/conv/WinogradTransform.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace enfold {
namespace {

/// y X x^T in doubles.
std::vector<double> sandwich(const lower::Matrix& y, const lower::Matrix& x,
                             const std::vector<double>& values) {
  std::vector<double> result(static_cast<size_t>(y.rows * x.rows));
  for (int64_t i = 0; i < y.rows; ++i)
    for (int64_t j = 0; j < x.rows; ++j)
      for (int64_t a = 0; a < y.cols; ++a)
        for (int64_t b = 0; b < x.cols; ++b)
          result[static_cast<size_t>(i * x.rows + j)] +=
              y.at(i, a) * values[static_cast<size_t>(a * x.cols + b)] * x.at(j, b);
  return result;
}

/// What the matrices compute for one tile, in doubles.
std::vector<double> filtered(const lower::WinogradTransforms& w, const std::vector<double>& d,
                             const std::vector<float>& g) {
  std::vector<float> u(static_cast<size_t>(w.y.tile * w.x.tile));
  lower::transformWeights(w, g.data(), u.data(), 1);
  std::vector<double> v = sandwich(w.y.input, w.x.input, d);
  for (size_t i = 0; i < v.size(); ++i) v[i] *= static_cast<double>(u[i]);
  return sandwich(w.y.output, w.x.output, v);
}

TEST(WinogradTransform, ComputesTheConvolution) {
  Sizes random(7);
  std::vector<lower::WinogradTransform> all = {lower::WinogradTransform::of(1, 1)};
  for (int64_t taps = 2; taps < lower::WinogradTransform::kMaxTile; ++taps)
    for (int64_t m = 2 + taps % 2; m + taps - 1 <= lower::WinogradTransform::kMaxTile; m += 2)
      all.push_back(lower::WinogradTransform::of(m, taps));
  for (const auto& y : all)
    for (const auto& x : all) {
      if (std::max(y.tile, x.tile) > 8 && std::min(y.tile, x.tile) > 1) continue;
      std::vector<double> d;
      std::vector<float> g;
      for (int64_t i = 0; i < y.tile * x.tile; ++i)
        d.push_back(static_cast<double>(random.between(-9, 9)));
      for (int64_t i = 0; i < y.taps * x.taps; ++i)
        g.push_back(static_cast<float>(random.between(-9, 9)));
      const std::vector<double> results = filtered({y, x}, d, g);
      for (int64_t i = 0; i < y.outputs; ++i)
        for (int64_t j = 0; j < x.outputs; ++j) {
          double expected = 0;
          for (int64_t a = 0; a < y.taps; ++a)
            for (int64_t b = 0; b < x.taps; ++b)
              expected += d[static_cast<size_t>((i + a) * x.tile + j + b)] *
                          static_cast<double>(g[static_cast<size_t>(a * x.taps + b)]);
          EXPECT_NEAR(results[static_cast<size_t>(i * x.outputs + j)], expected, 5e-3);
        }
    }
}

struct Layer {
  int64_t batch, cin, height, width, cout;
  std::vector<int64_t> pads;
};

std::vector<std::string> expectLayerAgrees(const Layer& l, bool residual,
                                           const DifferentialOptions& options = {}) {
  return expectCompiledAgrees(
      [&](GraphBuilder& g) {
        // A 1x1 convolution in front makes its input blocked.
        Value* x = g.op(OpKind::Conv, "stem",
                        {g.input("x", f32({l.batch, 16, l.height, l.width})),
                         g.uniform("stem.weight", {l.cin, 16, 1, 1}, -0.3, 0.3)});
        Value* y = g.op(OpKind::Conv, "conv",
                        {x, g.uniform("weight", {l.cout, l.cin, 3, 3}, -0.2, 0.2),
                         g.uniform("bias", {l.cout}, -1, 1)},
                        {{"pads", l.pads}});
        if (residual) y = g.op(OpKind::Add, "add", {y, g.input("r", y->type())});
        return g.op(OpKind::Relu, "relu", {y});
      },
      options);
}

TEST(Winograd, SweepsSizesPadsAndChannels) {
  Sizes sizes(11);
  std::set<std::string> used;
  for (int round = 0; round < 24; ++round) {
    const Layer layer{
        sizes.between(1, 3),
        sizes.between(16, 70),
        sizes.between(4, 40),
        sizes.between(4, 40),
        sizes.between(16, 70),
        {sizes.between(0, 2), sizes.between(0, 2), sizes.between(0, 2), sizes.between(0, 2)}};
    for (const std::string& algorithm :
         expectLayerAgrees(layer, round % 2 == 0, {.odd = oddNumbers()}))
      if (algorithm.starts_with("winograd f"))
        used.insert(algorithm.substr(0, algorithm.rfind(' ')));
  }
  for (const char* algorithm : {"winograd f4 staged", "winograd f6 staged"})
    EXPECT_TRUE(used.contains(algorithm)) << algorithm << " was never chosen";
}

TEST(Winograd, LargeImagesAreFused) {
  const auto algorithms =
      expectLayerAgrees({1, 32, 200, 180, 32, {1, 1, 1, 1}}, true, {.odd = {1e30}});
  EXPECT_TRUE(std::ranges::any_of(algorithms, [](const std::string& algorithm) {
    return algorithm.starts_with("winograd f") && algorithm.find("staged") == std::string::npos;
  }));
}

TEST(Winograd, PlainInputsOfFewChannels) {
  bool used = false;
  for (const int64_t channels : {1, 3, 4, 7, 12, 16}) {
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* y = g.op(OpKind::Conv, "conv",
                          {g.input("x", f32({1, channels, 66, 75})),
                           g.uniform("weight", {32, channels, 3, 3}, -0.2, 0.2)},
                          {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
          return g.op(OpKind::Relu, "relu", {y});
        },
        {.odd = {-1e20}});
    used |= std::ranges::any_of(algorithms,
                                [](const std::string& a) { return a.starts_with("winograd f"); });
  }
  EXPECT_TRUE(used);
}

TEST(Winograd, ManyChannelsOfSmallImages) {
  expectLayerAgrees({1, 256, 7, 7, 256, {1, 1, 1, 1}}, false);
  expectLayerAgrees({2, 130, 14, 14, 250, {1, 1, 1, 1}}, false);
}

TEST(Winograd, HugeImages) {
  for (const double size : {1e5, 1e12, 1e30, 1e36})
    expectLayerAgrees({1, 16, 13, 12, 16, {1, 1, 1, 1}}, false, {.low = -size, .high = size});
}

struct Wide {
  Shape image;
  int64_t cin, cout;
  std::vector<int64_t> kernel, pads, strides, dilations;
};

/// Gives the kernels; the input is blocked by a 1x1 convolution.
std::vector<std::string> expectWideAgrees(const Wide& w) {
  const auto build = [&](GraphBuilder& g) {
    Shape x = {w.image[0], 16}, one = {w.cin, 16}, filter = {w.cout, w.cin};
    x.insert(x.end(), w.image.begin() + 1, w.image.end());
    one.resize(x.size(), 1);
    filter.insert(filter.end(), w.kernel.begin(), w.kernel.end());
    Value* stem = g.op(OpKind::Conv, "stem",
                       {g.input("x", f32(x)), g.uniform("stem.weight", one, -0.3, 0.3)});
    Value* y =
        g.op(OpKind::Conv, "conv",
             {stem, g.uniform("weight", filter, -0.2, 0.2), g.uniform("bias", {w.cout}, -1, 1)},
             {{"pads", w.pads}, {"strides", w.strides}, {"dilations", w.dilations}});
    return g.op(OpKind::Relu, "relu", {g.op(OpKind::Add, "add", {y, g.input("r", y->type())})});
  };
  return expectCompiledAgrees(build, {.odd = oddNumbers()});
}

bool usesWinograd(const std::vector<std::string>& algorithms) {
  return std::ranges::any_of(
      algorithms, [](const std::string& algorithm) { return algorithm.starts_with("winograd f"); });
}

TEST(Winograd, WeightsThatAreHugeOrNotFiniteAreTakenDirectly) {
  for (const double odd : oddNumbers()) {
    const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
      Value* x = g.op(OpKind::Conv, "stem",
                      {g.input("x", f32({1, 16, 20, 20})),
                       g.uniform("stem.weight", {48, 16, 1, 1}, -0.3, 0.3)});
      Tensor weights(ElemType::F32, {48, 48, 3, 3});
      fillRandom(weights, 5, -0.2, 0.2);
      weights.setDouble(7, odd);
      return g.op(OpKind::Conv, "conv", {x, g.constant("weight", std::move(weights))},
                  {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    });
    EXPECT_FALSE(usesWinograd(algorithms));
  }
}

/// Direct sums round otherwise.
TEST(Winograd, NumbersOfOneMagnitudeAreTransformedHoweverLarge) {
  for (const int64_t stride : {1, 2}) {
    const auto build = [&](GraphBuilder& g) {
      return g.op(
          OpKind::Conv, "conv",
          {g.input("x", f32({1, 64, 60, 58})), g.uniform("weight", {64, 64, 3, 3}, -0.2, 0.2)},
          {{"pads", std::vector<int64_t>{1, 1, 1, 1}},
           {"strides", std::vector<int64_t>{stride, stride}},
           {"algorithm", std::string("winograd")}});
    };
    EXPECT_TRUE(usesWinograd(expectCompiledAgrees(build)));
    GraphBuilder g("test");
    Value* result = build(g);
    const auto compiled = compile(g.finish(result, "y").value());
    ASSERT_TRUE(compiled) << compiled.error().str();
    const auto session = Session::create(compiled->executable, {.threads = 1});
    ASSERT_TRUE(session) << session.error().str();
    Tensor ordinary(ElemType::F32, {1, 64, 60, 58});
    fillRandom(ordinary, 3, 0.01, 2);
    Tensor large = ordinary;
    for (int64_t i = 0; i < large.numElements(); ++i)
      large.setDouble(i, ordinary.asDouble(i) * 0x1p22);
    const auto a = (*session)->run(std::span(&ordinary, 1)),
               b = (*session)->run(std::span(&large, 1));
    ASSERT_TRUE(a && b);
    for (int64_t i = 0; i < a->front().numElements(); ++i)
      ASSERT_EQ(b->front().asDouble(i), a->front().asDouble(i) * 0x1p22) << i;
  }
}

/// Two huge pixels beside each other, or a row of them, as one.
TEST(Winograd, HugePixelsBesideEachOtherStayInTheirWindows) {
  GraphBuilder g("test");
  Value* result =
      g.op(OpKind::Conv, "conv",
           {g.input("x", f32({1, 48, 26, 27})), g.uniform("weight", {48, 48, 3, 3}, -0.2, 0.2)},
           {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  const auto graph = g.finish(result, "y");
  ASSERT_TRUE(graph);
  const auto compiled = compile((*graph)->clone());
  ASSERT_TRUE(compiled) << compiled.error().str();
  const auto session = Session::create(compiled->executable, {.threads = 1});
  ASSERT_TRUE(session) << session.error().str();
  Tensor image(ElemType::F32, {1, 48, 26, 27});
  fillRandom(image, 3, -2, 2);
  for (int64_t c = 0; c < 48; ++c)
    for (int64_t y = 11; y < 13; ++y)
      for (int64_t x = 5; x < 20; ++x) image.setDouble((c * 26 + y) * 27 + x, 1e9 + double(x));
  const auto expected = reference::run(**graph, std::span(&image, 1));
  const auto answer = (*session)->run(std::span(&image, 1));
  ASSERT_TRUE(expected && answer);
  for (int64_t c = 0; c < 48; ++c)
    for (int64_t y = 0; y < 26; ++y)
      for (int64_t x = 0; x < 27; ++x) {
        const int64_t i = (c * 26 + y) * 27 + x;
        const bool seesHuge = y >= 10 && y < 14 && x >= 4 && x < 21;
        ASSERT_NEAR(answer->front().asDouble(i), expected->front().asDouble(i),
                    seesHuge ? 1e5 : 1e-3)
            << c << ", " << y << ", " << x;
      }
}

TEST(Winograd, VolumesSumThePlanesUnderTheWindow) {
  Sizes sizes(13);
  int used = 0;
  for (int round = 0; round < rounds(16); ++round) {
    const int64_t depth = sizes.between(1, 3), step = sizes.between(1, 2);
    Wide w = {.image = {sizes.between(1, 2), sizes.between(3, 6), sizes.between(6, 20),
                        sizes.between(6, 20)},
              .cin = sizes.between(16, 50),
              .cout = sizes.between(16, 50),
              .kernel = {depth, 3, 3},
              .pads = {},
              .strides = {sizes.between(1, 2), 1, 1},
              .dilations = {depth > 1 ? step : 1, 1, 1}};
    for (int side = 0; side < 2; ++side)
      for (const int64_t most : {(depth - 1) * w.dilations[0], int64_t{2}, int64_t{2}})
        w.pads.push_back(sizes.between(0, most));
    if (w.image[1] + w.pads[0] + w.pads[3] <= (depth - 1) * w.dilations[0]) continue;
    used += usesWinograd(expectWideAgrees(w));
  }
  EXPECT_GT(used, rounds(8));
}

TEST(Winograd, WindowsAlongOneAxis) {
  Sizes sizes(15);
  int used = 0;
  for (const int64_t taps : {2, 3, 4, 5, 7, 8, 9})
    for (int round = 0; round < 8; ++round) {
      // Sequences as tensors of rank 3 and 4, and images.
      const size_t rank = round % 4 == 0 ? 1 : 2, axis = round % 2 ? 0 : rank - 1;
      const int64_t step = sizes.oneOf<int64_t>({1, 1, 1, 2});
      Wide w = {.image = {sizes.between(1, 2)},
                .cin = sizes.between(16, 70),
                .cout = sizes.between(16, 70),
                .kernel = std::vector<int64_t>(rank, 1),
                .pads = std::vector<int64_t>(2 * rank, 0),
                .strides = std::vector<int64_t>(rank, 1),
                .dilations = std::vector<int64_t>(rank, 1)};
      w.image.resize(rank + 1, round % 3 == 0 ? 1 : sizes.between(2, 9));
      w.image[axis + 1] = (taps - 1) * step + sizes.between(8, 60);
      w.kernel[axis] = taps;
      w.dilations[axis] = step;
      w.pads[axis] = sizes.between(0, taps - 1);
      w.pads[rank + axis] = sizes.between(0, taps - 1);
      used += usesWinograd(expectWideAgrees(w));
    }
  EXPECT_GT(used, 20);
}

TEST(Winograd, LargerWindows) {
  Sizes sizes(16);
  int used = 0;
  for (const int64_t height : {2, 3, 4, 5, 7})
    for (const int64_t width : {2, 3, 5, 6, 7})
      for (int round = 0; round < 2; ++round) {
        Wide w = {.image = {sizes.between(1, 2), height + sizes.between(2, 30),
                            width + sizes.between(2, 30)},
                  .cin = sizes.between(16, 50),
                  .cout = sizes.between(16, 50),
                  .kernel = {height, width},
                  .pads = {},
                  .strides = {1, 1},
                  .dilations = {1, sizes.between(1, 2)}};
        for (int side = 0; side < 2; ++side)
          for (const int64_t taps : w.kernel) w.pads.push_back(sizes.between(0, taps - 1));
        w.image[2] += (width - 1) * (w.dilations[1] - 1);
        used += usesWinograd(expectWideAgrees(w));
      }
  EXPECT_GT(used, 10);
}

TEST(Winograd, DilatedWindowsSeeLatticesOfPixels) {
  Sizes sizes(14);
  int used = 0;
  for (int round = 0; round < rounds(16); ++round) {
    const int64_t step = sizes.between(2, 4), pad = sizes.between(0, step + 1);
    used += usesWinograd(expectWideAgrees(
        {.image = {sizes.between(1, 2), sizes.between(11, 40), sizes.between(11, 40)},
         .cin = sizes.between(16, 70),
         .cout = sizes.between(16, 70),
         .kernel = {3, 3},
         .pads = {pad, sizes.between(0, step), step, pad},
         .strides = {1, 1},
         .dilations = {step, step}}));
  }
  EXPECT_GT(used, rounds(8));
}

/// Of a window along one axis or two, as many images of the input as the stride is long.
TEST(Winograd, StridedWindowsSeeAsManyImages) {
  Sizes sizes(17);
  int used = 0;
  for (int round = 0; round < rounds(40); ++round) {
    const bool isVolume = round % 8 == 0;
    Wide w = {.image = {sizes.between(1, 2)},
              .cin = 16 * sizes.between(1, 4),
              .cout = sizes.between(16, 70),
              .kernel = {},
              .pads = {},
              .strides = {},
              .dilations = {1, 1}};
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t step = sizes.oneOf<int64_t>({1, 2, 2, 2, 3});
      w.strides.push_back(step);
      w.kernel.push_back(sizes.between(1, 4 * step));
      w.image.push_back(w.kernel.back() + sizes.between(step, 40));
    }
    for (int side = 0; side < 2; ++side)
      for (const int64_t taps : w.kernel) w.pads.push_back(sizes.between(0, taps - 1));
    if (isVolume) {
      w.image.insert(w.image.begin() + 1, sizes.between(3, 5));
      w.kernel.insert(w.kernel.begin(), sizes.between(1, 3));
      w.strides.insert(w.strides.begin(), sizes.between(1, 2));
      w.dilations.push_back(1);
      w.pads.insert(w.pads.begin() + 2, 1);
      w.pads.insert(w.pads.begin(), 0);
    }
    used += usesWinograd(expectWideAgrees(w));
  }
  EXPECT_GE(used, rounds(40) / 8);
}

} // namespace
} // namespace enfold
