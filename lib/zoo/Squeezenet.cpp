// SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
// <0.5MB model size", 2016, version 1.1 as torchvision has it. It has no BatchNorm.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

Value* convRelu(Network& net, const std::string& name, Value* x, ConvSpec spec) {
  spec.bias = Bias::Yes;
  return net.relu(name + "_activation", net.conv(name, x, spec));
}

Value* fire(Network& net, Value* x, int64_t squeezed, int64_t expanded) {
  x = convRelu(net, "squeeze", x, {.out = squeezed, .kernel = {1}});
  return net.concat({convRelu(net, "expand1x1", x, {.out = expanded, .kernel = {1}}),
                     convRelu(net, "expand3x3", x, {.out = expanded, .kernel = {3}, .pad = {1}})});
}

} // namespace

Built squeezenet11(const Shape& input) {
  const PoolSpec half = {.kernel = {3}, .stride = {2}, .ceil = true};
  Network net("squeezenet1_1", input);
  Value* x =
      net.conv("features.0", net.x(), {.out = 64, .kernel = {3}, .stride = {2}, .bias = Bias::Yes});
  x = net.relu("features.1", x);
  int next = 2;
  const auto pool = [&] { x = net.maxPool(fmt::format("features.{}", next++), x, half); };
  const auto fires = [&](int count, int64_t squeezed, int64_t expanded) {
    for (int i = 0; i < count; ++i) {
      const auto scope = net.scope(fmt::format("features.{}", next++));
      x = fire(net, x, squeezed, expanded);
    }
  };
  pool();
  fires(2, 16, 64);
  pool();
  fires(2, 32, 128);
  pool();
  fires(2, 48, 192);
  fires(2, 64, 256);
  x = net.conv("classifier.1", x, {.out = 1000, .kernel = {1}, .bias = Bias::Yes});
  x = net.globalAveragePool("classifier.3", net.relu("classifier.2", x));
  return net.finish(net.flatten(x), "output");
}

} // namespace enfold::zoo
