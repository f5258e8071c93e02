// DenseNet: Huang et al., "Densely Connected Convolutional Networks", CVPR 2017, as torchvision has
// it: every layer of a block reads the results of all layers before it.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

constexpr int64_t kGrowth = 32; // channels that a layer adds

Value* denseLayer(Network& net, Value* x) {
  x = net.relu("relu1", net.batchNorm("norm1", x));
  x = net.conv("conv1", x, {.out = 4 * kGrowth, .kernel = {1}});
  x = net.relu("relu2", net.batchNorm("norm2", x));
  return net.conv("conv2", x, {.out = kGrowth, .kernel = {3}, .pad = {1}});
}

Value* denseBlock(Network& net, Value* x, int layers) {
  std::vector<Value*> features = {x};
  for (int i = 1; i <= layers; ++i) {
    const auto layer = net.scope(fmt::format("denselayer{}", i));
    features.push_back(denseLayer(net, features.size() == 1 ? x : net.concat(features)));
  }
  return net.concat(features);
}

/// Halves the channels and the image.
Value* transition(Network& net, Value* x) {
  x = net.relu("relu", net.batchNorm("norm", x));
  x = net.conv("conv", x, {.out = x->shape()[1] / 2, .kernel = {1}});
  return net.averagePool("pool", x, {.kernel = {2}, .stride = {2}});
}

} // namespace

Built densenet121(const Shape& input) {
  constexpr std::array kLayers = {6, 12, 24, 16};
  Network net("densenet121", input);
  Value* x = net.x();
  {
    const auto features = net.scope("features");
    x = net.conv("conv0", x, {.out = 64, .kernel = {7}, .stride = {2}, .pad = {3}});
    x = net.relu("relu0", net.batchNorm("norm0", x));
    x = net.maxPool("pool0", x, {.kernel = {3}, .stride = {2}, .pad = {1}});
    for (size_t i = 0; i < kLayers.size(); ++i) {
      if (i > 0) {
        const auto scope = net.scope(fmt::format("transition{}", i));
        x = transition(net, x);
      }
      const auto scope = net.scope(fmt::format("denseblock{}", i + 1));
      x = denseBlock(net, x, kLayers[i]);
    }
    x = net.batchNorm("norm5", x);
  }
  x = net.flatten(net.globalAveragePool("", net.relu("", x)));
  return net.finish(net.linear("classifier", x, 1024, 1000), "output");
}

} // namespace enfold::zoo
