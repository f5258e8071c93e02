// U-Net: Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation",
// MICCAI 2015, with padded convolutions and BatchNorm, as is common.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

Value* doubleConv(Network& net, Value* x, int64_t out) {
  const auto scope = net.scope("double_conv");
  for (int i : {0, 3}) {
    x = net.conv(fmt::format("{}", i), x, {.out = out, .kernel = {3}, .pad = {1}});
    x = net.batchNorm(fmt::format("{}", i + 1), x);
    x = net.relu(fmt::format("{}", i + 2), x);
  }
  return x;
}

/// Twice the image, half the channels, and the features of the way down beside it.
Value* up(Network& net, Value* x, Value* skip) {
  const int64_t channels = skip->shape()[1];
  x = net.convTranspose("up", x,
                        {.out = channels, .kernel = {2}, .stride = {2}, .bias = Bias::Yes});
  x = net.concat({skip, x});
  const auto scope = net.scope("conv");
  return doubleConv(net, x, channels);
}

} // namespace

Built unet(const Shape& input) {
  constexpr int64_t kWidth = 32;
  constexpr int kDepth = 4;
  Network net("unet", input);
  std::vector<Value*> skips;
  Value* x = net.x();
  {
    const auto scope = net.scope("inc");
    x = doubleConv(net, x, kWidth);
  }
  for (int i = 1; i <= kDepth; ++i) {
    skips.push_back(x);
    const auto scope = net.scope(fmt::format("down{}", i));
    x = net.maxPool("pool", x, {.kernel = {2}, .stride = {2}});
    x = doubleConv(net, x, kWidth << i);
  }
  for (int i = 1; i <= kDepth; ++i) {
    const auto scope = net.scope(fmt::format("up{}", i));
    x = up(net, x, skips.back());
    skips.pop_back();
  }
  x = net.conv("outc", x, {.out = 2, .kernel = {1}, .bias = Bias::Yes});
  return net.finish(x, "output");
}

} // namespace enfold::zoo
