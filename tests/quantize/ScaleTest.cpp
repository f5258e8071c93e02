// Scales, zero points, codes of weights and biases, and the ranges that histograms give.
#include "Support.h"
#include "quantize/Histogram.h"
#include "quantize/Layer.h"

#include <cmath>
#include <random>

namespace enfold::quantize {
namespace {

TEST(Scale, SpansTheRangeAndIsExactAtZero) {
  for (const Range range : {Range{0, 6}, Range{-1, 0}, Range{-0.3, 2.7}, Range{-5, 1e-3},
                            Range{-1e-9, 1e-9}, Range{0, 255}, Range{-1e6, 3e6}}) {
    const Scale scale = scaleFor(range);
    EXPECT_EQ(scale.rounded(0), 0);
    EXPECT_GE(scale.zero, 0);
    EXPECT_LE(scale.zero, 255);
    const double width = range.high - range.low;
    EXPECT_NEAR(scale.rounded(range.low), range.low, width / 255 * 0.51);
    EXPECT_NEAR(scale.rounded(range.high), range.high, width / 255 * 0.51);
    EXPECT_NEAR(scale.scale, width / 255, width * 1e-7);
  }
  EXPECT_EQ(scaleFor({0, 255}), (Scale{1, 0}));
  EXPECT_EQ(scaleFor({-2.55, 0}).zero, 255);
}

TEST(Scale, OfNothingIsHarmless) {
  EXPECT_EQ(scaleFor({0, 0}), scaleFor({0, 1}));
  EXPECT_GE(scaleFor({0, 1e-40}).scale, static_cast<float>(kLeastScale));
  EXPECT_FALSE(canScale({0, 1e30}));
  EXPECT_TRUE(canScale({-1e9, 1e9}));
}

TEST(Scale, RoundsTiesToEven) {
  const Scale scale{2, 10};
  EXPECT_EQ(scale.rounded(1), 0);
  EXPECT_EQ(scale.rounded(3), 4);
  EXPECT_EQ(scale.rounded(-100), -20);
  EXPECT_EQ(scale.rounded(1e9), 490);
}

std::vector<const Histogram*> pointersTo(const std::vector<Histogram>& histograms) {
  std::vector<const Histogram*> pointers;
  for (const Histogram& histogram : histograms) pointers.push_back(&histogram);
  return pointers;
}

/// Normal numbers and a few that are far out.
std::vector<Histogram> withOutliers() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(100'000);
  for (float& value : values) value = normal(random);
  values[7] = 100;
  Range range;
  for (const float value : values) range.include(value);
  std::vector<Histogram> histograms = {Histogram(range)};
  histograms[0].add(values);
  return histograms;
}

TEST(Histogram, CountsAll) {
  Histogram histogram({-1, 3});
  histogram.add(std::vector<float>{-1, 0, 0, 0.5f, 3});
  EXPECT_EQ(histogram.zeros(), 2);
  EXPECT_EQ(histogram.total(), 5);
  EXPECT_EQ(histogram.bins().front(), 1);
  EXPECT_EQ(histogram.bins().back(), 1);
}

TEST(Histogram, PercentileLeavesOutliersOut) {
  const std::vector<Histogram> histograms = withOutliers();
  const Range range = percentileRange(pointersTo(histograms), 99.99);
  EXPECT_LT(range.high, 6);
  EXPECT_GT(range.high, 3);
  EXPECT_GT(range.low, -6);
  EXPECT_LT(range.low, -3);
  const Range all = percentileRange(pointersTo(histograms), 100);
  EXPECT_NEAR(all.high, 100, 1e-9);
}

TEST(Histogram, LeastErrorWeighsRoundingAgainstSaturation) {
  const std::vector<Histogram> histograms = withOutliers();
  const Range range = leastErrorRange(pointersTo(histograms));
  EXPECT_LT(range.high, 100);
  EXPECT_GT(range.high, 3);
  // Uniform numbers have no outliers: nothing is cut.
  std::vector<float> uniform;
  for (int i = 0; i < 10'000; ++i) uniform.push_back(static_cast<float>(i) / 10'000);
  std::vector<Histogram> even = {Histogram({0, uniform.back()})};
  even[0].add(uniform);
  EXPECT_GT(leastErrorRange(pointersTo(even)).high, 0.98);
}

TEST(Histogram, OfNothingIsNothing) {
  std::vector<Histogram> histograms = {Histogram({0, 0})};
  histograms[0].add(std::vector<float>{0, 0});
  EXPECT_TRUE(percentileRange(pointersTo(histograms), 99).isZero());
  EXPECT_TRUE(leastErrorRange(pointersTo(histograms)).isZero());
}

/// The one layer of a graph.
const Op& layerOf(const Graph& graph) {
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) return *op;
  ADD_FAILURE() << "no layer";
  return *graph.ops().front();
}

class Weights : public testing::TestWithParam<const char*> {};

TEST_P(Weights, AreRoundedByOutputChannel) {
  const auto graph = test::graphOf(GetParam());
  const Op& layer = layerOf(*graph);
  const Tensor& weights = *layer.own(1)->constant();
  for (const WeightRange range : {WeightRange::Full, WeightRange::Reduced}) {
    const QuantizedWeights rounded = quantizedWeights(layer, range, 0.01f, {});
    const Tensor numbers = rounded.dequantized();
    ASSERT_EQ(numbers.shape(), weights.shape());
    EXPECT_EQ(std::ssize(rounded.scales), weights.shape()[static_cast<size_t>(rounded.axis)]);
    const int most = range == WeightRange::Full ? 127 : 64;
    int greatest = 0;
    for (int64_t i = 0; i < weights.numElements(); ++i) {
      greatest = std::max(greatest, std::abs(int{rounded.codes.data<int8_t>()[i]}));
      EXPECT_NEAR(numbers.data<float>()[i], weights.data<float>()[i], 1.0 / most * 0.501);
    }
    EXPECT_EQ(greatest, most);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layers, Weights,
    testing::Values("graph @g(%x: f32[1,4,5,5]) {\n%w = const f32[6,2,3,3] random(seed=1)\n"
                    "%y = conv(%x, %w) {group=2} : f32[1,6,3,3]\nreturn %y\n}",
                    "graph @g(%x: f32[1,4,5,5]) {\n%w = const f32[4,3,2,2] random(seed=2)\n"
                    "%y = conv_transpose(%x, %w) {group=2} : f32[1,6,6,6]\nreturn %y\n}",
                    "graph @g(%x: f32[2,7]) {\n%w = const f32[3,7] random(seed=3)\n"
                    "%y = gemm(%x, %w) {transB=1} : f32[2,3]\nreturn %y\n}",
                    "graph @g(%x: f32[2,5,7]) {\n%w = const f32[7,3] random(seed=4)\n"
                    "%y = matmul(%x, %w) : f32[2,5,3]\nreturn %y\n}"));

TEST(Weights, HaveScalesThatHoldTheirBias) {
  const auto graph =
      test::graphOf("graph @g(%x: f32[1,1,2,2]) {\n%w = const f32[3,1,1,1] [1e-20,0,0.5]\n"
                    "%b = const f32[3] [1000,-3,0]\n"
                    "%y = conv(%x, %w, %b) : f32[1,3,2,2]\nreturn %y\n}");
  const Op& layer = layerOf(*graph);
  const QuantizedWeights rounded = quantizedWeights(layer, WeightRange::Full, 0.01f, biasOf(layer));
  for (size_t c = 0; c < 3; ++c) {
    const double bias = biasOf(layer)[c];
    EXPECT_NEAR(rounded.bias[c] * static_cast<double>(rounded.biasScales[c]), bias,
                1e-6 * std::fabs(bias));
    EXPECT_FLOAT_EQ(rounded.biasScales[c], 0.01f * rounded.scales[c]);
    EXPECT_GT(rounded.scales[c], 0);
  }
}

TEST(Layer, SaysWhatStandsInTheWay) {
  const auto obstacle = [](const char* layer, const char* weights) {
    const auto graph = test::graphOf(std::string("graph @g(%x: f32[2,2]) {\n%w = const f32[2,2] ") +
                                     weights + "\n%y = " + layer + "\nreturn %y\n}");
    return obstacleOf(*graph->outputs()[0]->producer()).value_or("");
  };
  EXPECT_EQ(obstacle("gemm(%x, %w) : f32[2,2]", "[1,2,3,4]"), "");
  EXPECT_EQ(obstacle("gemm(%x, %w) {transA=1} : f32[2,2]", "[1,2,3,4]"),
            "it transposes its input or has factors");
  EXPECT_EQ(obstacle("matmul(%x, %w) : f32[2,2]", "[1,2,nan,4]"), "its weights are not finite");
  EXPECT_EQ(obstacle("matmul(%x, %x) : f32[2,2]", "[1,2,3,4]"), "its weights are computed");
  EXPECT_EQ(obstacle("matmul(%x, %w) : f32[2,2]", "[1,2,3e38,4]"),
            "its weights are as large as 3e+38");
}

} // namespace
} // namespace enfold::quantize
