// Bounds of magnitudes against the numbers that the reference computes from the ends of all codes.
#include "passes/Magnitude.h"

#include "fuzz/Random.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace enfold {
namespace {

using fuzz::Random;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Tensors of 1x4x4x4 that are computed from one of codes, with scales, constants and attributes
/// from next to nothing to infinity.
class Computed {
public:
  explicit Computed(uint64_t seed) : random(seed) {
    Value* codes = graph.addInput("x", {elem(), {1, 4, 4, 4}, {}});
    Tensor scale(ElemType::F32, {}), zero(codes->elem(), {});
    scale.setDouble(0, random.chance(50) ? 0.05 : std::exp2(random.uniform(-20, 90)));
    zero.setDouble(0, random.pick({0.0, 1.0, 100.0}));
    values.push_back(make(OpKind::DequantizeLinear,
                          {codes, graph.constant(scale, "s"), graph.constant(zero, "z")}));
    for (int64_t i = random.in(1, 6); i > 0; --i) values.push_back(next());
    graph.addOutput(values.back(), "y");
  }

  Tensor extremeCodes() {
    const Value& x = *graph.inputs()[0];
    Tensor codes(x.elem(), x.shape());
    const bool isSigned = x.elem() == ElemType::I8;
    const double least = isSigned ? -128 : 0;
    for (int64_t i = 0; i < codes.numElements(); ++i)
      codes.setDouble(i, random.pick({least, least + 255, least + 128}));
    return codes;
  }

  Random random;
  Graph graph;

private:
  ElemType elem() { return random.pick({ElemType::I8, ElemType::U8}); }
  Value* any() { return random.pick(values); }
  float huge() {
    return random.chance(80) ? 2.5f : random.pick({1e30f, 3e38f, -3e38f, 0x1p99f, 0x1p127f});
  }
  Value* constant(const Shape& shape) {
    Tensor tensor(ElemType::F32, shape);
    const bool odd = random.chance(20);
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.setDouble(i, odd && random.chance(10)
                              ? random.pick({0.0, 1e30, -3e38, 0x1p99, kInfinity, std::nan("")})
                              : random.uniform(-2, 2));
    return graph.constant(tensor, "c");
  }
  Value* optional(const Shape& shape) { return random.chance(50) ? constant(shape) : nullptr; }
  Value* make(OpKind kind, std::vector<Value*> operands, AttrMap attrs = {}) {
    const auto op =
        graph.create({.kind = kind, .operands = std::move(operands), .attrs = std::move(attrs)});
    EXPECT_TRUE(op) << op.error().str();
    return (*op)->result();
  }
  Value* reshaped(Value* value, const Shape& shape) {
    Tensor sizes(ElemType::I64, {std::ssize(shape)});
    for (size_t i = 0; i < shape.size(); ++i)
      sizes.setDouble(static_cast<int64_t>(i), static_cast<double>(shape[i]));
    return make(OpKind::Reshape, {value, graph.constant(sizes, "sizes")});
  }
  Value* next();

  std::vector<Value*> values;
};

Value* Computed::next() {
  const std::vector<int64_t> window{3, 3}, pads{1, 1, 1, 1};
  switch (random.below(14)) {
  case 0:
    return make(random.pick({OpKind::Add, OpKind::Sub, OpKind::Mul}), {any(), any()});
  case 1:
    return make(random.pick({OpKind::Add, OpKind::Sub, OpKind::Mul}), {any(), constant({4, 1, 1})});
  case 2:
  case 3:
    return make(random.pick({OpKind::Conv, OpKind::ConvTranspose}),
                {any(), constant({4, 2, 3, 3}), optional({4})},
                {{"group", int64_t{2}}, {"pads", pads}});
  case 4:
    return make(OpKind::MatMul, {any(), random.chance(50) ? any() : constant({4, 4})});
  case 5: {
    Value* product = make(OpKind::Gemm, {reshaped(any(), {16, 4}), constant({4, 4}), optional({4})},
                          {{"alpha", huge()}, {"beta", huge()}, {"transB", random.in(0, 1)}});
    return reshaped(product, {1, 4, 4, 4});
  }
  case 6:
    return make(random.pick({OpKind::AveragePool, OpKind::MaxPool}), {any()},
                {{"kernel_shape", window}, {"pads", pads}});
  case 7:
    return make(OpKind::HardSigmoid, {any()}, {{"alpha", huge()}, {"beta", huge()}});
  case 8:
    return make(OpKind::LeakyRelu, {any()}, {{"alpha", huge()}});
  case 9:
    return make(OpKind::Clip, {any(), optional({}), optional({})});
  case 10:
    return make(OpKind::Mul, {make(OpKind::GlobalAveragePool, {any()}), any()});
  case 11:
    return make(OpKind::Transpose, {any()}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
  default:
    return make(random.pick({OpKind::Relu, OpKind::Sigmoid, OpKind::Tanh, OpKind::HardSwish,
                             OpKind::Exp, OpKind::Neg, OpKind::Reciprocal}),
                {any()});
  }
}

TEST(Magnitudes, NumbersAreFiniteAndWithinTheirBounds) {
  int known = 0, unknown = 0, beyond = 0, close = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Computed net(seed);
    const Magnitudes magnitudes(net.graph);
    const std::vector<Tensor> inputs{net.extremeCodes()};
    const auto outputs =
        reference::run(net.graph, inputs, [&](const Value& value, const Tensor& tensor) {
          if (value.elem() != ElemType::F32 || value.constant()) return;
          const auto bound = magnitudes.boundOf(&value);
          ++(bound ? known : unknown);
          for (int64_t i = 0; i < tensor.numElements(); ++i) {
            const double number = std::abs(tensor.asDouble(i));
            beyond += !std::isfinite(number);
            if (!bound) continue;
            close += number > 0.99 * *bound;
            ASSERT_LE(number, *bound) << "seed " << seed << ", %" << value.name();
          }
        });
    ASSERT_TRUE(outputs) << outputs.error().str();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(known, 3000);
  EXPECT_GT(unknown, 300);
  EXPECT_GT(beyond, 300) << "numbers that are not finite";
  EXPECT_GT(close, 1000) << "bounds that are as low as they can be";
}

} // namespace
} // namespace enfold
