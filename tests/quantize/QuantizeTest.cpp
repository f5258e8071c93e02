// Whole networks: what is written runs, in integers, close to the network of floats; biases are
// corrected; what cannot be quantized is said.
#include "quantize/Quantize.h"

#include "Support.h"
#include "ir/Verifier.h"
#include "quantize/BiasCorrection.h"
#include "quantize/Prepare.h"
#include "reference/Reference.h"
#include "zoo/Zoo.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::quantize {
namespace {

constexpr const char* kNetwork = R"(graph @g(%x: f32[1,3,9,9]) {
  %w = const f32[8,3,3,3] random(seed=1)
  %b = const f32[8] random(seed=2)
  %dw = const f32[8,1,3,3] random(seed=3)
  %v = const f32[8,8,1,1] random(seed=4)
  %u = const f32[8,4,2,2] random(seed=5)
  %f = const f32[5,4] random(seed=6)
  %c1 = conv(%x, %w, %b) {pads=[1,1,1,1]} : f32[1,8,9,9]  @"stem"
  %r1 = relu(%c1) : f32[1,8,9,9]
  %c2 = conv(%r1, %dw) {group=8, pads=[1,1,1,1]} : f32[1,8,9,9]  @"depthwise"
  %s2 = sigmoid(%c2) : f32[1,8,9,9]
  %m2 = mul(%c2, %s2) : f32[1,8,9,9]
  %c3 = conv(%m2, %v) : f32[1,8,9,9]  @"pointwise"
  %a3 = add(%c3, %r1) : f32[1,8,9,9]
  %r3 = relu(%a3) : f32[1,8,9,9]
  %p3 = average_pool(%r3) {kernel_shape=[3,3], strides=[3,3]} : f32[1,8,3,3]
  %t4 = conv_transpose(%p3, %u) {strides=[2,2]} : f32[1,4,6,6]  @"up"
  %r4 = relu(%t4) : f32[1,4,6,6]
  %g4 = global_average_pool(%r4) : f32[1,4,1,1]
  %l4 = flatten(%g4) : f32[1,4]
  %y = gemm(%l4, %f) {transB=1} : f32[1,5]  @"classify"
  return %y
})";

Quantized quantized(const Graph& graph, Options options = {}) {
  options.run.session.threads = 1;
  auto result = quantize(graph, test::samplesOf(graph, 6, -1, 1), options);
  EXPECT_TRUE(result) << result.error().str();
  return result ? *std::move(result) : Quantized();
}

TEST(Quantize, GivesAValidGraphCloseToTheFloats) {
  const auto graph = test::graphOf(kNetwork);
  for (const std::optional<Method> method :
       {std::optional<Method>(), {Method::MinMax}, {Method::Percentile}, {Method::LeastError}})
    for (const WeightRange weights : {WeightRange::Full, WeightRange::Reduced}) {
      const Quantized result = quantized(*graph, {.method = method, .weights = weights});
      ASSERT_TRUE(result.graph);
      const auto verified = verify(*result.graph, GraphStage::Imported);
      EXPECT_TRUE(verified) << verified.error().str();
      EXPECT_EQ(result.report.numQuantized(), 5u);
      ASSERT_EQ(result.report.outputs.size(), 1u);
      EXPECT_GT(result.report.outputs[0].noise.decibels(), 25);
      for (const LayerReport& layer : result.report.layers)
        EXPECT_GT(layer.noise.decibels(), 20) << layer.name;
    }
}

TEST(Quantize, MeasuresWhatThePlainReferenceMeasures) {
  const auto graph = test::graphOf(kNetwork);
  const Samples samples = test::samplesOf(*graph, 6, -1, 1);
  const Quantized result = quantized(*graph);
  Noise noise;
  for (size_t i = 0; i < samples.count; ++i) {
    const auto inputs = samples.at(i);
    const auto expected = reference::run(*graph, *inputs);
    const auto actual = reference::run(*result.graph, *inputs);
    ASSERT_TRUE(expected && actual);
    noise.add((*expected)[0], (*actual)[0]);
  }
  EXPECT_NEAR(noise.decibels(), result.report.outputs[0].noise.decibels(), 1);
}

TEST(Quantize, KeepsNamesAndOutputs) {
  const auto graph = test::graphOf(kNetwork);
  const Quantized result = quantized(*graph, {.quantizeOutputs = true});
  ASSERT_TRUE(result.graph);
  EXPECT_EQ(result.graph->outputNames()[0], "y");
  for (const char* name : {"r1", "r3", "p3", "r4"}) EXPECT_NE(result.graph->find(name), nullptr);
  ASSERT_NE(result.graph->find("r1_quantized"), nullptr);
  EXPECT_EQ(result.graph->find("r1_quantized")->elem(), ElemType::U8);
  EXPECT_EQ(result.graph->outputs()[0]->producer()->kind(), OpKind::DequantizeLinear);
}

TEST(Quantize, LeavesExcludedLayersInFloat) {
  const auto graph = test::graphOf(kNetwork);
  const Quantized result = quantized(*graph, {.excluded = {"depthwise"}});
  ASSERT_TRUE(result.graph);
  EXPECT_EQ(result.report.numQuantized(), 4u);
  EXPECT_EQ(result.report.layers[1].floatBecause, "excluded");
}

TEST(Quantize, KeepsPoorLayersInFloatWhereThatHelps) {
  const auto graph = test::graphOf(kNetwork);
  const Quantized all = quantized(*graph);
  const Quantized some = quantized(*graph, {.leastSignal = 1000.0});
  ASSERT_TRUE(some.graph);
  EXPECT_LT(some.report.numQuantized(), 5u);
  EXPECT_GE(some.report.numQuantized(), 1u);
  EXPECT_GT(some.report.outputs[0].noise.decibels(), all.report.outputs[0].noise.decibels());
  EXPECT_EQ(quantized(*graph, {.leastSignal = -100.0}).report.numQuantized(), 5u);
}

TEST(Quantize, CorrectedBiasesTakeTheMeanError) {
  const auto graph = test::graphOf(R"(graph @g(%x: f32[1,2,8,8]) {
  %w = const f32[3,2,3,3] random(seed=1)
  %y = conv(%x, %w) : f32[1,3,6,6]
  return %y
})");
  const Samples samples = test::samplesOf(*graph, 8, 0, 1);
  const Plan plan = planOf(*graph, {});
  const auto statistics = calibrate(*graph, sourcesOf(plan), Detail::Histograms, samples, {});
  ASSERT_TRUE(statistics);
  const auto scales = groupScales(plan, *statistics, Method::MinMax, 100);
  ASSERT_TRUE(scales);
  const auto biases = correctedBiases(*graph, plan, *scales, WeightRange::Reduced, samples, {});
  ASSERT_TRUE(biases) << biases.error().str();
  const auto meanError = [&](const Biases& given) {
    const QuantizedGraph network =
        insertQuantization(*graph, plan, *scales, WeightRange::Reduced, given);
    std::vector<double> sums(3, 0);
    for (size_t i = 0; i < samples.count; ++i) {
      const auto inputs = samples.at(i);
      const Tensor expected = (*reference::run(*graph, *inputs))[0];
      const Tensor actual = (*reference::run(*network.graph, *inputs))[0];
      for (int64_t k = 0; k < expected.numElements(); ++k)
        sums[static_cast<size_t>(k / 36)] += actual.asDouble(k) - expected.asDouble(k);
    }
    double most = 0;
    for (const double sum : sums) most = std::max(most, std::fabs(sum) / 36 / 8);
    return most;
  };
  EXPECT_GT(meanError({}), 1e-4);
  EXPECT_LT(meanError(*biases), meanError({}) / 20);
}

TEST(Quantize, RunsNetworksOfTheZoo) {
  for (const char* name : {"resnet18", "mobilenet_v2", "shufflenet_v2", "squeezenet"}) {
    const auto model = zoo::build(name, Shape{1, 3, 32, 32});
    if (!model) continue;
    const Samples samples = test::samplesOf(**model, 2, 0, 1);
    const auto result =
        quantize(**model, samples, {.method = Method::MinMax, .run = {.session = {.threads = 1}}});
    ASSERT_TRUE(result) << name << ": " << result.error().str();
    EXPECT_TRUE(verify(*result->graph, GraphStage::Imported)) << name;
    EXPECT_EQ(result->report.numQuantized(), result->report.layers.size()) << name;
    EXPECT_GT(result->report.outputs[0].noise.decibels(), 10) << name;
  }
}

TEST(Quantize, KnowsWhatComputesWithSizes) {
  const auto network = [](int batch, const char* shape) {
    return test::graphOf(fmt::format("graph @g(%x: f32[{},2,3]) {{\n%s = const i64[2] {}\n"
                                     "%y = reshape(%x, %s) : f32[{},6]\nreturn %y\n}}",
                                     batch, shape, batch));
  };
  EXPECT_TRUE(areAlike(*network(1, "[-1,6]"), *network(2, "[-1,6]")));
  EXPECT_TRUE(areAlike(*network(1, "[0,-1]"), *network(2, "[0,-1]")));
  EXPECT_FALSE(areAlike(*network(1, "[1,-1]"), *network(2, "[2,-1]")));
}

/// The message of an error that must come.
std::string errorOf(std::string_view text, const Options& options = {}, size_t count = 2,
                    double high = 1) {
  const auto graph = test::graphOf(text);
  const auto result = quantize(*graph, test::samplesOf(*graph, count, 0, high), options);
  EXPECT_FALSE(result);
  return result ? "" : result.error().str();
}

constexpr const char* kOneLayer = "graph @g(%x: f32[1,2]) {\n%w = const f32[2,2] [1,2,3,4]\n"
                                  "%y = gemm(%x, %w) : f32[1,2]  @\"fc\"\nreturn %y\n}";

TEST(Quantize, SaysWhatIsWrong) {
  EXPECT_NE(errorOf(kOneLayer, {}, 0).find("no samples"), std::string::npos);
  EXPECT_NE(errorOf(kOneLayer, {.excluded = {"nobody"}}).find("'nobody'"), std::string::npos);
  EXPECT_NE(errorOf(kOneLayer, {.excluded = {"fc"}}).find("excluded"), std::string::npos);
  EXPECT_NE(errorOf(kOneLayer, {}, 2, INFINITY).find("tensor 'x' holds NaN or infinity"),
            std::string::npos);
  EXPECT_NE(errorOf(kOneLayer, {}, 2, 1e30).find("tensor 'x' holds numbers from"),
            std::string::npos);
  EXPECT_NE(
      errorOf("graph @g(%x: f32[1,2]) {\n%y = relu(%x) : f32[1,2]\nreturn %y\n}").find("no layers"),
      std::string::npos);
  EXPECT_NE(errorOf("graph @g(%x: u8[2]) {\n%s = const f32[] [0.5]\n"
                    "%y = dequantize_linear(%x, %s) : f32[2]  @\"dq\"\nreturn %y\n}")
                .find("quantized already"),
            std::string::npos);
}

TEST(Quantize, TakesTensorsThatAreAlwaysZero) {
  const auto graph = test::graphOf(R"(graph @g(%x: f32[1,2,4,4]) {
  %w = const f32[2,2,1,1] splat(-1)
  %v = const f32[2,2,1,1] [1,2,3,4]
  %b = const f32[2] [0.5,-7]
  %a = conv(%x, %w) : f32[1,2,4,4]
  %r = relu(%a) : f32[1,2,4,4]
  %y = conv(%r, %v, %b) : f32[1,2,4,4]
  return %y
})");
  const auto result = quantize(*graph, test::samplesOf(*graph, 2, 0.5, 1), {});
  ASSERT_TRUE(result) << result.error().str();
  EXPECT_EQ(result->report.deadTensors, std::vector<std::string>{"r"});
  EXPECT_GT(result->report.outputs[0].noise.decibels(), 60);
}

} // namespace
} // namespace enfold::quantize
