// CRNN: Shi et al., "An End-to-End Trainable Neural Network for Image-based Sequence Recognition",
// 2015: convolutions make columns of an image of a line of text, and LSTMs read them both ways. No
// constant depends on the width.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::zoo {
namespace {

constexpr int64_t kHidden = 256;
constexpr int64_t kClasses = 37; ///< letters, digits, and none

Value* ints(Network& net, std::string_view name, std::vector<int64_t> values) {
  const Shape shape = {static_cast<int64_t>(values.size())};
  return net.constant(name, Tensor::of<int64_t>(shape, std::span<const int64_t>(values)));
}

/// An LSTM over [steps, batch, in] in both directions, and a linear layer behind it.
Value* bidirectional(Network& net, std::string_view name, Value* x, int64_t in, int64_t out) {
  const auto scope = net.scope(name);
  Value* y = nullptr;
  {
    const auto rnn = net.scope("rnn");
    const double bound = 1 / std::sqrt(static_cast<double>(kHidden));
    const auto weights = [&](std::string_view part, Shape shape) {
      const auto inside = net.scope(part);
      return net.uniform(shape.size() == 2 ? "bias" : "weight", std::move(shape), -bound, bound);
    };
    y = net.op(OpKind::LSTM, "",
               {x, weights("ih", {2, 4 * kHidden, in}), weights("hh", {2, 4 * kHidden, kHidden}),
                weights("both", {2, 8 * kHidden})},
               {{"direction", std::string("bidirectional")}, {"hidden_size", kHidden}});
    y = net.transpose(y, {0, 2, 1, 3});
    y = net.op(OpKind::Reshape, "", {y, ints(net, "shape", {0, 0, -1})});
  }
  const auto embedding = net.scope("embedding");
  const double bound = 2 / std::sqrt(2 * static_cast<double>(kHidden));
  Value* weight = net.uniform("weight", {2 * kHidden, out}, -bound, bound);
  y = net.op(OpKind::MatMul, "", {y, weight});
  return net.add(y, net.uniform("bias", {out}, -bound / 2, bound / 2));
}

} // namespace

Built crnn(const Shape& input) {
  struct Layer {
    int64_t out;
    bool norm = false;
    std::vector<int64_t> kernel = {3}, pad = {1};
    std::optional<PoolSpec> pool = {};
  };
  const PoolSpec half = {.kernel = {2}, .stride = {2}};
  const PoolSpec flat = {.kernel = {2}, .stride = {2, 1}, .pad = {0, 1}};
  const Layer layers[] = {{.out = 64, .pool = half},
                          {.out = 128, .pool = half},
                          {.out = 256, .norm = true},
                          {.out = 256, .pool = flat},
                          {.out = 512, .norm = true},
                          {.out = 512, .pool = flat},
                          {.out = 512, .norm = true, .kernel = {2}, .pad = {0}}};
  Network net("crnn", input);
  Value* x = net.x();
  {
    const auto scope = net.scope("cnn");
    for (int i = 0; const Layer& layer : layers) {
      x = net.conv(fmt::format("conv{}", i), x,
                   {.out = layer.out, .kernel = layer.kernel, .pad = layer.pad, .bias = Bias::Yes});
      if (layer.norm) x = net.batchNorm(fmt::format("batchnorm{}", i), x);
      x = net.relu(fmt::format("relu{}", i), x);
      if (layer.pool) x = net.maxPool(fmt::format("pooling{}", i), x, *layer.pool);
      ++i;
    }
  }
  x = net.op(OpKind::Squeeze, "", {x, ints(net, "axes", {2})});
  x = net.transpose(x, {2, 0, 1});
  const auto scope = net.scope("rnn");
  x = bidirectional(net, "0", x, layers[6].out, kHidden);
  x = bidirectional(net, "1", x, kHidden, kClasses);
  return net.finish(x, "output");
}

} // namespace enfold::zoo
