// The normalizations against the reference, on plain and on channel-blocked tensors.
#include "Differential.h"

#include <gtest/gtest.h>

#include <cmath>

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

/// Inputs around means up to that many standard deviations away from zero.
void expectFarMeansAgree(const BuildGraph& build, ElemType elem = ElemType::F32,
                         std::string_view kernel = "") {
  for (const double distance : {1.0, 30.0, 1e3, 3e4, 1e5}) {
    // Where a narrow type could not tell the elements apart there is nothing to see.
    if ((elem == ElemType::BF16 && distance > 30) || (elem == ElemType::F16 && distance > 300))
      continue;
    const double mean = distance / std::sqrt(3.0); // of numbers between mean - 1 and mean + 1
    for (const double sign : {1.0, -1.0}) {
      SCOPED_TRACE(sign * distance);
      const Tolerance narrow = elem == ElemType::BF16  ? Tolerance{.rtol = 8e-3, .atol = 4e-3}
                               : elem == ElemType::F16 ? Tolerance{.rtol = 1e-3, .atol = 5e-4}
                                                       : Tolerance{};
      const auto used = expectCompiledAgrees(
          build, {.tolerance = narrow, .low = sign * mean - 1, .high = sign * mean + 1});
      EXPECT_TRUE(kernel.empty() || uses(used, kernel)) << kernel << " is not used";
    }
  }
}

TEST(FarMeans, LayerNorm) {
  for (const ElemType elem : {ElemType::F32, ElemType::F16, ElemType::BF16, ElemType::F64})
    for (const int64_t n : {5, 200, 5000})
      expectFarMeansAgree(
          [&](GraphBuilder& g) {
            Value* x = g.input("x", {elem, {3, n}, {}});
            Tensor ones(elem, {n});
            for (int64_t i = 0; i < n; ++i) ones.setDouble(i, 1);
            return g.op(OpKind::LayerNormalization, "norm",
                        {x, g.constant("scale", std::move(ones))});
          },
          elem, "norm_rows");
}

TEST(FarMeans, ChannelsOfPlainTensors) {
  for (const ElemType elem : {ElemType::F32, ElemType::F16, ElemType::BF16})
    for (const Shape& shape : {Shape{2, 6, 5, 5}, Shape{1, 4, 37}, Shape{1, 6, 40, 41}})
      for (const OpKind kind : {OpKind::InstanceNormalization, OpKind::GroupNormalization})
        expectFarMeansAgree(
            [&](GraphBuilder& g) {
              const auto vector = [&](const char* name, double number) {
                Tensor tensor(elem, {shape[1]});
                for (int64_t i = 0; i < shape[1]; ++i) tensor.setDouble(i, number);
                return g.constant(name, std::move(tensor));
              };
              AttrMap attrs;
              if (kind == OpKind::GroupNormalization) attrs["num_groups"] = int64_t{2};
              return g.op(
                  kind, "norm",
                  {g.input("x", {elem, shape, {}}), vector("scale", 1.5), vector("bias", 0.5)},
                  attrs);
            },
            elem, "norm_channels");
}

/// A convolution that changes nothing makes the tensor blocked without rounding it.
TEST(FarMeans, ChannelsOfBlockedTensors) {
  for (const auto& [channels, groups] :
       std::initializer_list<std::pair<int64_t, int64_t>>{{32, 0}, {21, 0}, {32, 2}, {48, 1}})
    expectFarMeansAgree(
        [&](GraphBuilder& g) {
          Tensor identity(ElemType::F32, {channels, channels, 1, 1});
          for (int64_t c = 0; c < channels; ++c) identity.setDouble(c * channels + c, 1);
          Value* x = g.op(
              OpKind::Conv, "conv",
              {g.input("x", f32({2, channels, 9, 7})), g.constant("weight", std::move(identity))});
          return channelNorm(g, groups ? OpKind::GroupNormalization : OpKind::InstanceNormalization,
                             x, groups);
        },
        ElemType::F32, "norm_channels_blocked");
}

TEST(FarMeans, MeanVarianceNormalization) {
  for (const ElemType elem : {ElemType::F32, ElemType::F16, ElemType::BF16})
    for (const std::vector<int64_t>& axes :
         {std::vector<int64_t>{0, 2, 3}, std::vector<int64_t>{1}, std::vector<int64_t>{2, 3}})
      expectFarMeansAgree(
          [&](GraphBuilder& g) {
            return g.op(OpKind::MeanVarianceNormalization, "norm",
                        {g.input("x", {elem, {2, 30, 5, 9}, {}})}, {{"axes", axes}});
          },
          elem);
}

TEST(FarMeans, BatchesInTraining) {
  for (const bool conv : {false, true})
    expectFarMeansAgree([&](GraphBuilder& g) {
      const int64_t channels = 32;
      Value* x = g.input("x", f32({3, channels, 6, 7}));
      if (conv) {
        Tensor identity(ElemType::F32, {channels, channels, 1, 1});
        for (int64_t c = 0; c < channels; ++c) identity.setDouble(c * channels + c, 1);
        x = g.op(OpKind::Conv, "conv", {x, g.constant("weight", std::move(identity))});
      }
      const auto vector = [&](const char* name) { return g.uniform(name, {channels}, 0.5, 2); };
      return g.op(OpKind::BatchNormalization, "norm",
                  {x, vector("scale"), vector("bias"), vector("mean"), vector("variance")},
                  {{"training_mode", int64_t{1}}});
    });
}

TEST(FarMeans, BatchesInFrontOfProducts) {
  for (const double mean : {1.0, -300.0, 3e4, -1e5})
    expectCompiledAgrees(
        [&](GraphBuilder& g) {
          const int64_t channels = 8;
          const auto vector = [&](const char* name, double low, double high) {
            return g.uniform(name, {channels}, low, high);
          };
          Value* x = g.op(OpKind::BatchNormalization, "norm",
                          {g.input("x", f32({2, channels, 6, 7})), vector("scale", 0.5, 2),
                           vector("bias", -1, 1), vector("mean", mean - 0.5, mean + 0.5),
                           vector("variance", 0.3, 2)});
          return g.op(OpKind::Conv, "conv",
                      {x, g.uniform("weight", {channels, channels, 3, 3}, -1, 1)});
        },
        {.low = mean - 1, .high = mean + 1});
}

} // namespace
} // namespace enfold
