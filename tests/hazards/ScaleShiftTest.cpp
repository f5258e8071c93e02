// Normalizations without a convolution in front, and arithmetic that is one in disguise: they
// become a step of whatever produces the tensor, or part of the convolution behind.
#include "tests/hazards/Harness.h"

namespace enfold::hazards {
namespace {

Value* perChannel(Net& net, int64_t channels, double low = 0.5, double high = 2) {
  return net.random({channels, 1, 1}, low, high);
}

TEST(ScaleShift, ArithmeticIsANormalization) {
  // As exporters write it out: ((y - mean) / deviation) * scale + bias.
  for (const Linear& linear : allLinear()) {
    if (linear.dims != 2) continue;
    SCOPED_TRACE(linear.str());
    Net net;
    Value* y = linear.addTo(net, "linear");
    const int64_t channels = y->shape()[1];
    const auto number = [&](double low, double high) {
      return linear.isProduct() ? net.random({channels}, low, high)
                                : perChannel(net, channels, low, high);
    };
    y = net.op(OpKind::Sub, "sub", {y, number(-1, 1)});
    y = net.op(OpKind::Div, "div", {y, number(0.5, 2)});
    y = net.op(OpKind::Mul, "mul", {number(0.5, 2), y});
    net.output(net.op(OpKind::Add, "add", {y, number(-1, 1)}));
    const Outcome outcome = check(net.finish());
    for (const char* name : {"sub", "div", "mul", "add"})
      EXPECT_EQ(outcome.statusOf("fold-batchnorm", name), "applied folded");
    EXPECT_EQ(outcome.numOps(), 1);
  }
}

TEST(ScaleShift, ConstantsOnTheLeft) {
  Net net;
  Value* y = Linear{}.addTo(net, "conv");
  y = net.op(OpKind::Sub, "from", {perChannel(net, 3), y});
  net.output(net.op(OpKind::Neg, "neg", {y}));
  const Outcome outcome = check(net.finish());
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "from"), "applied folded");
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "neg"), "applied folded");
}

TEST(ScaleShift, NotAlongOtherAxes) {
  Net net;
  Value* y = Linear{}.addTo(net, "conv"); // [2,3,5,4]
  net.output(net.op(OpKind::Mul, "columns", {y, net.random({4})}));
  y = Linear{}.addTo(net, "conv2");
  net.output(net.op(OpKind::Add, "images", {y, net.random({2, 1, 1, 1})}));
  y = Linear{}.addTo(net, "conv3");
  net.output(net.op(OpKind::Div, "divided", {perChannel(net, 3), y}));
  y = Linear{}.addTo(net, "conv4");
  net.output(net.op(OpKind::Mul, "larger", {y, net.random({2, 1, 3, 1, 1})}));
  const Outcome outcome = check(net.finish());
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "columns"), "refused other-axis");
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "images"), "refused other-axis");
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "divided"), "");
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "larger"), "refused shape-grows");
}

TEST(ScaleShift, BehindWhateverProducesTheTensor) {
  using Make = Value* (*)(Net&);
  const std::pair<const char*, Make> producers[] = {
      {"input", [](Net& net) { return net.input({2, 6, 5, 5}); }},
      {"concat",
       [](Net& net) {
         return net.op(OpKind::Concat, "p", {net.input({2, 2, 5, 5}), net.input({2, 4, 5, 5})},
                       {{"axis", int64_t{1}}});
       }},
      {"add",
       [](Net& net) {
         return net.op(OpKind::Add, "p", {net.input({2, 6, 5, 5}), net.input({2, 6, 5, 5})});
       }},
      {"max_pool",
       [](Net& net) {
         return net.op(OpKind::MaxPool, "p", {net.input({2, 6, 5, 5})},
                       {{"kernel_shape", std::vector<int64_t>{2, 2}}});
       }},
      {"matmul", [](Net& net) { return Linear{OpKind::MatMul, 3}.addTo(net, "p"); }},
  };
  for (const auto& [name, make] : producers) {
    SCOPED_TRACE(name);
    Net net;
    net.output(net.op(OpKind::Relu, "relu", {net.batchNorm("bn", make(net))}));
    const Outcome outcome = check(net.finish());
    EXPECT_EQ(outcome.statusOf("expand-batchnorm", "bn"), "applied expanded");
    // What is left is the producer, if it computes, and at most one elementwise kernel.
    EXPECT_LE(outcome.numOps(), 2);
  }
}

TEST(ScaleShift, VectorsAndMatrices) {
  for (const Shape& shape : {Shape{7}, Shape{3, 5}, Shape{2, 3, 4}, Shape{2, 3, 2, 2, 2}}) {
    SCOPED_TRACE(str(shape));
    Net net;
    net.output(net.batchNorm("bn", net.input(shape)));
    EXPECT_EQ(check(net.finish()).statusOf("expand-batchnorm", "bn"), "applied expanded");
  }
}

TEST(ScaleShift, LargeMeansDoNotCancel) {
  Net net;
  Norm norm;
  norm.mean = numbers(ElemType::F32, {3}, {1e4, -1e4, 3});
  Value* x = net.input({1, 3, 8, 8});
  Value* far = net.op(OpKind::Add, "far",
                      {x, net.constant(numbers(ElemType::F32, {3, 1, 1}, {1e4, -1e4, 3}))});
  net.output(far);
  net.output(net.batchNorm("bn", far, norm));
  EXPECT_EQ(check(net.finish()).statusOf("expand-batchnorm", "bn"), "applied expanded");
}

TEST(ScaleShift, ForwardIntoEveryKindOfLinearOp) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    // With padding or spreading by zeros only a scale goes forward.
    const bool zeros = linear.kind == OpKind::ConvTranspose || !linear.pads.empty();
    for (bool shift : {false, true}) {
      Net net;
      Value* plain = linear.addTo(net, "shape only");
      const Type type = plain->producer()->own(0)->type();
      net.output(plain);
      Value* x = net.input(type);
      const int64_t channels = type.shape[1];
      Norm norm;
      if (!shift) norm.bias = norm.mean = Tensor(ElemType::F32, {channels});
      Value* scaled = net.batchNorm("bn", net.op(OpKind::Relu, "relu", {x}), norm);
      net.output(linear.addTo(net, "linear", scaled));
      const Outcome outcome = check(net.finish());
      EXPECT_EQ(outcome.statusOf("fold-forward", "bn"),
                zeros && shift ? "refused padding" : "applied folded");
    }
  }
}

TEST(ScaleShift, PreprocessingGoesIntoTheFirstConvolution) {
  Net net;
  Value* x = net.input({1, 3, 9, 9});
  x = net.op(OpKind::Sub, "mean", {x, perChannel(net, 3)});
  x = net.op(OpKind::Div, "deviation", {x, perChannel(net, 3)});
  net.output(net.op(OpKind::Conv, "conv", {x, net.random({4, 3, 3, 3})}));
  EXPECT_EQ(check(net.finish()).numOps(), 1);
  // With padding only the division does.
  Net padded;
  x = padded.input({1, 3, 9, 9});
  x = padded.op(OpKind::Sub, "mean", {x, perChannel(padded, 3)});
  x = padded.op(OpKind::Div, "deviation", {x, perChannel(padded, 3)});
  padded.output(padded.op(OpKind::Conv, "conv", {x, padded.random({4, 3, 3, 3})},
                          {{"pads", std::vector<int64_t>{1, 1, 1, 1}}}));
  const Outcome outcome = check(padded.finish());
  EXPECT_EQ(outcome.statusOf("fold-forward", "deviation"), "applied folded");
  EXPECT_EQ(outcome.numOps(), 2);
}

TEST(ScaleShift, NotForwardWhenOthersReadIt) {
  Net net;
  Value* y = net.batchNorm("bn", net.input({1, 4, 6, 6}));
  net.output(net.op(OpKind::Conv, "conv", {y, net.random({4, 4, 3, 3})}));
  net.output(net.op(OpKind::Relu, "relu", {y}));
  EXPECT_EQ(check(net.finish()).statusOf("fold-forward", "bn"), "refused result-multi-use");
  Net output;
  y = output.batchNorm("bn", output.input({1, 4, 6, 6}));
  output.output(output.op(OpKind::Conv, "conv", {y, output.random({4, 4, 3, 3})}));
  output.output(y);
  EXPECT_EQ(check(output.finish()).statusOf("fold-forward", "bn"), "refused graph-output");
}

TEST(ScaleShift, DenseAndPreactivationBlocks) {
  Net net;
  Value* x = net.input({1, 8, 7, 7});
  const auto layer = [&](const std::string& name, Value* in, int64_t out) {
    Value* y = net.op(OpKind::Relu, name + ".relu", {net.batchNorm(name + ".bn", in)});
    return net.op(OpKind::Conv, name + ".conv", {y, net.random({out, in->shape()[1], 3, 3})},
                  {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  };
  Value* dense =
      net.op(OpKind::Concat, "concat", {x, layer("dense", x, 4)}, {{"axis", int64_t{1}}});
  Value* branch = layer("branch", dense, 12);
  Value* sum = net.op(OpKind::Add, "sum", {dense, branch});
  net.output(layer("last", sum, 3));
  const Outcome outcome = check(net.finish());
  for (const char* name : {"dense.bn", "branch.bn", "last.bn"})
    EXPECT_EQ(outcome.statusOf("expand-batchnorm", name), "applied expanded");
}

} // namespace
} // namespace enfold::hazards
