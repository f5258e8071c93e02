// The normalizations against the reference, on plain and on channel-blocked tensors.
#include "Differential.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

Value* layerNorm(GraphBuilder& g, Value* x, int64_t axis, bool bias) {
  const Shape shape(x->shape().begin() + (axis < 0 ? axis + x->type().rank() : axis),
                    x->shape().end());
  std::vector<Value*> operands = {x, g.uniform("scale", shape, 0.5, 2)};
  if (bias) operands.push_back(g.uniform("bias", shape, -1, 1));
  return g.op(OpKind::LayerNormalization, "norm", operands, {{"axis", axis}});
}

Value* channelNorm(GraphBuilder& g, OpKind kind, Value* x, int64_t groups) {
  const Shape shape = {x->shape()[1]};
  AttrMap attrs;
  if (kind == OpKind::GroupNormalization) attrs["num_groups"] = groups;
  return g.op(kind, "norm", {x, g.uniform("scale", shape, 0.5, 2), g.uniform("bias", shape, -1, 1)},
              attrs);
}

Value* conv3x3(GraphBuilder& g, Value* x, int64_t channels) {
  return g.op(OpKind::Conv, "conv",
              {x, g.uniform("weight", {channels, x->shape()[1], 3, 3}, -0.3, 0.3)},
              {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
}

TEST(LayerNorm, EveryAxisAndRemainder) {
  Sizes sizes(3);
  for (int round = 0; round < 8; ++round)
    for (const int64_t axis : {-1, 1, 2}) {
      const Shape shape = {sizes.between(1, 4), sizes.between(1, 9), sizes.between(2, 70)};
      expectCompiledAgrees(
          [&](GraphBuilder& g) { return layerNorm(g, g.input("x", f32(shape)), axis, round & 1); });
    }
}

TEST(LayerNorm, LargeMeansDoNotCancel) {
  expectCompiledAgrees(
      [](GraphBuilder& g) { return layerNorm(g, g.input("x", f32({3, 200})), -1, true); },
      {.tolerance = {.rtol = 1e-3, .atol = 1e-3}, .low = 1000, .high = 1001});
}

TEST(LayerNorm, ScaleOfOneValueAndEpilogue) {
  expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = g.input("x", f32({2, 6, 19}));
    Value* y = g.op(OpKind::LayerNormalization, "norm", {x, g.input("scale", f32({1}))});
    return g.op(OpKind::Relu, "relu", {g.op(OpKind::Add, "add", {y, g.input("r", f32({6, 1}))})});
  });
}

TEST(RmsNorm, Remainders) {
  for (const int64_t n : {2, 8, 13, 64, 77})
    expectCompiledAgrees([&](GraphBuilder& g) {
      Value* x = g.input("x", f32({3, n}));
      return g.op(OpKind::RMSNormalization, "norm", {x, g.uniform("scale", {n}, 0.5, 2)});
    });
}

TEST(InstanceNorm, PlainOfEveryRank) {
  for (const Shape& shape : {Shape{2, 3, 17}, Shape{1, 9, 7, 5}, Shape{2, 3, 2, 5, 9}})
    expectCompiledAgrees([&](GraphBuilder& g) {
      return channelNorm(g, OpKind::InstanceNormalization, g.input("x", f32(shape)), 0);
    });
}

TEST(InstanceNorm, BehindAConvolution) {
  for (const int64_t channels : {3, 8, 21, 32})
    for (const int64_t side : {1, 6, 13})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = conv3x3(g, g.input("x", f32({2, 5, side + 1, side})), channels);
        return g.op(OpKind::Relu, "relu", {channelNorm(g, OpKind::InstanceNormalization, x, 0)});
      });
}

TEST(GroupNorm, PlainAndBlocked) {
  for (const auto& [channels, groups] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {6, 3}, {12, 1}, {24, 24}, {32, 4}, {32, 2}, {48, 3}, {40, 5}})
    for (const bool conv : {false, true})
      expectCompiledAgrees([&](GraphBuilder& g) {
        Value* x = g.input("x", f32({2, channels, 5, 9}));
        if (conv) x = conv3x3(g, x, channels);
        Value* y = channelNorm(g, OpKind::GroupNormalization, x, groups);
        return g.op(OpKind::Elu, "elu", {g.op(OpKind::Add, "add", {y, x})});
      });
}

TEST(GroupNorm, OfVectorsWithParametersFromInputs) {
  expectCompiledAgrees([](GraphBuilder& g) {
    Value* x = g.input("x", f32({3, 20}));
    return g.op(OpKind::GroupNormalization, "norm",
                {x, g.input("scale", f32({20})), g.input("bias", f32({20}))},
                {{"num_groups", int64_t{5}}});
  });
}

TEST(ChannelNorm, HalfPrecision) {
  for (const ElemType elem : {ElemType::F16, ElemType::F64})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          Value* x = g.input("x", {elem, {2, 4, 37}, {}});
          return g.op(OpKind::InstanceNormalization, "norm",
                      {x, g.input("scale", {elem, {4}, {}}), g.input("bias", {elem, {4}, {}})});
        },
        {.tolerance = {.rtol = elem == ElemType::F64 ? 1e-9 : 2e-3, .atol = 2e-3}});
}

} // namespace
} // namespace enfold
