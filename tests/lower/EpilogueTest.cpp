// Every elementwise tail behind every kernel that takes one: fused, and right.
#include "Window.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

/// The shape of one number a channel that broadcasts to `y`.
Shape perChannel(const Value* y) {
  const Shape& shape = y->shape();
  if (shape.size() < 3) return {shape.back()};
  Shape result(shape.size() - 1, 1);
  result[0] = shape[1];
  return result;
}

/// The shape of `y` with the dimensions in [begin, end) one.
Shape flatIn(const Value* y, size_t begin, size_t end) {
  Shape shape = y->shape();
  for (size_t i = begin; i < std::min(end, shape.size()); ++i) shape[i] = 1;
  return shape;
}

struct Tail {
  std::string name;
  std::function<Value*(GraphBuilder& g, Value* y)> build;
};

Tail activation(OpKind kind, const AttrMap& attrs = {}) {
  return {info(kind).name,
          [=](GraphBuilder& g, Value* y) { return g.op(kind, "tail", {y}, attrs); }};
}

std::vector<Tail> tails() {
  std::vector<Tail> all = {
      activation(OpKind::Relu),
      activation(OpKind::LeakyRelu, {{"alpha", 0.3f}}),
      activation(OpKind::Elu),
      activation(OpKind::Selu),
      activation(OpKind::Celu, {{"alpha", 0.5f}}),
      activation(OpKind::Sigmoid),
      activation(OpKind::HardSigmoid),
      activation(OpKind::HardSwish),
      activation(OpKind::Swish),
      activation(OpKind::Mish),
      activation(OpKind::Gelu),
      activation(OpKind::Gelu, {{"approximate", std::string("tanh")}}),
      activation(OpKind::Tanh),
      activation(OpKind::Softplus),
      activation(OpKind::ThresholdedRelu, {{"alpha", 0.2f}}),
  };
  const auto add = [&](const char* name, auto build) { all.push_back({name, build}); };
  add("clip", [](GraphBuilder& g, Value* y) { return g.clip("tail", y, -0.25f, 0.5f); });
  add("clip from above", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Clip, "tail", {y, nullptr, g.constant("max", Tensor::scalar(0.5f))});
  });
  add("per channel and pixel", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Sub, "tail", {g.input("map", f32(flatIn(y, 0, 1))), y});
  });
  add("per channel and column", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Add, "tail",
                {y, g.uniform("map", flatIn(y, 2, y->shape().size() - 1), -1, 1)});
  });
  add("prelu", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::PRelu, "tail", {y, g.uniform("slope", perChannel(y), 0, 0.5)});
  });
  add("scale and shift", [](GraphBuilder& g, Value* y) {
    Value* scaled = g.op(OpKind::Mul, "mul", {y, g.uniform("scale", perChannel(y), 0.5, 2)});
    return g.op(OpKind::Add, "add", {scaled, g.uniform("shift", perChannel(y), -1, 1)});
  });
  add("residual and relu", [](GraphBuilder& g, Value* y) {
    Value* sum = g.op(OpKind::Add, "add", {y, g.input("r", y->type())});
    return g.op(OpKind::Relu, "relu", {sum});
  });
  add("subtracted from an input", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Sub, "tail", {g.input("r", y->type()), y});
  });
  add("one divided by", [](GraphBuilder& g, Value* y) {
    Value* square = g.op(OpKind::Add, "above",
                         {g.op(OpKind::Abs, "abs", {y}), g.constant("half", Tensor::scalar(0.5f))});
    return g.op(OpKind::Div, "tail", {g.constant("one", Tensor::scalar(1.0f)), square});
  });
  add("per image and channel", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Mul, "tail", {y, g.input("gate", f32(flatIn(y, 2, 9)))});
  });
  add("per pixel", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Mul, "tail", {g.input("mask", f32(flatIn(y, 0, 2))), y});
  });
  add("per image", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Max, "tail", {y, g.input("least", f32(flatIn(y, 1, 9)))});
  });
  add("one number of an input", [](GraphBuilder& g, Value* y) {
    return g.op(OpKind::Mul, "tail", {y, g.input("factor", f32({1}))});
  });
  add("three in a chain", [](GraphBuilder& g, Value* y) {
    Value* sum =
        g.op(OpKind::Add, "sum", {g.op(OpKind::Tanh, "tanh", {y}), g.input("r", y->type())});
    Value* product = g.op(OpKind::Mul, "mul", {g.input("s", f32(flatIn(y, 2, 9))), sum});
    return g.op(OpKind::Sum, "tail", {product, g.input("t", y->type()), g.input("u", f32({1}))});
  });
  return all;
}

struct Host {
  const char* name; ///< of the algorithm
  std::function<Value*(GraphBuilder& g)> build;
};

void PrintTo(const Host& host, std::ostream* out) { *out << host.name; }

std::vector<Host> hosts() {
  const auto conv = [](GraphBuilder& g, Value* x, int64_t channels, int64_t groups) {
    return g.op(OpKind::Conv, "conv",
                {x, g.uniform("weight", {channels, x->shape()[1] / groups, 3, 3}, -0.3, 0.3),
                 g.uniform("bias", {channels}, -1, 1)},
                {{"group", groups}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  };
  const auto window = [](OpKind kind) {
    return [=](GraphBuilder& g) {
      return g.op(kind, "pool", {blockedInput(g, 2, 12, {6, 5})},
                  {{"kernel_shape", std::vector<int64_t>{2, 3}}});
    };
  };
  const auto rows = [](OpKind kind) {
    return [=](GraphBuilder& g) { return g.op(kind, "host", {g.input("x", f32({2, 5, 19}))}); };
  };
  return {
      {"conv_direct",
       [=](GraphBuilder& g) { return conv(g, g.input("x", f32({2, 5, 4, 9})), 19, 1); }},
      {"conv_depthwise",
       [=](GraphBuilder& g) { return conv(g, g.input("x", f32({2, 19, 4, 9})), 19, 19); }},
      {"pool_blocked", window(OpKind::MaxPool)},
      {"pool_blocked", window(OpKind::AveragePool)},
      {"global_pool_blocked",
       [](GraphBuilder& g) {
         return g.op(OpKind::GlobalAveragePool, "pool", {blockedInput(g, 2, 12, {6, 5})});
       }},
      {"gemm",
       [](GraphBuilder& g) {
         return g.op(OpKind::Gemm, "gemm",
                     {g.input("x", f32({3, 7})), g.uniform("weight", {7, 21}, -0.5, 0.5)});
       }},
      {"gemm",
       [](GraphBuilder& g) {
         return g.op(OpKind::MatMul, "matmul",
                     {g.input("x", f32({2, 3, 7})), g.input("w", f32({2, 7, 21}))});
       }},
      {"softmax_rows", rows(OpKind::Softmax)},
  };
}

class Epilogue : public testing::TestWithParam<Host> {};

TEST_P(Epilogue, TakesEveryTail) {
  for (const Tail& tail : tails()) {
    SCOPED_TRACE(tail.name);
    const auto algorithms =
        expectCompiledAgrees([&](GraphBuilder& g) { return tail.build(g, GetParam().build(g)); });
    EXPECT_TRUE(uses(algorithms, GetParam().name));
    EXPECT_FALSE(uses(algorithms, "pointwise")) << "it is not fused";
  }
}

INSTANTIATE_TEST_SUITE_P(Hosts, Epilogue, testing::ValuesIn(hosts()), [](const auto& info) {
  return std::string(info.param.name) + "_" + std::to_string(info.index);
});

TEST(Epilogues, OperandsReadTwiceOrElsewhereAreNotLost) {
  const auto conv = [](GraphBuilder& g) { return blockedInput(g, 2, 11, {5, 7}); };
  expectCompiledAgrees([&](GraphBuilder& g) {
    Value* y = conv(g);
    return g.op(OpKind::Mul, "square", {y, y});
  });
  expectCompiledAgrees([&](GraphBuilder& g) {
    Value* y = conv(g);
    Value* gate = g.op(OpKind::Tanh, "tanh", {y});
    return g.op(OpKind::Sub, "sub", {g.op(OpKind::Mul, "mul", {gate, y}), gate});
  });
  expectCompiledAgrees([&](GraphBuilder& g) {
    Value *a = blockedInput(g, 2, 11, {5, 7}, "a"), *b = blockedInput(g, 2, 11, {5, 7}, "b");
    Value* sum = g.op(OpKind::Add, "sum", {a, b});
    return g.op(OpKind::Add, "again", {g.op(OpKind::Relu, "relu", {sum}), a});
  });
}

/// Sums and products of halves are exact in f32 but for the rounding to a half, so that the answer
/// is known to the bit if every step rounds.
TEST(Epilogues, FusedHalvesKeepTheBitsOfUnfusedOnes) {
  for (const ElemType elem : {ElemType::F16, ElemType::BF16}) {
    const auto algorithms = expectCompiledAgrees(
        [&](GraphBuilder& g) {
          const Type type{elem, {3, 37}, {}};
          Value *a = g.input("a", type), *b = g.input("b", type), *c = g.input("c", type);
          Value* product = g.op(OpKind::Mul, "product", {a, b});
          Value* sum = g.op(OpKind::Add, "sum", {product, c});
          return g.op(OpKind::Mul, "scaled", {sum, b});
        },
        {.tolerance = {.rtol = 0, .atol = 0}});
    EXPECT_EQ(algorithms.size(), 1u) << "it is not fused";
  }
}

} // namespace
} // namespace enfold
