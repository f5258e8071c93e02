// Two blocks of convolution, normalization, activation and pool, and a linear layer: the smallest
// network that has everything the passes work on, and its relatives.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <functional>

namespace enfold::zoo {
namespace {

using Norm = std::function<Value*(Network&, std::string_view, Value*)>;

struct SmallCnn {
  std::string_view name;
  int64_t channels[2] = {32, 64}; ///< of the convolutions
  Norm norm;
  Activation activation = Activation::Relu;
  bool hiddenLayer = false; ///< a linear layer with BatchNorm before the last one
  int64_t features;         ///< that come out of the second pool
};

Value* batchNorm(Network& net, std::string_view name, Value* x) { return net.batchNorm(name, x); }

Built build(const SmallCnn& cnn, const Shape& input) {
  Network net(cnn.name, input);
  const std::string_view act = cnn.activation == Activation::Elu ? "elu" : "relu";
  const std::string_view convs[] = {"conv1", "conv2"}, norms[] = {"bn1", "bn2"};
  Value* x = net.x();
  for (int i : {0, 1}) {
    x = net.conv(convs[i], x,
                 {.out = cnn.channels[i], .kernel = {3}, .pad = {1}, .bias = Bias::Yes});
    x = net.activation(act, cnn.norm(net, norms[i], x), cnn.activation);
    x = net.maxPool("pool", x, {.kernel = {2}, .stride = {2}});
  }
  x = net.flatten(x);
  int64_t features = cnn.features;
  if (cnn.hiddenLayer) {
    x = net.batchNorm("bn3", net.linear("fc1", x, features, 128));
    x = net.activation(act, x, cnn.activation);
    features = 128;
  }
  return net.finish(net.linear(cnn.hiddenLayer ? "fc2" : "fc", x, features, 10), "output");
}

} // namespace

Built cnnBatchNorm(const Shape& input) {
  return build({.name = "cnn_batchnorm", .norm = batchNorm, .features = 64 * 8 * 8}, input);
}

Built cnnElu(const Shape& input) {
  return build(
      {.name = "cnn_elu", .norm = batchNorm, .activation = Activation::Elu, .features = 64 * 8 * 8},
      input);
}

Built cnnLayerNorm(const Shape& input) {
  const Norm norm = [](Network& net, std::string_view name, Value* x) {
    return net.layerNorm(name, x);
  };
  return build({.name = "cnn_layernorm", .norm = norm, .features = 64 * 8 * 8}, input);
}

Built cnnInstanceNorm(const Shape& input) {
  const Norm norm = [](Network& net, std::string_view name, Value* x) {
    return net.instanceNorm(name, x);
  };
  return build({.name = "cnn_instancenorm", .norm = norm, .features = 64 * 8 * 8}, input);
}

Built cnnGroupNorm(const Shape& input) {
  const Norm norm = [](Network& net, std::string_view name, Value* x) {
    return net.groupNorm(name, x, 8);
  };
  return build({.name = "cnn_groupnorm", .norm = norm, .features = 64 * 8 * 8}, input);
}

Built cnnTrainingBatchNorm(const Shape& input) {
  const Norm norm = [](Network& net, std::string_view name, Value* x) {
    return net.batchNorm(name, x, {.training = true});
  };
  return build({.name = "cnn_training_bn", .norm = norm, .features = 64 * 8 * 8}, input);
}

Built cnnLinearBatchNorm(const Shape& input) {
  return build(
      {.name = "cnn_linear_bn", .norm = batchNorm, .hiddenLayer = true, .features = 64 * 8 * 8},
      input);
}

Built cnn1d(const Shape& input) {
  return build({.name = "cnn_1d", .norm = batchNorm, .features = 64 * 64}, input);
}

Built cnn3d(const Shape& input) {
  return build(
      {.name = "cnn_3d", .channels = {16, 32}, .norm = batchNorm, .features = 32 * 4 * 8 * 8},
      input);
}

} // namespace enfold::zoo
