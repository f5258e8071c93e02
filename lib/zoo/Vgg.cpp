// VGG: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
// Recognition", ICLR 2015, with a BatchNorm behind each convolution, as torchvision has it.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {

Built vgg16BatchNorm(const Shape& input) {
  Network net("vgg16_bn", input);
  constexpr std::array<std::pair<int, int64_t>, 5> kStages = {
      {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}}}; // convolutions, channels
  Value* x = net.x();
  int next = 0;
  const auto layer = [&] { return fmt::format("features.{}", next++); };
  for (const auto& [convs, channels] : kStages) {
    for (int i = 0; i < convs; ++i) {
      x = net.conv(layer(), x, {.out = channels, .kernel = {3}, .pad = {1}, .bias = Bias::Yes});
      x = net.batchNorm(layer(), x);
      x = net.relu(layer(), x);
    }
    x = net.maxPool(layer(), x, {.kernel = {2}, .stride = {2}});
  }
  // An adaptive pool to 7x7: of 1x1 windows, that is none, for images of the original size.
  const std::vector<int64_t> window = {x->shape()[2] / 7, x->shape()[3] / 7};
  x = net.flatten(net.averagePool("avgpool", x, {.kernel = window, .stride = window}));
  x = net.relu("classifier.1", net.linear("classifier.0", x, 512 * 7 * 7, 4096));
  const double gain = gainAfter(Activation::Relu);
  x = net.relu("classifier.4", net.linear("classifier.3", x, 4096, 4096, gain));
  return net.finish(net.linear("classifier.6", x, 4096, 1000, gain), "output");
}

} // namespace enfold::zoo
