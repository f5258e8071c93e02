// Numbers that break naive folding: epsilon, variances of zero and far apart, tiny scales, narrow
// types.
#include "tests/hazards/Harness.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::hazards {
namespace {

TEST(Numbers, EpsilonIsRead) {
  for (float epsilon : {0.0f, 1e-5f, 1e-3f, 1.0f})
    for (double variance : {1e-4, 1.0, 1e30})
      for (const Linear& linear : {Linear{OpKind::Conv, 2, 4, true}, Linear{OpKind::ConvTranspose},
                                   Linear{OpKind::Gemm, 2, 1, true}}) {
        SCOPED_TRACE(fmt::format("{} epsilon {} variance {}", linear.str(), epsilon, variance));
        Net net;
        Value* y = linear.addTo(net, "linear");
        Norm norm{.epsilon = epsilon};
        norm.variance = numbers(ElemType::F32, {y->shape()[1]},
                                std::vector<double>(static_cast<size_t>(y->shape()[1]), variance));
        net.output(net.batchNorm("bn", y, norm));
        EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "applied folded");
      }
}

TEST(Numbers, EpsilonMatters) {
  // With a variance as small as epsilon the answers differ by a factor: a wrong one shows.
  std::vector<double> results;
  for (float epsilon : {1e-5f, 1e-3f}) {
    Net net;
    Value* x = net.input({1, 1, 1, 1});
    const Tensor one = numbers(ElemType::F32, {1, 1, 1, 1}, {1});
    const Tensor zero = numbers(ElemType::F32, {1}, {0}), unit = numbers(ElemType::F32, {1}, {1});
    Value* y = net.op(OpKind::Conv, "conv", {x, net.constant(one)});
    net.output(net.batchNorm("bn", y, {unit, zero, zero, zero, epsilon}));
    auto compiled = compile(net.finish());
    ASSERT_TRUE(compiled.has_value());
    auto session = Session::create(compiled->executable, {});
    const auto y1 = (*session)->run(std::vector{numbers(ElemType::F32, {1, 1, 1, 1}, {1})});
    ASSERT_TRUE(y1.has_value());
    results.push_back(y1->front().asDouble(0));
  }
  EXPECT_NEAR(results[0], 1 / std::sqrt(1e-5), 1e-3);
  EXPECT_NEAR(results[1], 1 / std::sqrt(1e-3), 1e-4);
}

TEST(Numbers, NoVarianceAndNoEpsilonIsNotFolded) {
  for (double variance : {0.0, -1.0}) {
    Net net;
    Value* y = Linear{}.addTo(net, "conv");
    Norm norm{.epsilon = 0};
    norm.variance = randomTensor(ElemType::F32, {y->shape()[1]}, 0.5, 2);
    norm.variance->setDouble(1, variance);
    net.output(net.batchNorm("bn", y, norm));
    EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "refused not-finite");
  }
}

TEST(Numbers, DenormalVarianceIsANumber) {
  Net net;
  Value* y = Linear{}.addTo(net, "conv");
  const std::vector<double> tiny(static_cast<size_t>(y->shape()[1]), 1e-40);
  Norm norm{.epsilon = 0};
  norm.variance = numbers(ElemType::F32, {y->shape()[1]}, tiny);
  net.output(net.batchNorm("bn", y, norm));
  EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "applied folded");
}

TEST(Numbers, OverflowIsNotFolded) {
  Net net;
  Value* y = Linear{}.addTo(net, "conv");
  Norm norm{.epsilon = 0};
  norm.scale = numbers(ElemType::F32, {3}, {1e38, 1, 1});
  norm.variance = numbers(ElemType::F32, {3}, {1e-8, 1, 1});
  net.output(net.batchNorm("bn", y, norm));
  auto compiled = compile(net.finish());
  ASSERT_TRUE(compiled.has_value());
  const auto& remarks = compiled->report.remarks.remarks();
  EXPECT_TRUE(
      std::ranges::any_of(remarks, [](const Remark& r) { return r.reason == Reason::NotFinite; }));
}

/// Denormal numbers among the constants of a graph.
int64_t denormalsIn(const Graph& graph) {
  int64_t count = 0;
  for (const auto& op : graph.ops()) {
    const Tensor* tensor = op->result()->constant();
    for (int64_t i = 0; tensor && i < tensor->numElements(); ++i)
      count += std::fpclassify(static_cast<float>(tensor->asDouble(i))) == FP_SUBNORMAL;
  }
  return count;
}

/// A conv whose last channel has a scale that makes all its weights denormal.
std::unique_ptr<Graph> tinyScale() {
  Net net;
  Value* y = Linear{}.addTo(net, "conv");
  net.output(net.batchNorm("bn", y, {.scale = numbers(ElemType::F32, {3}, {1, 0, 1e-40})}));
  return net.finish();
}

TEST(Numbers, TinyScalesAreFlushedAndCounted) {
  const Outcome outcome = check(tinyScale());
  const Remark* remark = outcome.remark("fold-batchnorm", "bn");
  ASSERT_NE(remark, nullptr);
  EXPECT_EQ(remark->facts.numbers.at("denormals"), 72);
  EXPECT_EQ(remark->facts.numbers.at("dead_channels"), 2); // the one with scale 0 as well
  EXPECT_NE(remark->message.find("72 denormal weights flushed"), std::string::npos);
  EXPECT_EQ(denormalsIn(outcome.graph()), 0);
}

TEST(Numbers, TinyScalesAreKeptOnRequest) {
  CompileOptions options;
  options.passes.passes.denormals = Denormals::Keep;
  const Outcome outcome = check(tinyScale(), options);
  const Remark* remark = outcome.remark("fold-batchnorm", "bn");
  ASSERT_NE(remark, nullptr);
  EXPECT_EQ(remark->facts.numbers.at("dead_channels"), 1);
  EXPECT_NE(remark->message.find("72 denormal weights kept"), std::string::npos);
  EXPECT_EQ(denormalsIn(outcome.graph()), 72);
}

TEST(Numbers, OtherElementTypes) {
  for (ElemType elem : {ElemType::F16, ElemType::BF16, ElemType::F64})
    for (const Linear& linear :
         {Linear{OpKind::Conv, 2, 2, true}, Linear{OpKind::ConvTranspose, 1, 4},
          Linear{OpKind::Gemm, 2, 1, true}, Linear{OpKind::MatMul, 2}}) {
      SCOPED_TRACE(fmt::format("{} {}", info(elem).name, linear.str()));
      Net net(elem);
      net.output(net.batchNorm("bn", linear.addTo(net, "linear")));
      EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "applied folded");
    }
}

TEST(Numbers, HalfPrecisionWithoutAConvolution) {
  for (ElemType elem : {ElemType::F16, ElemType::BF16}) {
    Net net(elem);
    // A mean far from zero: a scale and shift rounded to half would be wrong by a tenth.
    Norm norm;
    norm.mean = numbers(elem, {4}, {100, -100, 64, 0});
    Value* x = net.input({2, 4, 5, 5});
    Value* far =
        net.op(OpKind::Add, "far", {x, net.constant(numbers(elem, {4, 1, 1}, {100, -100, 64, 0}))});
    net.output(far);
    net.output(net.batchNorm("bn", far, norm));
    EXPECT_EQ(check(net.finish()).statusOf("expand-batchnorm", "bn"), "applied expanded");
  }
}

TEST(Numbers, FoldedOnceThroughAChain) {
  // Scales of 1e-30 and 1e30 one after the other: rounded in between, nothing would be left.
  Net net;
  Value* y = Linear{}.addTo(net, "conv");
  const auto all = [&](double v) { return net.constant(numbers(ElemType::F32, {}, {v})); };
  y = net.op(OpKind::Mul, "down", {y, all(1e-30)});
  y = net.op(OpKind::Mul, "further", {y, all(1e-30)});
  y = net.op(OpKind::Div, "up", {y, all(1e-30)});
  y = net.op(OpKind::Mul, "back", {y, all(1e30)});
  net.output(y);
  const auto graph = net.finish();
  auto compiled = compile(graph->clone());
  ASSERT_TRUE(compiled.has_value());
  EXPECT_EQ(compiled->report.statistics.at("fold-batchnorm.applied"), 4);
  auto session = Session::create(compiled->executable, {});
  const auto results = (*session)->run(randomInputs(*graph));
  ASSERT_TRUE(results.has_value());
  double largest = 0;
  for (int64_t i = 0; i < results->front().numElements(); ++i)
    largest = std::max(largest, std::fabs(results->front().asDouble(i)));
  EXPECT_GT(largest, 0.1);
}

TEST(Numbers, BitsDoNotDependOnThreads) {
  Net net;
  Value* y = net.batchNorm("bn", Linear{OpKind::Conv, 2, 1, true, 3}.addTo(net, "conv"));
  net.output(net.op(OpKind::Relu, "relu", {y}));
  const auto graph = net.finish();
  const std::vector<Tensor> inputs = randomInputs(*graph);
  auto compiled = compile(graph->clone());
  ASSERT_TRUE(compiled.has_value());
  std::vector<Tensor> first;
  for (int threads : {1, 2, 3}) {
    auto session = Session::create(compiled->executable, {.threads = threads});
    const auto results = (*session)->run(inputs);
    ASSERT_TRUE(results.has_value());
    if (first.empty()) first = *results;
    EXPECT_TRUE(first == *results) << threads << " threads";
  }
}

} // namespace
} // namespace enfold::hazards
