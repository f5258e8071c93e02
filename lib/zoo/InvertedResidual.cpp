// Layers and names of the shared block, as in torchvision.
#include "zoo/InvertedResidual.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

/// x, each channel weighted by a gate computed from the means of all channels.
Value* squeezeExcite(Network& net, std::string_view name, Value* x, int64_t squeezed,
                     const BlockStyle& style) {
  const auto scope = net.scope(name);
  Value* gate = net.globalAveragePool("avgpool", x);
  gate = net.conv("fc1", gate, {.out = squeezed, .kernel = {1}, .bias = Bias::Yes});
  gate = net.activation("activation", gate, style.squeezeActivation);
  gate = net.conv("fc2", gate, {.out = x->shape()[1], .kernel = {1}, .bias = Bias::Yes});
  AttrMap attrs;
  if (style.gate == OpKind::HardSigmoid) attrs["alpha"] = 1 / 6.0f; // PyTorch's, not ONNX's default
  return net.mul(net.op(style.gate, "scale_activation", {gate}, std::move(attrs)), x);
}

} // namespace

Value* invertedResidual(Network& net, Value* x, const InvertedResidual& block,
                        const BlockStyle& style) {
  const int64_t in = x->shape()[1];
  const BatchNormSpec norm = {.epsilon = style.epsilon};
  const bool adds = block.stride == 1 && in == block.out;
  int next = 0;
  const auto layer = [&] { return fmt::format("block.{}", next++); };
  Value* y = x;
  double gain = gainAfter(Activation::None); // blocks end without an activation
  if (block.expanded != in) {
    y = net.convNorm(layer(), y, {.out = block.expanded, .kernel = {1}, .gain = gain},
                     block.activation, norm);
    gain = gainAfter(block.activation);
  }
  y = net.convNorm(layer(), y,
                   {.out = block.expanded,
                    .kernel = {block.kernel},
                    .stride = {block.stride},
                    .pad = {block.kernel / 2},
                    .group = block.expanded,
                    .gain = gain},
                   block.activation, norm);
  gain = gainAfter(block.activation);
  if (block.squeezed > 0) {
    y = squeezeExcite(net, layer(), y, block.squeezed, style);
    gain *= kGateGain;
  }
  y = net.convNorm(layer(), y, {.out = block.out, .kernel = {1}, .gain = gain}, Activation::None,
                   {.scale = adds ? 0.5 : 1, .epsilon = style.epsilon});
  return adds ? net.add(y, x) : y;
}

} // namespace enfold::zoo
