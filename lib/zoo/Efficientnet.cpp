// EfficientNet: Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
// Networks", ICML 2019, as torchvision has it.
#include "zoo/InvertedResidual.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {

Built efficientnetB0(const Shape& input) {
  constexpr Activation kSilu = Activation::Silu;
  constexpr BlockStyle kStyle = {kSilu, OpKind::Sigmoid};
  struct Stage {
    int64_t widening, kernel, stride, out; ///< the stride is the first block's
    int blocks;
  };
  constexpr std::array<Stage, 7> kStages = {{{1, 3, 1, 16, 1},
                                             {6, 3, 2, 24, 2},
                                             {6, 5, 2, 40, 2},
                                             {6, 3, 2, 80, 3},
                                             {6, 5, 1, 112, 3},
                                             {6, 5, 2, 192, 4},
                                             {6, 3, 1, 320, 1}}};
  Network net("efficientnet_b0", input);
  Value* x = net.convNorm("features.0", net.x(),
                          {.out = 32, .kernel = {3}, .stride = {2}, .pad = {1}}, kSilu);
  for (size_t s = 0; s < kStages.size(); ++s)
    for (int i = 0; i < kStages[s].blocks; ++i) {
      const Stage& stage = kStages[s];
      const int64_t in = x->shape()[1];
      const auto scope = net.scope(fmt::format("features.{}.{}", s + 1, i));
      x = invertedResidual(net, x,
                           {.kernel = stage.kernel,
                            .expanded = stage.widening * in,
                            .out = stage.out,
                            .squeezed = in / 4,
                            .activation = kSilu,
                            .stride = i == 0 ? stage.stride : 1},
                           kStyle);
    }
  x = net.convNorm("features.8", x,
                   {.out = 1280, .kernel = {1}, .gain = gainAfter(Activation::None)}, kSilu);
  x = net.flatten(net.globalAveragePool("avgpool", x));
  return net.finish(net.linear("classifier.1", x, 1280, 1000, gainAfter(kSilu)), "output");
}

} // namespace enfold::zoo
