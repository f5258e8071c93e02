// Reference functions on cases small enough to compute by hand. Everything else is compared with
// the reference, so what it means is pinned down here, apart from any other implementation.
#include "ir/Builder.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <cmath>

namespace enfold {
namespace {

Tensor f32(Shape shape, std::initializer_list<float> values) {
  return Tensor::of<float>(std::move(shape), values);
}

Tensor i64(std::initializer_list<int64_t> values) {
  return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

/// 1, 2, 3, … in that shape.
Tensor counting(const Shape& shape) {
  Tensor tensor(ElemType::F32, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, static_cast<double>(i + 1));
  return tensor;
}

AttrValue ints(std::vector<int64_t> values) { return values; }
AttrValue text(const char* value) { return std::string(value); }
constexpr auto integer = [](int64_t value) -> AttrValue { return value; };

struct Case {
  std::string name;
  OpKind kind;
  std::vector<Tensor> operands;
  AttrMap attrs;
  Tensor expected;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

/// i64 operands are constants, from which shapes are inferred; the others are inputs.
Result<Tensor> evaluate(const Case& c) {
  GraphBuilder g("test");
  std::vector<Value*> operands;
  std::vector<Tensor> inputs;
  for (const Tensor& tensor : c.operands) {
    if (tensor.elem() == ElemType::I64) {
      operands.push_back(g.constant("c", tensor));
      continue;
    }
    operands.push_back(g.input("x", tensor.type()));
    inputs.push_back(tensor);
  }
  ENFOLD_TRY(const auto graph, g.finish(g.op(c.kind, "op", operands, c.attrs), "y"));
  ENFOLD_TRY(const std::vector<Tensor> outputs, reference::run(*graph, inputs));
  return outputs.front();
}

class HandComputed : public testing::TestWithParam<Case> {};

TEST_P(HandComputed, IsRight) {
  const Case& c = GetParam();
  const auto answer = evaluate(c);
  ASSERT_TRUE(answer) << answer.error().str();
  ASSERT_EQ(answer->type().str(), c.expected.type().str());
  for (int64_t i = 0; i < c.expected.numElements(); ++i)
    EXPECT_NEAR(answer->asDouble(i), c.expected.asDouble(i), 1e-5) << "element " << i;
}

std::vector<Case> windows() {
  const Tensor row = f32({1, 1, 5}, {1, 2, 3, 4, 5});
  const Tensor square = counting({1, 1, 3, 3});
  return {
      {"Conv", OpKind::Conv, {row, f32({1, 1, 2}, {1, 10})}, {}, f32({1, 1, 4}, {21, 32, 43, 54})},
      {"ConvPadsAreZerosBeforeAndBehind",
       OpKind::Conv,
       {row, f32({1, 1, 2}, {1, 10})},
       {{"pads", ints({2, 1})}},
       f32({1, 1, 7}, {0, 10, 21, 32, 43, 54, 5})},
      {"ConvStridesAndDilations",
       OpKind::Conv,
       {row, f32({1, 1, 2}, {1, 10}), f32({1}, {100})},
       {{"strides", ints({2})}, {"dilations", ints({2})}},
       f32({1, 1, 2}, {131, 153})},
      {"ConvGroups",
       OpKind::Conv,
       {f32({1, 4, 1}, {1, 2, 3, 4}), f32({2, 2, 1}, {1, 1, 1, -1})},
       {{"group", integer(2)}},
       f32({1, 2, 1}, {3, -1})},
      {"ConvIsNoFlippedWindow",
       OpKind::Conv,
       {square, f32({1, 1, 2, 2}, {1, 0, 0, 10})},
       {},
       f32({1, 1, 2, 2}, {51, 62, 84, 95})},
      {"ConvTranspose",
       OpKind::ConvTranspose,
       {f32({1, 1, 2}, {1, 2}), f32({1, 1, 3}, {1, 10, 100})},
       {{"strides", ints({2})}},
       f32({1, 1, 5}, {1, 10, 102, 20, 200})},
      {"ConvTransposeCroppedAndExtended",
       OpKind::ConvTranspose,
       {f32({1, 1, 2}, {1, 2}), f32({1, 1, 3}, {1, 10, 100})},
       {{"strides", ints({2})}, {"pads", ints({1, 0})}, {"output_padding", ints({1})}},
       f32({1, 1, 5}, {10, 102, 20, 200, 0})},
      {"MaxPool",
       OpKind::MaxPool,
       {f32({1, 1, 5}, {-3, -1, -2, -5, -4})},
       {{"kernel_shape", ints({3})}, {"strides", ints({2})}, {"pads", ints({1, 0})}},
       f32({1, 1, 2}, {-1, -1})},
      {"MaxPoolCeil",
       OpKind::MaxPool,
       {row},
       {{"kernel_shape", ints({2})}, {"strides", ints({2})}, {"ceil_mode", integer(1)}},
       f32({1, 1, 3}, {2, 4, 5})},
      {"AveragePoolCountsWhatIsThere",
       OpKind::AveragePool,
       {row},
       {{"kernel_shape", ints({3})}, {"strides", ints({2})}, {"pads", ints({1, 1})}},
       f32({1, 1, 3}, {1.5, 3, 4.5})},
      {"AveragePoolCountsPads",
       OpKind::AveragePool,
       {row},
       {{"kernel_shape", ints({3})},
        {"strides", ints({2})},
        {"pads", ints({1, 1})},
        {"count_include_pad", integer(1)}},
       f32({1, 1, 3}, {1, 3, 3})},
      {"GlobalAveragePool", OpKind::GlobalAveragePool, {square}, {}, f32({1, 1, 1, 1}, {5})},
  };
}

std::vector<Case> normalizations() {
  const Tensor x = f32({1, 2, 2}, {1, 3, 10, 14});
  const Tensor scale = f32({2}, {2, 1}), shift = f32({2}, {0, 100});
  const AttrMap exact = {{"epsilon", 0.0f}};
  return {
      {"BatchNorm",
       OpKind::BatchNormalization,
       {x, scale, shift, f32({2}, {1, 10}), f32({2}, {4, 16})},
       exact,
       f32({1, 2, 2}, {0, 2, 100, 101})},
      {"BatchNormEpsilonIsUnderTheRoot",
       OpKind::BatchNormalization,
       {x, scale, shift, f32({2}, {1, 10}), f32({2}, {3, 15})},
       {{"epsilon", 1.0f}},
       f32({1, 2, 2}, {0, 2, 100, 101})},
      {"InstanceNorm",
       OpKind::InstanceNormalization,
       {x, scale, shift},
       exact,
       f32({1, 2, 2}, {-2, 2, 99, 101})},
      {"LayerNorm",
       OpKind::LayerNormalization,
       {x, f32({2}, {1, 2}), f32({2}, {0, 1})},
       exact,
       f32({1, 2, 2}, {-1, 3, -1, 3})},
      {"Softmax",
       OpKind::Softmax,
       {f32({1, 2}, {1000, 1000 + std::log(3.0f)})},
       {},
       f32({1, 2}, {0.25, 0.75})},
      {"LogSoftmaxOfTheFirstAxis",
       OpKind::LogSoftmax,
       {f32({2, 1}, {5, 5})},
       {{"axis", integer(0)}},
       f32({2, 1}, {-std::log(2.0f), -std::log(2.0f)})},
  };
}

std::vector<Case> products() {
  const Tensor a = f32({2, 2}, {1, 2, 3, 4}), b = f32({2, 2}, {5, 6, 7, 8});
  return {
      {"MatMul", OpKind::MatMul, {a, b}, {}, f32({2, 2}, {19, 22, 43, 50})},
      {"MatMulBroadcastsBatches",
       OpKind::MatMul,
       {f32({2, 1, 2}, {1, 0, 0, 1}), a},
       {},
       f32({2, 1, 2}, {1, 2, 3, 4})},
      {"Gemm",
       OpKind::Gemm,
       {a, b, f32({2}, {10, 20})},
       {{"transA", integer(1)}, {"alpha", 2.0f}, {"beta", 0.5f}},
       f32({2, 2}, {57, 70, 81, 98})},
      {"ReduceMeanOfSomeAxes",
       OpKind::ReduceMean,
       {counting({2, 3}), i64({1})},
       {{"keepdims", integer(0)}},
       f32({2}, {2, 5})},
      {"ReduceL2", OpKind::ReduceL2, {f32({2}, {3, -4}), i64({0})}, {}, f32({1}, {5})},
      {"CumSumExclusiveReverse",
       OpKind::CumSum,
       {f32({3}, {1, 2, 3}), Tensor::scalar<int64_t>(0)},
       {{"exclusive", integer(1)}, {"reverse", integer(1)}},
       f32({3}, {5, 3, 0})},
  };
}

std::vector<Case> movements() {
  const Tensor x = f32({3}, {1, 2, 3}), depth = counting({1, 8, 1, 1});
  return {
      {"SliceBackward",
       OpKind::Slice,
       {x, i64({-1}), i64({INT64_MIN}), i64({0}), i64({-2})},
       {},
       f32({2}, {3, 1})},
      {"PadReflect",
       OpKind::Pad,
       {x, i64({2, 1})},
       {{"mode", text("reflect")}},
       f32({6}, {3, 2, 1, 2, 3, 2})},
      {"PadWrapsWhatIsLeft",
       OpKind::Pad,
       {x, i64({1, -1})},
       {{"mode", text("wrap")}},
       f32({3}, {2, 1, 2})},
      {"PadEdge",
       OpKind::Pad,
       {x, i64({2, 1})},
       {{"mode", text("edge")}},
       f32({6}, {1, 1, 1, 2, 3, 3})},
      {"PadCrops", OpKind::Pad, {x, i64({-1, 2})}, {}, f32({4}, {2, 3, 0, 0})},
      {"DepthToSpaceByRows",
       OpKind::DepthToSpace,
       {depth},
       {{"blocksize", integer(2)}},
       f32({1, 2, 2, 2}, {1, 3, 5, 7, 2, 4, 6, 8})},
      {"DepthToSpaceByColumns",
       OpKind::DepthToSpace,
       {depth},
       {{"blocksize", integer(2)}, {"mode", text("CRD")}},
       f32({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})},
      {"GatherFromTheEnd", OpKind::Gather, {x, i64({-1, 0})}, {}, f32({2}, {3, 1})},
      {"Tile", OpKind::Tile, {x, i64({2})}, {}, f32({6}, {1, 2, 3, 1, 2, 3})},
      {"Transpose", OpKind::Transpose, {counting({2, 3})}, {}, f32({3, 2}, {1, 4, 2, 5, 3, 6})},
  };
}

std::vector<Case> pointwise() {
  const Tensor x = f32({4}, {-2.5, -0.5, 0.5, 1.5});
  const auto i32 = [](std::initializer_list<int32_t> values) {
    return Tensor::of<int32_t>({static_cast<int64_t>(values.size())}, values);
  };
  return {
      {"RoundToEven", OpKind::Round, {x}, {}, f32({4}, {-2, 0, 0, 2})},
      {"DivTruncates", OpKind::Div, {i32({-7, 7}), i32({2, -2})}, {}, i32({-3, -3})},
      {"ModTakesTheDivisorsSign", OpKind::Mod, {i32({-7, 7}), i32({3, -3})}, {}, i32({2, -2})},
      {"FmodTakesTheDividendsSign",
       OpKind::Mod,
       {i32({-7, 7}), i32({3, -3})},
       {{"fmod", integer(1)}},
       i32({-1, 1})},
      {"LeakyRelu", OpKind::LeakyRelu, {x}, {{"alpha", 0.1f}}, f32({4}, {-0.25, -0.05, 0.5, 1.5})},
      {"PReluPerChannel",
       OpKind::PRelu,
       {f32({1, 2, 1}, {-1, -1}), f32({2, 1}, {0.5, 2})},
       {},
       f32({1, 2, 1}, {-0.5, -2})},
      {"HardSigmoid", OpKind::HardSigmoid, {x}, {}, f32({4}, {0, 0.4, 0.6, 0.8})},
      {"HardSwish", OpKind::HardSwish, {f32({3}, {-4, 3, 1})}, {}, f32({3}, {0, 3, 1.0f * 4 / 6})},
      {"ShrinkOfIntegersIsCutTowardsZero",
       OpKind::Shrink,
       {Tensor::of<int32_t>({5}, {-4, -1, 0, 1, 8})},
       {{"bias", 0.5f}, {"lambd", 0.0f}},
       Tensor::of<int32_t>({5}, {-3, 0, 0, 0, 7})},
      {"ShrinkOfLargeUnsignedIntegers",
       OpKind::Shrink,
       {Tensor::of<uint64_t>({2}, {UINT64_MAX, 1})},
       {{"bias", 1.0f}},
       Tensor::of<uint64_t>({2}, {UINT64_MAX - 1, 0})},
      {"ShrinkOfNanIsZero", OpKind::Shrink, {f32({3}, {NAN, 2, -2})}, {}, f32({3}, {0, 2, -2})},
      {"ThresholdedReluOfNanIsZero",
       OpKind::ThresholdedRelu,
       {f32({3}, {NAN, 2, 1})},
       {},
       f32({3}, {0, 2, 0})},
      {"BroadcastBothWays",
       OpKind::Sub,
       {f32({2, 1}, {10, 20}), f32({3}, {1, 2, 3})},
       {},
       f32({2, 3}, {9, 8, 7, 19, 18, 17})},
  };
}

constexpr auto nameOf = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Window, HandComputed, testing::ValuesIn(windows()), nameOf);
INSTANTIATE_TEST_SUITE_P(Normalization, HandComputed, testing::ValuesIn(normalizations()), nameOf);
INSTANTIATE_TEST_SUITE_P(Product, HandComputed, testing::ValuesIn(products()), nameOf);
INSTANTIATE_TEST_SUITE_P(Movement, HandComputed, testing::ValuesIn(movements()), nameOf);
INSTANTIATE_TEST_SUITE_P(Pointwise, HandComputed, testing::ValuesIn(pointwise()), nameOf);

} // namespace
} // namespace enfold
