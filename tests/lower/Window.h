// Random windows of convolutions and pools, with images they fit.
#pragma once

#include "Differential.h"

namespace enfold {

struct RandomWindow {
  std::vector<int64_t> kernel, strides, dilations, pads;
  Shape image; ///< spatial sizes

  AttrMap attrs() const { return {{"strides", strides}, {"dilations", dilations}, {"pads", pads}}; }
};

struct WindowLimits {
  int64_t kernel = 4, stride = 3, dilation = 3;
  int64_t side = 14; ///< an image is at most that much larger than the least that fits
};

/// Pads are asymmetric and, as pools demand, less than the kernel.
inline RandomWindow randomWindow(Sizes& sizes, int64_t rank, const WindowLimits& limits = {}) {
  RandomWindow w;
  std::vector<int64_t> after;
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t k = sizes.between(1, limits.kernel);
    const int64_t d = k == 1 ? 1 : sizes.between(1, limits.dilation);
    w.kernel.push_back(k);
    w.dilations.push_back(d);
    w.strides.push_back(sizes.between(1, limits.stride));
    w.pads.push_back(sizes.between(0, k - 1));
    after.push_back(sizes.between(0, k - 1));
    const int64_t least = (k - 1) * d + 1 - w.pads.back() - after.back();
    w.image.push_back(std::max<int64_t>(1, least) + sizes.between(0, limits.side));
  }
  w.pads.insert(w.pads.end(), after.begin(), after.end());
  return w;
}

/// A channel-blocked tensor [n, channels, image...]: a 1x1 convolution of an input of its own.
inline Value* blockedInput(GraphBuilder& g, int64_t n, int64_t channels, const Shape& image,
                           const std::string& name = "x") {
  Shape in = {n, 3}, weight = {channels, 3};
  in.insert(in.end(), image.begin(), image.end());
  weight.insert(weight.end(), image.size(), 1);
  return g.op(OpKind::Conv, name + ".stem",
              {g.input(name, f32(in)), g.uniform(name + ".weight", weight, -0.5, 0.5)});
}

} // namespace enfold
