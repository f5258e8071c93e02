// Equalization keeps the function and makes ranges of channels more alike.
#include "quantize/Equalization.h"

#include "Support.h"
#include "reference/Reference.h"

#include <cmath>

namespace enfold::quantize {
namespace {

// Channels of very different ranges; a depthwise layer, groups, pools and prelu in between.
constexpr const char* kNetwork = R"(graph @g(%x: f32[1,2,7,7]) {
  %w = const f32[4,2,1,1] [5,1, 0.1,0.2, 3,-2, 0.01,0.02]
  %b = const f32[4] [1,-0.1,0.5,0.02]
  %dw = const f32[4,1,3,3] random(seed=1)
  %v = const f32[6,2,3,3] random(seed=2)
  %t = const f32[6,3,2,2] random(seed=3)
  %slope = const f32[6,1,1] [0.1,0.2,0.3,0.4,0.5,0.6]
  %c1 = conv(%x, %w, %b) : f32[1,4,7,7]
  %r1 = relu(%c1) : f32[1,4,7,7]
  %c2 = conv(%r1, %dw) {group=4, pads=[1,1,1,1]} : f32[1,4,7,7]
  %p2 = max_pool(%c2) {kernel_shape=[2,2], strides=[1,1]} : f32[1,4,6,6]
  %c3 = conv(%p2, %v) {group=2, pads=[1,1,1,1]} : f32[1,6,6,6]
  %r3 = prelu(%c3, %slope) : f32[1,6,6,6]
  %c4 = conv_transpose(%r3, %t) : f32[1,3,7,7]
  return %c4
})";

TEST(Equalization, FindsPairs) {
  const auto graph = test::graphOf(kNetwork);
  const auto pairs = equalizablePairs(*graph);
  ASSERT_EQ(pairs.size(), 3u);
  EXPECT_EQ(pairs[0].between->name(), "r1");
  EXPECT_EQ(pairs[1].between->name(), "p2");
  EXPECT_EQ(pairs[2].between->name(), "r3");
}

TEST(Equalization, KeepsTheFunctionAndBalancesChannels) {
  const auto graph = test::graphOf(kNetwork);
  const Samples samples = test::samplesOf(*graph, 4, -1, 1);
  const auto before = calibrate(*graph, {"r1", "p2", "r3"}, Detail::Ranges, samples, {});
  ASSERT_TRUE(before) << before.error().str();
  const auto equalized = graph->clone();
  EXPECT_EQ(equalize(*equalized, *before), 3u);
  for (size_t i = 0; i < samples.count; ++i) {
    const auto inputs = samples.at(i);
    const auto expected = reference::run(*graph, *inputs);
    const auto actual = reference::run(*equalized, *inputs);
    ASSERT_TRUE(expected && actual);
    for (int64_t k = 0; k < (*expected)[0].numElements(); ++k)
      EXPECT_NEAR((*actual)[0].asDouble(k), (*expected)[0].asDouble(k), 1e-4);
  }
  const auto after = calibrate(*equalized, {"r1", "p2", "r3"}, Detail::Ranges, samples, {});
  ASSERT_TRUE(after);
  const auto spread = [](const TensorStatistics& tensor) {
    double least = INFINITY, most = 0;
    for (const Range& range : tensor.channels) {
      least = std::min(least, std::max(range.high, -range.low));
      most = std::max(most, std::max(range.high, -range.low));
    }
    return most / least;
  };
  // In front of the depthwise layer, all channels have the same range.
  EXPECT_GT(spread(before->at("r1")), 100);
  EXPECT_LT(spread(after->at("r1")), 1.01);
  EXPECT_LT(spread(after->at("p2")), spread(before->at("p2")));
}

TEST(Equalization, LeavesDeadChannelsAlone) {
  const std::vector<Range> ranges = {{0, 4}, {0, 0}, {0, 1}};
  const std::vector<double> weights = {1, 1, 0};
  EXPECT_EQ(equalizingFactors(ranges, weights), (std::vector<double>{1, 1, 1}));
  const std::vector<double> both =
      equalizingFactors(std::vector<Range>{{0, 4}, {0, 1}}, std::vector<double>{1, 1});
  EXPECT_DOUBLE_EQ(both[0] * both[1], 1);
  EXPECT_DOUBLE_EQ(both[1] / both[0], 2);
}

TEST(Equalization, StopsAtWhatReadsChannelsTwiceOrBoundsThem) {
  const auto pairs = [](const char* between) {
    const auto graph = test::graphOf(std::string(R"(graph @g(%x: f32[1,4,8,8]) {
  %w = const f32[4,4,1,1] random(seed=1)
  %low = const f32[] [0]
  %high = const f32[] [6]
  %a = conv(%x, %w) : f32[1,4,8,8]
)") + between + "\n  %c = conv(%b, %w) : f32[1,4,8,8]\n  return %c\n}");
    return equalizablePairs(*graph).size();
  };
  EXPECT_EQ(pairs("%b = relu(%a) : f32[1,4,8,8]"), 1u);
  EXPECT_EQ(pairs("%b = leaky_relu(%a) : f32[1,4,8,8]"), 1u);
  EXPECT_EQ(pairs("%b = clip(%a, %low, %high) : f32[1,4,8,8]"), 0u);
  EXPECT_EQ(pairs("%b = add(%a, %a) : f32[1,4,8,8]"), 0u);
  EXPECT_EQ(pairs("%b = sigmoid(%a) : f32[1,4,8,8]"), 0u);
}

} // namespace
} // namespace enfold::quantize
