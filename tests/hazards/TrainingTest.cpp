// Training mode: statistics of the batch at hand and running averages exactly as the operator says,
// never folded unless the caller says the model is for inference.
#include "reference/Reference.h"
#include "tests/hazards/Harness.h"

#include <fmt/format.h>

namespace enfold::hazards {
namespace {

TEST(Training, NeverFolded) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    if (linear.batch == 1 && linear.isProduct()) continue; // a batch of one has no variance
    Net net;
    net.output(net.batchNorm("bn", linear.addTo(net, "linear"), {.training = true}));
    const Outcome outcome = check(net.finish());
    EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "refused bn-training-mode");
    EXPECT_EQ(outcome.statusOf("expand-batchnorm", "bn"), "applied expanded-batch");
  }
}

TEST(Training, RunningStatistics) {
  for (const Shape& shape : {Shape{9}, Shape{6, 3}, Shape{2, 3, 7}, Shape{2, 3, 5, 4},
                             Shape{1, 3, 2, 3, 4}, Shape{3, 19, 1, 33}})
    for (float momentum : {0.0f, 0.9f, 1.0f}) {
      SCOPED_TRACE(fmt::format("{} momentum {}", str(shape), momentum));
      Net net;
      Op* bn = net.batchNormOp("bn", net.input(shape), {.training = true}, 3);
      const auto graph = [&] {
        for (size_t i = 0; i < 3; ++i) net.output(bn->result(i));
        return net.finish();
      }();
      check(graph->clone());
    }
}

TEST(Training, KnownNumbers) {
  Net net;
  Value* x = net.input({4, 1});
  const auto one = [](double v) { return numbers(ElemType::F32, {1}, {v}); };
  Op* bn = net.ops(OpKind::BatchNormalization, "bn",
                   {x, net.constant(one(3)), net.constant(one(10)), net.constant(one(100)),
                    net.constant(one(50))},
                   {{"epsilon", 0.25f}, {"momentum", 0.75f}, {"training_mode", int64_t{1}}}, 3);
  for (size_t i = 0; i < 3; ++i) net.output(bn->result(i));
  auto compiled = compile(net.finish());
  ASSERT_TRUE(compiled.has_value());
  auto session = Session::create(compiled->executable, {});
  const auto y = (*session)->run(std::vector{numbers(ElemType::F32, {4, 1}, {1, 2, 3, 6})});
  ASSERT_TRUE(y.has_value());
  // Mean 3, population variance (4 + 1 + 0 + 9) / 4 = 3.5.
  for (int64_t i = 0; const double v : {1.0, 2.0, 3.0, 6.0})
    EXPECT_NEAR((*y)[0].asDouble(i++), (v - 3) / std::sqrt(3.75) * 3 + 10, 1e-5);
  EXPECT_NEAR((*y)[1].asDouble(0), 100 * 0.75 + 3 * 0.25, 1e-4);
  EXPECT_NEAR((*y)[2].asDouble(0), 50 * 0.75 + 3.5 * 0.25, 1e-4);
}

TEST(Training, ComputedStatisticsAndOtherTypes) {
  for (ElemType elem : {ElemType::F16, ElemType::F64}) {
    Net net(elem);
    Value* x = net.input({2, 3, 6, 6});
    // Scale and bias of x's type, statistics in single precision, as the operator allows.
    Op* bn = net.ops(OpKind::BatchNormalization, "bn",
                     {x, net.random({3}), net.random({3}), net.input(Type{ElemType::F32, {3}, {}}),
                      net.input(Type{ElemType::F32, {3}, {}})},
                     {{"training_mode", int64_t{1}}}, 3);
    for (size_t i = 0; i < 3; ++i) net.output(bn->result(i));
    check(net.finish());
  }
}

TEST(Training, TakenForInferenceOnRequest) {
  Net net;
  Norm norm{.training = true};
  Value* y = Linear{}.addTo(net, "conv");
  Op* bn = net.batchNormOp("bn", y, norm);
  net.output(bn->result());
  auto graph = net.finish();
  CompileOptions options;
  options.passes.passes.assumeInferenceBn = true;
  auto compiled = compile(graph->clone(), options);
  ASSERT_TRUE(compiled.has_value());
  EXPECT_EQ(compiled->report.remarks.remarks().front().reason, Reason::Folded);
  // The same network in inference mode gives the same.
  const std::vector<Tensor> inputs = randomInputs(*graph);
  Rewriter rewriter(*graph);
  for (const auto& op : graph->ops())
    if (op->kind() == OpKind::BatchNormalization && rewriter.begin("test", *op))
      rewriter.setAttr(op.get(), "training_mode", int64_t{0});
  const auto expected = reference::run(*graph, inputs);
  auto session = Session::create(compiled->executable, {});
  const auto results = (*session)->run(inputs);
  ASSERT_TRUE(expected.has_value() && results.has_value());
  EXPECT_TRUE(compare(results->front(), expected->front()).same());
}

} // namespace
} // namespace enfold::hazards
