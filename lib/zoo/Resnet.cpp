// Residual networks: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, as
// torchvision has them (stride in the 3x3 convolution of a bottleneck).
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

/// Gamma of the last BatchNorm of a residual branch, so that sums do not grow with depth.
constexpr BatchNormSpec kResidual = {.scale = 0.3};

enum class Block { Basic, Bottleneck };

struct Resnet {
  std::string_view name;
  Block block;
  std::vector<int> depths; ///< blocks in each layer
  int64_t width;           ///< channels of the first layer; each further one has twice as many
  Activation activation = Activation::Relu;
  bool largeImages = true; ///< begin with a 7x7 convolution and a pool, both of stride 2
  int64_t classes = 1000;

  std::string_view activationName() const { return activation == Activation::Elu ? "elu" : "relu"; }
  double gain() const { return gainAfter(activation); }
};

/// Two 3x3 convolutions, or a 3x3 one between 1x1 ones that narrow and widen by 4.
Value* branch(Network& net, const Resnet& resnet, Value* x, int64_t width, int64_t stride) {
  const std::string_view act = resnet.activationName();
  const double gain = resnet.gain();
  const auto convNorm = [&](int i, const ConvSpec& spec, const BatchNormSpec& norm = {}) {
    return net.batchNorm(fmt::format("bn{}", i), net.conv(fmt::format("conv{}", i), x, spec), norm);
  };
  const ConvSpec narrow = {.out = width, .kernel = {1}, .gain = gain};
  ConvSpec spatial = {.out = width, .kernel = {3}, .stride = {stride}, .pad = {1}, .gain = gain};
  if (resnet.block == Block::Basic) {
    x = net.activation(act, convNorm(1, spatial), resnet.activation);
    spatial.stride = {1};
    return convNorm(2, spatial, kResidual);
  }
  x = net.activation(act, convNorm(1, narrow), resnet.activation);
  x = net.activation(act, convNorm(2, spatial), resnet.activation);
  return convNorm(3, {.out = 4 * width, .kernel = {1}, .gain = gain}, kResidual);
}

Value* block(Network& net, const Resnet& resnet, Value* x, int64_t width, int64_t stride) {
  Value* sum = branch(net, resnet, x, width, stride);
  const int64_t out = sum->shape()[1];
  if (stride != 1 || x->shape()[1] != out) {
    const auto shortcut = net.scope("downsample");
    x = net.conv("0", x, {.out = out, .kernel = {1}, .stride = {stride}, .gain = resnet.gain()});
    x = net.batchNorm("1", x);
  }
  return net.activation(resnet.activationName(), net.add(sum, x), resnet.activation);
}

Built build(const Resnet& resnet, const Shape& input) {
  Network net(resnet.name, input);
  Value* x =
      net.conv("conv1", net.x(),
               resnet.largeImages ? ConvSpec{.out = 64, .kernel = {7}, .stride = {2}, .pad = {3}}
                                  : ConvSpec{.out = resnet.width, .kernel = {3}, .pad = {1}});
  x = net.activation(resnet.activationName(), net.batchNorm("bn1", x), resnet.activation);
  if (resnet.largeImages) x = net.maxPool("maxpool", x, {.kernel = {3}, .stride = {2}, .pad = {1}});
  int64_t width = resnet.width;
  for (size_t layer = 0; layer < resnet.depths.size(); ++layer, width *= 2)
    for (int i = 0; i < resnet.depths[layer]; ++i) {
      const auto scope = net.scope(fmt::format("layer{}.{}", layer + 1, i));
      x = block(net, resnet, x, width, layer > 0 && i == 0 ? 2 : 1);
    }
  const int64_t features = (resnet.block == Block::Bottleneck ? 4 : 1) * width / 2;
  x = net.flatten(net.globalAveragePool("avgpool", x));
  return net.finish(net.linear("fc", x, features, resnet.classes), "output");
}

Resnet cifar(std::string_view name, Activation activation) {
  return {.name = name,
          .block = Block::Basic,
          .depths = {3, 3, 3},
          .width = 16,
          .activation = activation,
          .largeImages = false,
          .classes = 10};
}

} // namespace

Built resnet18(const Shape& input) {
  return build({.name = "resnet18", .block = Block::Basic, .depths = {2, 2, 2, 2}, .width = 64},
               input);
}

Built resnet50(const Shape& input) {
  return build(
      {.name = "resnet50", .block = Block::Bottleneck, .depths = {3, 4, 6, 3}, .width = 64}, input);
}

Built resnet20Cifar(const Shape& input) {
  return build(cifar("resnet20_cifar", Activation::Relu), input);
}

Built resnet20CifarElu(const Shape& input) {
  return build(cifar("resnet20_cifar_elu", Activation::Elu), input);
}

} // namespace enfold::zoo
