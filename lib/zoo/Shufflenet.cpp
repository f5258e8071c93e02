// ShuffleNetV2: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture
// Design", ECCV 2018, width 1.0 as torchvision has it.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <fmt/format.h>

namespace enfold::zoo {
namespace {

/// A branch's layers, called after it and numbered.
class Branch {
public:
  Branch(Network& net, std::string_view name, Value* x) : net_(net), name_(name), x_(x) {}

  Branch& pointwise(int64_t out, double gain) {
    return convNorm({.out = out, .kernel = {1}, .gain = gain}).relu();
  }
  Branch& depthwise(int64_t stride, double gain) {
    return convNorm({.out = x_->shape()[1],
                     .kernel = {3},
                     .stride = {stride},
                     .pad = {1},
                     .group = x_->shape()[1],
                     .gain = gain});
  }
  Value* value() const { return x_; }

private:
  std::string layer() { return fmt::format("{}.{}", name_, next_++); }
  Branch& convNorm(const ConvSpec& spec) {
    x_ = net_.conv(layer(), x_, spec);
    x_ = net_.batchNorm(layer(), x_);
    return *this;
  }
  Branch& relu() {
    x_ = net_.relu(layer(), x_);
    return *this;
  }

  Network& net_;
  std::string_view name_;
  Value* x_;
  int next_ = 0;
};

constexpr double kLinear = 1, kRelu = 2; // gains

Value* branch2(Network& net, Value* x, int64_t out, int64_t stride) {
  return Branch(net, "branch2", x)
      .pointwise(out, kRelu)
      .depthwise(stride, kRelu)
      .pointwise(out, kLinear)
      .value();
}

/// Interleaves the halves of the channels.
Value* channelShuffle(Network& net, Value* x) {
  const Shape shape = x->shape();
  x = net.reshape(x, {shape[0], 2, shape[1] / 2, shape[2], shape[3]});
  return net.reshape(net.transpose(x, {0, 2, 1, 3, 4}), shape);
}

/// A block of stride 2 leads the input through two branches, another one half of it through one.
Value* block(Network& net, Value* x, int64_t out, int64_t stride) {
  if (stride == 1) {
    const std::vector<Value*> halves = net.split(x, 2);
    return channelShuffle(net, net.concat({halves[0], branch2(net, halves[1], out / 2, 1)}));
  }
  Value* first = Branch(net, "branch1", x).depthwise(2, kRelu).pointwise(out / 2, kLinear).value();
  return channelShuffle(net, net.concat({first, branch2(net, x, out / 2, 2)}));
}

} // namespace

Built shufflenetV2(const Shape& input) {
  struct Stage {
    int blocks;
    int64_t out;
  };
  constexpr std::array<Stage, 3> kStages = {{{4, 116}, {8, 232}, {4, 464}}};
  Network net("shufflenet_v2", input);
  Value* x = net.convNorm("conv1", net.x(), {.out = 24, .kernel = {3}, .stride = {2}, .pad = {1}},
                          Activation::Relu);
  x = net.maxPool("maxpool", x, {.kernel = {3}, .stride = {2}, .pad = {1}});
  for (size_t s = 0; s < kStages.size(); ++s)
    for (int i = 0; i < kStages[s].blocks; ++i) {
      const auto scope = net.scope(fmt::format("stage{}.{}", s + 2, i));
      x = block(net, x, kStages[s].out, i == 0 ? 2 : 1);
    }
  x = net.convNorm("conv5", x, {.out = 1024, .kernel = {1}}, Activation::Relu);
  Value* axes = net.constant("axes", Tensor::of<int64_t>({2}, {2, 3}));
  x = net.op(OpKind::ReduceMean, "", {x, axes}, {{"keepdims", int64_t{0}}});
  return net.finish(net.linear("fc", x, 1024, 1000), "output");
}

} // namespace enfold::zoo
