// Reductions, global pools and softmax against the reference.
#include "Differential.h"
#include "codegen/TargetInfo.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold {
namespace {

Value* reduce(GraphBuilder& g, OpKind kind, Value* x, const std::vector<int64_t>& axes,
              int64_t keepdims) {
  const auto tensor = Tensor::of<int64_t>({static_cast<int64_t>(axes.size())}, axes);
  AttrMap attrs;
  if (!keepdims) attrs["keepdims"] = int64_t{0};
  return g.op(kind, "reduce", {x, g.constant("axes", tensor)}, attrs);
}

constexpr OpKind kReductions[] = {
    OpKind::ReduceSum,  OpKind::ReduceMean, OpKind::ReduceMax, OpKind::ReduceMin,
    OpKind::ReduceProd, OpKind::ReduceL1,   OpKind::ReduceL2,  OpKind::ReduceSumSquare,
};

TEST(Reduction, EveryKindOverEverySetOfAxes) {
  Sizes sizes(1);
  for (const OpKind kind : kReductions)
    for (int set = 0; set < 8; ++set) {
      const Shape shape = {sizes.between(1, 5), sizes.between(1, 19), sizes.between(1, 40)};
      std::vector<int64_t> axes;
      for (int64_t i = 0; i < 3; ++i)
        if (set >> i & 1) axes.push_back(sizes.between(0, 1) ? i : i - 3);
      expectCompiledAgrees([&](GraphBuilder& g) {
        return reduce(g, kind, g.input("x", f32(shape)), axes, set & 1);
      });
    }
}

TEST(Reduction, ExtremesOfBlocksAreReadAsTheyLie) {
  if (codegen::hostTarget()->lanes(kir::Scalar::F32) == 1) GTEST_SKIP() << "there are no blocks";
  const auto reorders = [](OpKind kind, int64_t channels, const std::vector<int64_t>& axes) {
    const auto algorithms = expectCompiledAgrees([&](GraphBuilder& g) {
      Value* x = g.op(
          OpKind::Conv, "conv",
          {g.input("x", f32({2, 48, 5, 7})), g.uniform("weight", {channels, 48, 3, 3}, -0.3, 0.3)});
      return reduce(g, kind, x, axes, static_cast<int64_t>(axes.size()) / 4);
    });
    return std::ranges::count(algorithms, "strided_copy");
  };
  for (const OpKind kind : {OpKind::ReduceMax, OpKind::ReduceMin}) {
    EXPECT_EQ(reorders(kind, 32, {}), 1) << "of the input alone";
    EXPECT_EQ(reorders(kind, 32, {0, 1, 2, 3}), 1);
    EXPECT_GT(reorders(kind, 33, {}), 1) << "padding is no element";
    EXPECT_EQ(reorders(kind, 32, {1, 2, 3}), 2);
  }
  EXPECT_EQ(reorders(OpKind::ReduceSum, 32, {}), 2);
}

TEST(Reduction, RemaindersOfVectors) {
  for (const int64_t n : {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130, 4099})
    for (const int64_t axis : {0, 1})
      expectCompiledAgrees([&](GraphBuilder& g) {
        const Shape shape = axis ? Shape{3, n} : Shape{5, n};
        return reduce(g, OpKind::ReduceMean, g.input("x", f32(shape)), {axis}, 1);
      });
}

TEST(Reduction, LongSumsKeepTheirDigits) {
  for (const int64_t axis : {0, 1})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          const Shape shape = axis ? Shape{2, 300001} : Shape{300001, 3};
          return reduce(g, OpKind::ReduceSum, g.input("x", f32(shape)), {axis}, 0);
        },
        {.tolerance = {.rtol = 1e-6, .atol = 1e-6}, .low = 0, .high = 1});
}

TEST(Reduction, Integers) {
  for (const ElemType elem : {ElemType::I32, ElemType::I64, ElemType::U32, ElemType::U64})
    for (const OpKind kind :
         {OpKind::ReduceSum, OpKind::ReduceMax, OpKind::ReduceMin, OpKind::ReduceProd})
      for (const int64_t axis : {0, 1})
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return reduce(g, kind, g.input("x", {elem, {9, 21}, {}}), {axis}, 1);
            },
            {.tolerance = {0, 0},
             .low = info(elem).cls == ElemClass::Unsigned ? 0.0 : -9.0,
             .high = 9});
}

TEST(Reduction, OtherFloats) {
  for (const ElemType elem : {ElemType::F64, ElemType::F16, ElemType::BF16})
    for (const int64_t axis : {0, 1})
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            return reduce(g, OpKind::ReduceMean, g.input("x", {elem, {9, 21}, {}}), {axis}, 1);
          },
          {.tolerance = {.rtol = elem == ElemType::BF16 ? 8e-3 : 1e-3, .atol = 1e-5}});
}

TEST(Reduction, ExtremesOfNothingLess) {
  expectCompiledAgrees(
      [](GraphBuilder& g) {
        return reduce(g, OpKind::ReduceMax, g.input("x", f32({4, 13})), {1}, 0);
      },
      {.low = -9, .high = -3});
}

TEST(Reduction, EpilogueWithABroadcastOperand) {
  for (const int64_t axis : {1, 2, 3})
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value* x = g.input("x", f32({2, 5, 6, 18}));
      Value* sum = reduce(g, OpKind::ReduceMean, x, {axis}, 1);
      Shape shape = {5, 6, 18};
      shape[static_cast<size_t>(axis) - 1] = 1;
      Value* shifted = g.op(OpKind::Add, "add", {sum, g.uniform("shift", shape, -1, 1)});
      return g.op(OpKind::Sigmoid, "gate", {shifted});
    });
}

TEST(Reduction, GlobalPoolsOfPlainTensors) {
  for (const OpKind kind : {OpKind::GlobalAveragePool, OpKind::GlobalMaxPool})
    for (const Shape& shape : {Shape{2, 3, 7}, Shape{1, 5, 9, 11}, Shape{2, 2, 3, 4, 5}})
      expectCompiledAgrees(
          [&](GraphBuilder& g) { return g.op(kind, "pool", {g.input("x", f32(shape))}); });
}

TEST(Softmax, EveryAxis) {
  Sizes sizes(2);
  for (const OpKind kind : {OpKind::Softmax, OpKind::LogSoftmax})
    for (int round = 0; round < 6; ++round)
      for (const int64_t axis : {0, 1, 2, -1}) {
        const Shape shape = {sizes.between(1, 7), sizes.between(1, 35), sizes.between(1, 35)};
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return g.op(kind, "softmax", {g.input("x", f32(shape))}, {{"axis", axis}});
            },
            {.low = -30, .high = 30});
      }
}

/// The sum of the largest element and the logarithm would lose what the logarithm is.
TEST(Softmax, FarFromZero) {
  for (const OpKind kind : {OpKind::Softmax, OpKind::LogSoftmax})
    for (const double middle : {-1e5, 1e5})
      for (const int64_t axis : {0, 1})
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return g.op(kind, "softmax", {g.input("x", f32({23, 37}))}, {{"axis", axis}});
            },
            {.low = middle - 10, .high = middle + 10});
}

TEST(Softmax, AxisBeforeDimensionsOfOne) {
  for (const Shape& shape : {Shape{2, 1000, 1, 1}, Shape{1, 21, 9, 65}, Shape{1, 1, 1}})
    expectCompiledAgrees([&](GraphBuilder& g) {
      return g.op(OpKind::Softmax, "softmax", {g.input("x", f32(shape))}, {{"axis", int64_t{1}}});
    });
}

/// Powers and their sum are rounded, so that a result can be off by the last bit, no more.
TEST(Softmax, HalvesRoundWhatTheDefinitionStores) {
  Sizes sizes(3);
  for (const ElemType elem : {ElemType::F16, ElemType::BF16})
    for (int round = 0; round < 8; ++round)
      for (const int64_t axis : {0, 1}) {
        const Shape shape = {sizes.between(1, 100), sizes.between(1, 100)};
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              return g.op(OpKind::Softmax, "softmax", {g.input("x", {elem, shape, {}})},
                          {{"axis", axis}});
            },
            {.tolerance = toleranceOf(elem), .seed = static_cast<uint64_t>(round + 1)});
      }
}

TEST(Softmax, OtherFloatsAndEpilogue) {
  for (const ElemType elem : {ElemType::F64, ElemType::F16, ElemType::BF16})
    for (const int64_t axis : {0, 1})
      expectCompiledAgrees(
          [&](GraphBuilder& g) {
            Value* x = g.input("x", {elem, {19, 21}, {}});
            Value* y = g.op(OpKind::Softmax, "softmax", {x}, {{"axis", axis}});
            return g.op(OpKind::Mul, "mul", {y, g.input("by", {elem, {19, 1}, {}})});
          },
          {.tolerance = {.rtol = elem == ElemType::F64 ? 1e-9 : 2e-2, .atol = 1e-5}});
}

} // namespace
} // namespace enfold
