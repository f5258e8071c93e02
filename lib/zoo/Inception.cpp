// Inception networks as torchvision has them, without their auxiliary classifiers:
// GoogLeNet: Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (with BatchNorm, and 3x3
// convolutions where the paper has 5x5 ones);
// Inception v3: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR
// 2016.
#include "zoo/Network.h"
#include "zoo/Networks.h"

#include <string>

namespace enfold::zoo {
namespace {

constexpr BatchNormSpec kNorm = {.epsilon = 1e-3f};

/// torchvision's BasicConv2d.
Value* basicConv(Network& net, std::string_view name, Value* x, const ConvSpec& spec) {
  const auto scope = net.scope(name);
  return net.relu("", net.batchNorm("bn", net.conv("conv", x, spec), kNorm));
}

/// A convolution within a module: padded to keep the image's size unless it has a stride.
struct Step {
  std::string_view name;
  int64_t out;
  std::vector<int64_t> kernel = {1, 1};
  int64_t stride = 1;
};

Value* chain(Network& net, Value* x, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    std::vector<int64_t> pad = {0, 0};
    if (step.stride == 1) pad = {step.kernel[0] / 2, step.kernel[1] / 2};
    x = basicConv(net, step.name, x,
                  {.out = step.out, .kernel = step.kernel, .stride = {step.stride}, .pad = pad});
  }
  return x;
}

// ---- GoogLeNet
// -------------------------------------------------------------------------------------

/// Channels of a module's convolutions; `reduce` are the 1x1 ones in front of others.
struct Module {
  std::string_view name;
  int64_t one, reduce3, three, reduce5, five, pool;
};

Value* inception(Network& net, const Module& m, Value* x) {
  const auto scope = net.scope(m.name);
  Value* one = chain(net, x, {{"branch1", m.one}});
  Value* three = chain(net, x, {{"branch2.0", m.reduce3}, {"branch2.1", m.three, {3, 3}}});
  Value* five = chain(net, x, {{"branch3.0", m.reduce5}, {"branch3.1", m.five, {3, 3}}});
  Value* pool = net.maxPool("branch4.0", x, {.kernel = {3}, .pad = {1}, .ceil = true});
  return net.concat({one, three, five, chain(net, pool, {{"branch4.1", m.pool}})});
}

// ---- Inception v3: five kinds of modules
// -----------------------------------------------------------

Value* branchPool(Network& net, Value* x, int64_t out) {
  x = net.averagePool("", x, {.kernel = {3}, .pad = {1}});
  return chain(net, x, {{"branch_pool", out}});
}

/// 5x5 convolutions.
Value* moduleA(Network& net, std::string_view name, Value* x, int64_t pool) {
  const auto scope = net.scope(name);
  return net.concat({chain(net, x, {{"branch1x1", 64}}),
                     chain(net, x, {{"branch5x5_1", 48}, {"branch5x5_2", 64, {5, 5}}}),
                     chain(net, x,
                           {{"branch3x3dbl_1", 64},
                            {"branch3x3dbl_2", 96, {3, 3}},
                            {"branch3x3dbl_3", 96, {3, 3}}}),
                     branchPool(net, x, pool)});
}

/// Halves the image.
Value* moduleB(Network& net, std::string_view name, Value* x) {
  const auto scope = net.scope(name);
  return net.concat({chain(net, x, {{"branch3x3", 384, {3, 3}, 2}}),
                     chain(net, x,
                           {{"branch3x3dbl_1", 64},
                            {"branch3x3dbl_2", 96, {3, 3}},
                            {"branch3x3dbl_3", 96, {3, 3}, 2}}),
                     net.maxPool("", x, {.kernel = {3}, .stride = {2}})});
}

/// 7x7 convolutions as rows and columns.
Value* moduleC(Network& net, std::string_view name, Value* x, int64_t c) {
  const auto scope = net.scope(name);
  return net.concat(
      {chain(net, x, {{"branch1x1", 192}}),
       chain(net, x,
             {{"branch7x7_1", c}, {"branch7x7_2", c, {1, 7}}, {"branch7x7_3", 192, {7, 1}}}),
       chain(net, x,
             {{"branch7x7dbl_1", c},
              {"branch7x7dbl_2", c, {7, 1}},
              {"branch7x7dbl_3", c, {1, 7}},
              {"branch7x7dbl_4", c, {7, 1}},
              {"branch7x7dbl_5", 192, {1, 7}}}),
       branchPool(net, x, 192)});
}

/// Halves the image.
Value* moduleD(Network& net, std::string_view name, Value* x) {
  const auto scope = net.scope(name);
  return net.concat({chain(net, x, {{"branch3x3_1", 192}, {"branch3x3_2", 320, {3, 3}, 2}}),
                     chain(net, x,
                           {{"branch7x7x3_1", 192},
                            {"branch7x7x3_2", 192, {1, 7}},
                            {"branch7x7x3_3", 192, {7, 1}},
                            {"branch7x7x3_4", 192, {3, 3}, 2}}),
                     net.maxPool("", x, {.kernel = {3}, .stride = {2}})});
}

/// Rows and columns of 3x3 convolutions side by side.
Value* moduleE(Network& net, std::string_view name, Value* x) {
  const auto scope = net.scope(name);
  Value* one = chain(net, x, {{"branch1x1", 320}});
  Value* three = chain(net, x, {{"branch3x3_1", 384}});
  Value* threeA = chain(net, three, {{"branch3x3_2a", 384, {1, 3}}});
  Value* threeB = chain(net, three, {{"branch3x3_2b", 384, {3, 1}}});
  Value* twice = chain(net, x, {{"branch3x3dbl_1", 448}, {"branch3x3dbl_2", 384, {3, 3}}});
  Value* twiceA = chain(net, twice, {{"branch3x3dbl_3a", 384, {1, 3}}});
  Value* twiceB = chain(net, twice, {{"branch3x3dbl_3b", 384, {3, 1}}});
  return net.concat({one, threeA, threeB, twiceA, twiceB, branchPool(net, x, 192)});
}

} // namespace

Built googlenet(const Shape& input) {
  const PoolSpec half = {.kernel = {3}, .stride = {2}, .ceil = true};
  Network net("googlenet", input);
  Value* x = net.x();
  x = basicConv(net, "conv1", x, {.out = 64, .kernel = {7}, .stride = {2}, .pad = {3}});
  x = net.maxPool("maxpool1", x, half);
  x = chain(net, x, {{"conv2", 64}, {"conv3", 192, {3, 3}}});
  x = net.maxPool("maxpool2", x, half);
  x = inception(net, {"inception3a", 64, 96, 128, 16, 32, 32}, x);
  x = inception(net, {"inception3b", 128, 128, 192, 32, 96, 64}, x);
  x = net.maxPool("maxpool3", x, half);
  x = inception(net, {"inception4a", 192, 96, 208, 16, 48, 64}, x);
  x = inception(net, {"inception4b", 160, 112, 224, 24, 64, 64}, x);
  x = inception(net, {"inception4c", 128, 128, 256, 24, 64, 64}, x);
  x = inception(net, {"inception4d", 112, 144, 288, 32, 64, 64}, x);
  x = inception(net, {"inception4e", 256, 160, 320, 32, 128, 128}, x);
  x = net.maxPool("maxpool4", x, {.kernel = {2}, .stride = {2}, .ceil = true});
  x = inception(net, {"inception5a", 256, 160, 320, 32, 128, 128}, x);
  x = inception(net, {"inception5b", 384, 192, 384, 48, 128, 128}, x);
  x = net.flatten(net.globalAveragePool("avgpool", x));
  return net.finish(net.linear("fc", x, 1024, 1000), "output");
}

Built inceptionV3(const Shape& input) {
  const PoolSpec half = {.kernel = {3}, .stride = {2}};
  Network net("inception_v3", input);
  Value* x = net.x();
  x = basicConv(net, "Conv2d_1a_3x3", x, {.out = 32, .kernel = {3}, .stride = {2}});
  x = basicConv(net, "Conv2d_2a_3x3", x, {.out = 32, .kernel = {3}});
  x = basicConv(net, "Conv2d_2b_3x3", x, {.out = 64, .kernel = {3}, .pad = {1}});
  x = net.maxPool("maxpool1", x, half);
  x = basicConv(net, "Conv2d_3b_1x1", x, {.out = 80, .kernel = {1}});
  x = basicConv(net, "Conv2d_4a_3x3", x, {.out = 192, .kernel = {3}});
  x = net.maxPool("maxpool2", x, half);
  x = moduleA(net, "Mixed_5b", x, 32);
  x = moduleA(net, "Mixed_5c", x, 64);
  x = moduleA(net, "Mixed_5d", x, 64);
  x = moduleB(net, "Mixed_6a", x);
  x = moduleC(net, "Mixed_6b", x, 128);
  x = moduleC(net, "Mixed_6c", x, 160);
  x = moduleC(net, "Mixed_6d", x, 160);
  x = moduleC(net, "Mixed_6e", x, 192);
  x = moduleD(net, "Mixed_7a", x);
  x = moduleE(net, "Mixed_7b", x);
  x = moduleE(net, "Mixed_7c", x);
  x = net.flatten(net.globalAveragePool("avgpool", x));
  return net.finish(net.linear("fc", x, 2048, 1000), "output");
}

} // namespace enfold::zoo
