// MobileNets as torchvision has them:
// Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018;
// Howard et al., "Searching for MobileNetV3", ICCV 2019.
#include "zoo/InvertedResidual.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

/// The block of version 2, whose last convolution and BatchNorm are modules of their own.
Value* bottleneck(Network& net, Value* x, int64_t widening, int64_t out, int64_t stride) {
  const int64_t in = x->shape()[1], expanded = widening * in;
  const bool adds = stride == 1 && in == out;
  int next = 0;
  const auto layer = [&] { return fmt::format("conv.{}", next++); };
  Value* y = x;
  double gain = gainAfter(Activation::None); // blocks end without an activation
  if (widening != 1) {
    y = net.convNorm(layer(), y, {.out = expanded, .kernel = {1}, .gain = gain}, Activation::Relu6);
    gain = gainAfter(Activation::Relu6);
  }
  y = net.convNorm(layer(), y,
                   {.out = expanded,
                    .kernel = {3},
                    .stride = {stride},
                    .pad = {1},
                    .group = expanded,
                    .gain = gain},
                   Activation::Relu6);
  y = net.conv(layer(), y, {.out = out, .kernel = {1}});
  y = net.batchNorm(layer(), y, {.scale = adds ? 0.5 : 1});
  return adds ? net.add(y, x) : y;
}

} // namespace

Built mobilenetV2(const Shape& input) {
  struct Stage {
    int64_t widening, out;
    int blocks;
    int64_t stride; ///< of the first block
  };
  constexpr std::array<Stage, 7> kStages = {{{1, 16, 1, 1},
                                             {6, 24, 2, 2},
                                             {6, 32, 3, 2},
                                             {6, 64, 4, 2},
                                             {6, 96, 3, 1},
                                             {6, 160, 3, 2},
                                             {6, 320, 1, 1}}};
  Network net("mobilenet_v2", input);
  int next = 0;
  const auto layer = [&] { return fmt::format("features.{}", next++); };
  Value* x = net.convNorm(layer(), net.x(), {.out = 32, .kernel = {3}, .stride = {2}, .pad = {1}},
                          Activation::Relu6);
  for (const Stage& stage : kStages)
    for (int i = 0; i < stage.blocks; ++i) {
      const auto scope = net.scope(layer());
      x = bottleneck(net, x, stage.widening, stage.out, i == 0 ? stage.stride : 1);
    }
  x = net.convNorm(layer(), x, {.out = 1280, .kernel = {1}, .gain = gainAfter(Activation::None)},
                   Activation::Relu6);
  x = net.flatten(net.globalAveragePool("", x));
  return net.finish(net.linear("classifier.1", x, 1280, 1000), "output");
}

Built mobilenetV3Large(const Shape& input) {
  constexpr Activation kRelu = Activation::Relu, kSwish = Activation::HardSwish;
  constexpr BlockStyle kStyle = {Activation::Relu, OpKind::HardSigmoid, 1e-3f};
  constexpr BatchNormSpec kNorm = {.epsilon = 1e-3f};
  constexpr std::array<InvertedResidual, 15> kBlocks = {{
      {3, 16, 16, 0, kRelu, 1},
      {3, 64, 24, 0, kRelu, 2},
      {3, 72, 24, 0, kRelu, 1},
      {5, 72, 40, 24, kRelu, 2},
      {5, 120, 40, 32, kRelu, 1},
      {5, 120, 40, 32, kRelu, 1},
      {3, 240, 80, 0, kSwish, 2},
      {3, 200, 80, 0, kSwish, 1},
      {3, 184, 80, 0, kSwish, 1},
      {3, 184, 80, 0, kSwish, 1},
      {3, 480, 112, 120, kSwish, 1},
      {3, 672, 112, 168, kSwish, 1},
      {5, 672, 160, 168, kSwish, 2},
      {5, 960, 160, 240, kSwish, 1},
      {5, 960, 160, 240, kSwish, 1},
  }};
  Network net("mobilenet_v3_large", input);
  int next = 0;
  const auto layer = [&] { return fmt::format("features.{}", next++); };
  Value* x = net.convNorm(layer(), net.x(), {.out = 16, .kernel = {3}, .stride = {2}, .pad = {1}},
                          kSwish, kNorm);
  for (const InvertedResidual& block : kBlocks) {
    const auto scope = net.scope(layer());
    x = invertedResidual(net, x, block, kStyle);
  }
  x = net.convNorm(layer(), x, {.out = 960, .kernel = {1}, .gain = gainAfter(Activation::None)},
                   kSwish, kNorm);
  x = net.flatten(net.globalAveragePool("avgpool", x));
  x = net.linear("classifier.0", x, 960, 1280, gainAfter(kSwish));
  x = net.activation("classifier.1", x, kSwish);
  return net.finish(net.linear("classifier.3", x, 1280, 1000, gainAfter(kSwish)), "output");
}

} // namespace enfold::zoo
