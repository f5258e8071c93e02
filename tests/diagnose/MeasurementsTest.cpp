// What diff and bench measure, and the statistics behind them.
#include "diagnose/Bench.h"
#include "diagnose/Diff.h"
#include "ir/ConstantText.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace enfold::diagnose {
namespace {

constexpr const char* kModel = R"(
graph @small(%x: f32[1,3,6,6]) {
  %w = const f32[4,3,3,3] random(seed=1)
  %s = const f32[4] [1,2,0.5,1.5]
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,4,6,6]   @"/conv"
  %b = batch_norm(%a, %s, %s, %s, %s) : f32[1,4,6,6]   @"/bn"
  %c = relu(%b) : f32[1,4,6,6]   @"/relu"
  %d = max_pool(%c) {kernel_shape=[2,2], strides=[2,2]} : f32[1,4,3,3]   @"/pool"
  return %d
}
)";

struct Trial {
  std::unique_ptr<Graph> model = std::move(parseGraph(kModel)).value();
  std::vector<Tensor> inputs = {randomTensor(model->inputs()[0]->type(), 1)};
  Tensors expected = referenceTensors(*model, inputs).value();

  Result<Diff> compared(bool fusedAway = false) const {
    return diff({.name = "small",
                 .model = *model,
                 .inputs = inputs,
                 .against = "reference",
                 .expected = expected,
                 .fusedAway = fusedAway});
  }
};

TEST(Diff, AgreesWithTheReferenceTensorByTensor) {
  const Trial trial;
  const auto some = trial.compared();
  ASSERT_TRUE(some.has_value()) << some.error().str();
  EXPECT_TRUE(some->different.empty());
  EXPECT_GE(some->fusedAway, 2) << "the convolution's and the normalization's results";
  const auto all = trial.compared(true);
  ASSERT_TRUE(all.has_value()) << all.error().str();
  EXPECT_EQ(all->fusedAway, 0);
  ASSERT_EQ(all->same.size(), 4u);
  EXPECT_EQ(all->same[0].name, "a");
  EXPECT_FALSE(all->same[0].computed);
  EXPECT_TRUE(all->same[3].computed);
  EXPECT_EQ(all->same[3].nodes, "/pool");
}

TEST(Diff, NamesTheTensorThatDiffers) {
  Trial trial;
  Tensor& relu = trial.expected.at("c");
  relu.setDouble(5, relu.asDouble(5) + 1);
  const auto found = trial.compared(true);
  ASSERT_TRUE(found.has_value()) << found.error().str();
  ASSERT_EQ(found->different.size(), 1u);
  EXPECT_EQ(found->different[0].name, "c");
  EXPECT_EQ(found->different[0].comparison.worst, 5);
  EXPECT_EQ(found->different[0].comparison.mismatches, 1);
  EXPECT_NEAR(found->different[0].comparison.maxAbs, 1, 1e-4);
  EXPECT_EQ(found->different[0].status(), "different");
  const Json json = toJson(*found);
  EXPECT_EQ(json.at("different"), 1);
  EXPECT_EQ(json.at("tensors").at(0).at("name"), "c") << "those that differ come first";
}

TEST(Diff, OfTensorsOfAnotherTypeIsNoComparison) {
  Trial trial;
  trial.expected.at("d") = Tensor(ElemType::F32, {4, 9});
  const auto found = trial.compared();
  ASSERT_TRUE(found.has_value()) << found.error().str();
  ASSERT_EQ(found->different.size(), 1u);
  EXPECT_TRUE(found->different[0].status().starts_with("different: ")) << "says which types";
}

TEST(Diff, CountsUnitsInTheLastPlace) {
  // Negation is exact, so what is expected decides.
  const auto model = std::move(parseGraph(R"(
graph @negation(%x: f32[4]) {
  %y = neg(%x) : f32[4]
  return %y
})"))
                         .value();
  const float numbers[] = {1.0f, -2.0f, 0.75f, 3.0e38f};
  std::vector<Tensor> inputs = {Tensor::of<float>({4}, numbers)};
  for (int64_t i = 0; i < 4; ++i) {
    Tensors expected = referenceTensors(*model, inputs).value();
    Tensor& y = expected.at("y");
    const float next = std::nextafter(static_cast<float>(y.asDouble(i)), INFINITY);
    y.setDouble(i, std::nextafter(next, INFINITY));
    const auto found = diff({.name = "negation",
                             .model = *model,
                             .inputs = inputs,
                             .against = "reference",
                             .expected = expected});
    ASSERT_TRUE(found.has_value()) << found.error().str();
    ASSERT_EQ(found->same.size(), 1u);
    // A power of two is the border of two spacings.
    EXPECT_GE(found->same[0].ulp, 2) << numbers[i];
    EXPECT_LE(found->same[0].ulp, 4) << numbers[i];
    EXPECT_EQ(found->same[0].status(), "float noise");
  }
}

TEST(Samples, AreSummarizedByInterpolatedQuantiles) {
  const Summary s = summarize({5, 1, 4, 2, 3});
  EXPECT_EQ(s.min, 1);
  EXPECT_EQ(s.p50, 3);
  EXPECT_EQ(s.mean, 3);
  EXPECT_DOUBLE_EQ(s.p5, 1.2);
  EXPECT_DOUBLE_EQ(s.p90, 4.6);
  EXPECT_EQ(s.samples, 5u);
  EXPECT_EQ(summarize({7}).p99, 7);
}

TEST(Samples, RatiosHaveAnInterval) {
  std::vector<double> a, b;
  for (int i = 0; i < 101; ++i) {
    b.push_back(1 + 0.001 * i);
    a.push_back(2 * b.back());
  }
  const Ratio ratio = medianRatio(a, b);
  EXPECT_DOUBLE_EQ(ratio.median, 2);
  EXPECT_LT(ratio.low, 2);
  EXPECT_GT(ratio.high, 2);
  EXPECT_GT(ratio.low, 1.9);
  EXPECT_LT(ratio.high, 2.1);
}

TEST(Bench, MeasuresEveryArmAndProfilesTheFirst) {
  const auto load = [] { return parseGraph(kModel); };
  const auto compiled = compile(load().value());
  ASSERT_TRUE(compiled.has_value()) << compiled.error().str();
  double seconds = 0;
  const auto report = bench({.model = "small",
                             .executable = compiled->executable,
                             .others = {"folded", "unfused", "reference"},
                             .load = load,
                             .session = {.threads = 1},
                             .seconds = 0.01,
                             .profile = true,
                             .progress = [&](double done, double) { seconds = done; }});
  ASSERT_TRUE(report.has_value()) << report.error().str();
  EXPECT_EQ(report->threads, 1);
  EXPECT_GT(seconds, 0);
  ASSERT_EQ(report->arms.size(), 4u);
  EXPECT_EQ(report->arms[0].name, "fused");
  EXPECT_EQ(report->arms[3].name, "reference");
  EXPECT_EQ(report->arms[0].ratio.median, 1);
  EXPECT_GT(report->arms[3].ratio.median, 1) << "nothing is slower than the reference";
  for (const BenchArm& arm : report->arms) EXPECT_GE(arm.latency.samples, 3u) << arm.name;
  ASSERT_TRUE(report->profile.has_value());
  EXPECT_EQ(report->profile->kernels.size(), compiled->executable->steps().size());
  const KernelProfile& conv = report->profile->kernels.front();
  EXPECT_GT(conv.seconds, 0);
  EXPECT_GE(conv.work.flops, 2 * 36 * 4 * 27);
  EXPECT_GT(report->profile->percentOfLimit(conv), 0);
  const Json json = toJson(*report);
  EXPECT_EQ(json.at("compare").size(), 4u);
  EXPECT_EQ(json.at("profile").size(), report->profile->kernels.size());
  EXPECT_GT(json.at("limits").at("gflops"), 0);
  const Timeline& timeline = report->profile->timeline;
  EXPECT_EQ(timeline.threads, 1);
  ASSERT_EQ(timeline.spans.size(), report->profile->kernels.size());
  double end = 0;
  for (const Timeline::Span& span : timeline.spans) {
    EXPECT_GE(span.begin, end) << "one thread does one thing at a time";
    EXPECT_LE(span.busy, span.end - span.begin + 1e-9);
    end = span.end;
  }
  EXPECT_EQ(end, timeline.seconds);
  EXPECT_EQ(json.at("timeline").at("spans").size(), timeline.spans.size());
  const Json trace = traceOf(*report->profile, report->compileTimes);
  // Two names of rows, three stages, and the kernels.
  EXPECT_EQ(trace.at("traceEvents").size(), 5 + report->profile->kernels.size());
}

TEST(MachineLimits, HaveAPeakForEachTypeMultiplied) {
  using kir::Scalar;
  const auto target = codegen::hostTarget();
  ASSERT_TRUE(target.has_value()) << target.error().str();
  const auto limits =
      measureLimits(*target, 1, {Scalar::I16, Scalar::U8, Scalar::I8, Scalar::BF16, Scalar::F64});
  ASSERT_TRUE(limits.has_value()) << limits.error().str();
  EXPECT_EQ(limits->peaks.size(), 5u) << "f64 is no word";
  for (const auto& [multiplies, gflops] : limits->peaks) EXPECT_GT(gflops, 0);
  EXPECT_EQ(limits->peakOf(Scalar::F64), limits->gflops());

  const MachineLimits known{.gbps = 10, .peaks = {{Scalar::F32, 100}, {Scalar::I16, 200}}};
  EXPECT_DOUBLE_EQ(known.seconds({.flops = 1e9, .bytes = 0}), 0.01);
  EXPECT_DOUBLE_EQ(known.seconds({.flops = 1e9, .multiplies = Scalar::I16}), 0.005);
  EXPECT_TRUE(known.boundByArithmetic({.flops = 1e9, .bytes = 7e7}));
  EXPECT_FALSE(known.boundByArithmetic({.flops = 1e9, .bytes = 7e7, .multiplies = Scalar::I16}));
}

TEST(Bench, RefusesArmsItDoesNotKnow) {
  const auto compiled = compile(parseGraph(kModel).value());
  ASSERT_TRUE(compiled.has_value()) << compiled.error().str();
  const auto report =
      bench({.model = "small", .executable = compiled->executable, .others = {"twice"}});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().kind, ErrorKind::Usage);
}

} // namespace
} // namespace enfold::diagnose
