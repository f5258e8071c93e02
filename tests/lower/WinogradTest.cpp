// Winograd convolution: the transforms by themselves, and the kernels against the reference.
#include "Differential.h"
#include "ir/ConstantText.h"
#include "lower/conv/WinogradTransform.h"

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
  for (const int64_t taps : {3, 5, 7, 9})
    for (int64_t m = 2; m + taps - 1 <= lower::WinogradTransform::kMaxTile; m += 2)
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
      expectLayerAgrees({1, 64, 112, 100, 64, {1, 1, 1, 1}}, true, {.odd = {1e30}});
  EXPECT_TRUE(std::ranges::any_of(algorithms, [](const std::string& algorithm) {
    return algorithm.starts_with("winograd f") && algorithm.find("staged") == std::string::npos;
  }));
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
  for (const int64_t taps : {3, 5, 7, 9})
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
  for (const int64_t height : {3, 5, 7})
    for (const int64_t width : {3, 5, 7})
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

} // namespace
} // namespace enfold
