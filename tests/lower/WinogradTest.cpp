// Winograd convolution: the transforms by themselves, and the kernels against the reference.
#include "Differential.h"
#include "lower/conv/WinogradTransform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace enfold {
namespace {

/// What the three matrices compute for one tile, in doubles.
std::vector<double> filtered(const lower::WinogradTransform& w, const std::vector<double>& d,
                             const std::vector<float>& g) {
  const int64_t n = w.tile, m = w.outputs;
  std::vector<float> u(static_cast<size_t>(n * n));
  lower::transformWeights(w, g.data(), u.data(), 1);
  const auto sandwich = [](const lower::Matrix& t, const std::vector<double>& x) {
    std::vector<double> y(static_cast<size_t>(t.rows * t.rows));
    for (int64_t i = 0; i < t.rows; ++i)
      for (int64_t j = 0; j < t.rows; ++j)
        for (int64_t a = 0; a < t.cols; ++a)
          for (int64_t b = 0; b < t.cols; ++b)
            y[static_cast<size_t>(i * t.rows + j)] +=
                t.at(i, a) * x[static_cast<size_t>(a * t.cols + b)] * t.at(j, b);
    return y;
  };
  std::vector<double> v = sandwich(w.input, d);
  for (size_t i = 0; i < v.size(); ++i) v[i] *= static_cast<double>(u[i]);
  std::vector<double> y = sandwich(w.output, v);
  y.resize(static_cast<size_t>(m * m));
  return y;
}

TEST(WinogradTransform, ComputesTheConvolution) {
  Sizes random(7);
  for (const int64_t m : {2, 4, 6}) {
    const auto w = lower::WinogradTransform::of(m);
    std::vector<double> d;
    std::vector<float> g;
    for (int64_t i = 0; i < w.tile * w.tile; ++i)
      d.push_back(static_cast<double>(random.between(-9, 9)));
    for (int i = 0; i < 9; ++i) g.push_back(static_cast<float>(random.between(-9, 9)));
    const std::vector<double> y = filtered(w, d, g);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < m; ++j) {
        double expected = 0;
        for (int64_t a = 0; a < 3; ++a)
          for (int64_t b = 0; b < 3; ++b)
            expected += d[static_cast<size_t>((i + a) * w.tile + j + b)] *
                        static_cast<double>(g[static_cast<size_t>(a * 3 + b)]);
        EXPECT_NEAR(y[static_cast<size_t>(i * m + j)], expected, 1e-3);
      }
  }
}

struct Layer {
  int64_t batch, cin, height, width, cout;
  std::vector<int64_t> pads;
};

std::vector<std::string> expectLayerAgrees(const Layer& l, bool residual) {
  return expectCompiledAgrees([&](GraphBuilder& g) {
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
  });
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
    for (const std::string& algorithm : expectLayerAgrees(layer, round % 2 == 0))
      if (algorithm.starts_with("winograd f"))
        used.insert(algorithm.substr(0, algorithm.rfind(' ')));
  }
  for (const char* algorithm : {"winograd f4 staged", "winograd f6 staged"})
    EXPECT_TRUE(used.contains(algorithm)) << algorithm << " was never chosen";
}

TEST(Winograd, LargeImagesAreFused) {
  const auto algorithms = expectLayerAgrees({1, 64, 112, 100, 64, {1, 1, 1, 1}}, true);
  EXPECT_TRUE(std::ranges::any_of(algorithms, [](const std::string& algorithm) {
    return algorithm.starts_with("winograd f") && algorithm.find("staged") == std::string::npos;
  }));
}

TEST(Winograd, ManyChannelsOfSmallImages) {
  expectLayerAgrees({1, 256, 7, 7, 256, {1, 1, 1, 1}}, false);
  expectLayerAgrees({2, 130, 14, 14, 250, {1, 1, 1, 1}}, false);
}

} // namespace
} // namespace enfold
