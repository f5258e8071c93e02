// Normalizations behind convolutions and products: folded along the right axis for every kind, rank
// and grouping, with the bias and without, and never where somebody else sees the value in between.
#include "tests/hazards/Harness.h"

namespace enfold::hazards {
namespace {

TEST(Fold, IntoEveryKindOfLinearOp) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    Net net;
    net.output(net.batchNorm("bn", linear.addTo(net, "linear")));
    const Outcome outcome = check(net.finish());
    EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "applied folded");
    EXPECT_EQ(outcome.numOps(), 1);
  }
}

TEST(Fold, StackedProductKeepsRowsApart) {
  // Channels of the normalization are the rows of each matrix, not the columns of the weights.
  Net net;
  net.output(net.batchNorm("bn", Linear{OpKind::MatMul, 3}.addTo(net, "matmul")));
  const Outcome outcome = check(net.finish());
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "refused other-axis");
  EXPECT_EQ(outcome.count(OpKind::MatMul), 1);
}

TEST(Fold, BiasPerRowIsNotPerChannel) {
  for (int64_t rows : {5, 6}) { // 6: as many rows as channels
    Net net;
    Value* x = net.input({rows, 8});
    Value* product = net.op(OpKind::Gemm, "gemm", {x, net.random({8, 6}), net.random({rows, 1})});
    net.output(net.batchNorm("bn", product));
    EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "refused other-axis");
  }
}

TEST(Fold, BroadcastBiasesOfProducts) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{6}, Shape{1, 6}, Shape{1, 1}})
    for (int64_t rows : {1, 4}) {
      SCOPED_TRACE(str(shape));
      Net net;
      Value* x = net.input({rows, 8});
      Value* product = net.op(OpKind::Gemm, "gemm", {x, net.random({8, 6}), net.random(shape)},
                              {{"beta", 0.0f}});
      net.output(net.batchNorm("bn", product));
      EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "applied folded");
    }
}

TEST(Fold, NotAcrossAnActivation) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    Net net;
    Value* y = net.op(OpKind::Relu, "relu", {linear.addTo(net, "linear")});
    net.output(net.batchNorm("bn", y));
    const Outcome outcome = check(net.finish());
    EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "refused not-after-conv");
    EXPECT_EQ(outcome.statusOf("expand-batchnorm", "bn"), "applied expanded");
    EXPECT_EQ(outcome.numOps(), 1); // all of it is the epilogue
  }
}

TEST(Fold, NotWhenTheConvolutionHasOtherReaders) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    Net net;
    Value* y = linear.addTo(net, "linear");
    net.output(net.op(OpKind::Relu, "first", {y}));
    net.output(net.batchNorm("bn", y));
    EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "refused conv-multi-use");
  }
}

TEST(Fold, RequestedOutputsStay) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    Net net;
    Value* y = linear.addTo(net, "linear");
    net.output(y);
    net.output(net.batchNorm("bn", y));
    const Outcome outcome = check(net.finish());
    EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "refused graph-output");
    EXPECT_EQ(outcome.graph().outputs().size(), 2u);
  }
}

TEST(Fold, SharedWeightsAreNotTouched) {
  for (OpKind kind : {OpKind::Conv, OpKind::ConvTranspose})
    for (int64_t group : {1, 2, 4, 8}) {
      const Linear linear{kind, 2, group};
      SCOPED_TRACE(linear.str());
      Net net;
      Value* first = linear.addTo(net, "first");
      Value* w = first->producer()->own(1);
      Value* x = net.input(first->producer()->own(0)->type());
      net.output(net.batchNorm("bn1", first));
      net.output(net.batchNorm("bn2", linear.addTo(net, "second", x, w)));
      net.output(linear.addTo(net, "third", x, w)); // as it was
      const Outcome outcome = check(net.finish());
      EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn1"), "applied folded");
      EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn2"), "applied folded");
    }
}

TEST(Fold, ParametersThatAreInputsOrComputed) {
  for (size_t which = 1; which <= 4; ++which)
    for (bool computed : {false, true}) {
      Net net;
      Value* y = Linear{}.addTo(net, "conv");
      const Shape channels = {y->shape()[1]};
      std::vector<Value*> operands = {y, net.random(channels), net.random(channels),
                                      net.random(channels), net.random(channels, 0.5, 2)};
      operands[which] = net.input(channels);
      if (which == 4 || computed) operands[which] = net.op(OpKind::Exp, "exp", {operands[which]});
      net.output(net.op(OpKind::BatchNormalization, "bn", std::move(operands)));
      const Outcome outcome = check(net.finish());
      EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "refused bn-not-constant");
      EXPECT_EQ(outcome.statusOf("expand-batchnorm", "bn"), "applied expanded-values");
    }
}

TEST(Fold, ComputedWeightsOrBias) {
  for (size_t which : {1, 2}) {
    Net net;
    Value* x = net.input({1, 4, 6, 6});
    std::vector<Value*> operands = {x, net.random({4, 4, 3, 3}), net.random({4})};
    operands[which] = net.input(operands[which]->type());
    net.output(net.batchNorm("bn", net.op(OpKind::Conv, "conv", std::move(operands))));
    EXPECT_EQ(check(net.finish()).statusOf("fold-batchnorm", "bn"), "refused weights-not-constant");
  }
}

TEST(Fold, NothingInBetweenThatDoesNothing) {
  const auto between = [](Net& net, int which, Value* y) -> Value* {
    const auto ints = [&](const std::vector<int64_t>& values) {
      return net.constant(
          Tensor::of({static_cast<int64_t>(values.size())}, std::span<const int64_t>(values)));
    };
    switch (which) {
    case 0:
      return net.op(OpKind::Identity, "between", {y});
    case 1:
      return net.op(OpKind::Dropout, "between", {y});
    case 2:
      return net.op(OpKind::Reshape, "between", {y, ints(y->shape())});
    case 3:
      return net.op(OpKind::Pad, "between", {y, ints(std::vector<int64_t>(2 * y->shape().size()))});
    case 4:
      return net.op(OpKind::Cast, "between", {y}, {{"to", ElemType::F32}});
    case 5:
      return net.op(OpKind::Transpose, "between", {y},
                    {{"perm", std::vector<int64_t>{0, 1, 2, 3}}});
    default:
      return net.op(OpKind::Concat, "between", {y}, {{"axis", int64_t{1}}});
    }
  };
  for (int which = 0; which <= 6; ++which) {
    SCOPED_TRACE(which);
    Net net;
    Value* y = Linear{}.addTo(net, "conv");
    net.output(net.batchNorm("bn", between(net, which, between(net, 0, y))));
    const Outcome outcome = check(net.finish());
    EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "applied folded");
    EXPECT_EQ(outcome.numOps(), 1);
  }
}

TEST(Fold, SomethingInBetweenThatDoesSomething) {
  Net net;
  Value* y = Linear{}.addTo(net, "conv");
  const std::vector<int64_t> pads = {0, 0, 0, 1, 0, 0, 0, 0};
  Value* amount = net.constant(Tensor::of({8}, std::span<const int64_t>(pads)));
  net.output(net.batchNorm("padded", net.op(OpKind::Pad, "pad", {y, amount})));
  Value* z = Linear{}.addTo(net, "conv2");
  Value* half = net.op(OpKind::Cast, "half", {z}, {{"to", ElemType::F64}});
  Value* back = net.op(OpKind::Cast, "back", {half}, {{"to", ElemType::F32}});
  net.output(net.batchNorm("cast", back));
  const Outcome outcome = check(net.finish());
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "padded"), "refused not-after-conv");
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "cast"), "refused not-after-conv");
}

TEST(Fold, ChainsOfConvolutions) {
  // conv, bn, conv, bn, bn: the last two are folded as one.
  for (int64_t dims : {1, 2, 3}) {
    Net net;
    const Linear linear{OpKind::Conv, dims, 2, true};
    Value* y = net.batchNorm("bn1", linear.addTo(net, "conv1"));
    Shape weights = {8, y->shape()[1]};
    for (int64_t i = 0; i < dims; ++i) weights.push_back(2);
    y = net.op(OpKind::Conv, "conv2", {y, net.random(weights)});
    net.output(net.batchNorm("bn3", net.batchNorm("bn2", y)));
    const Outcome outcome = check(net.finish());
    for (const char* name : {"bn1", "bn2", "bn3"})
      EXPECT_EQ(outcome.statusOf("fold-batchnorm", name), "applied folded");
    EXPECT_EQ(outcome.numOps(), 2);
    EXPECT_EQ(outcome.report.statistics.at("fold-batchnorm.applied"), 3);
  }
}

/// The result of a conv with its numbers in double, one channel of taps at a time.
double exactly(const Tensor& x, const Tensor& w, int64_t o, double scale, double shift) {
  double sum = 0;
  for (int64_t i = 0; i < x.numElements(); ++i)
    sum += x.asDouble(i) * (w.asDouble(o * x.numElements() + i) * scale);
  return sum + shift;
}

TEST(Fold, ErrorOfTheWeightsIsBelowTheCertifiedBound) {
  for (int round = 0; round < 20; ++round) {
    Net net;
    Value* x = net.input({1, 40, 1, 1});
    const Tensor w = randomTensor(ElemType::F32, {8, 40, 1, 1});
    Norm norm{randomTensor(ElemType::F32, {8}, 1e-3, 30), randomTensor(ElemType::F32, {8}, -5, 5),
              randomTensor(ElemType::F32, {8}, -5, 5), randomTensor(ElemType::F32, {8}, 1e-4, 9)};
    net.output(net.batchNorm("bn", net.op(OpKind::Conv, "conv", {x, net.constant(w)}), norm));
    const auto graph = net.finish();
    const Tensor input = randomInputs(*graph).front();
    auto pipeline = parsePipeline("fold-batchnorm");
    const auto report = runPipeline(*graph, *pipeline);
    ASSERT_TRUE(report.has_value());
    const auto& facts = report->remarks.remarks().front().facts.numbers;
    const Op& conv = *graph->outputs()[0]->producer();
    double largest = 0, error = 0;
    for (int64_t i = 0; i < 40; ++i) largest = std::max(largest, std::fabs(input.asDouble(i)));
    for (int64_t o = 0; o < 8; ++o) {
      const double scale =
          norm.scale->asDouble(o) / std::sqrt(norm.variance->asDouble(o) + double{norm.epsilon});
      const double shift = norm.bias->asDouble(o) - norm.mean->asDouble(o) * scale;
      const double folded =
          exactly(input, *conv.own(1)->constant(), o, 1, conv.own(2)->constant()->asDouble(o));
      error = std::max(error, std::fabs(folded - exactly(input, w, o, scale, shift)));
    }
    const double bound = facts.at("bound_per_input") * largest + facts.at("bound_constant");
    EXPECT_LE(error, bound);
    EXPECT_GT(error, bound / 1000); // a bound that says something
  }
}

} // namespace
} // namespace enfold::hazards
