// Deformable convolution (Dai et al. 2017; with a mask, Zhu et al. 2018): every tap of every output
// pixel is read at its own offset, by bilinear interpolation with zeros around the image.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "reference/WindowLoop.h"

#include <cmath>

namespace enfold::reference {
namespace {

struct Image {
  const double* pixels;
  int64_t height, width;

  double at(double y, double x) const {
    return y >= 0 && x >= 0 && y < static_cast<double>(height) && x < static_cast<double>(width)
               ? pixels[static_cast<int64_t>(y) * width + static_cast<int64_t>(x)]
               : 0;
  }
  double sample(double y, double x) const {
    const double y0 = std::floor(y), x0 = std::floor(x), fy = y - y0, fx = x - x0;
    return (1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) +
           fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1));
  }
};

} // namespace

/// Offsets are [N, groups * taps * (dy, dx), H, W], the mask [N, groups * taps, H, W].
Result<> evalDeformConv(EvalContext& context) {
  const Shape &x = context.shape(0), &w = context.shape(1), &y = context.result().shape();
  ENFOLD_TRY(const Window window, context.window(spatialOf(w)));
  const std::vector<double> input = load<double>(context.operand(0)),
                            weights = load<double>(context.operand(1)),
                            offsets = load<double>(context.operand(2));
  const std::vector<double> bias =
      context.has(3) ? load<double>(context.operand(3)) : std::vector<double>();
  const std::vector<double> mask =
      context.has(4) ? load<double>(context.operand(4)) : std::vector<double>();
  const int64_t taps = w[2] * w[3], pixels = y[2] * y[3],
                outPerGroup = y[1] / context.integer("group");
  const int64_t offsetGroups = context.integer("offset_group");
  std::vector<double> sums(static_cast<size_t>(context.result().numElements()), 0.0);

  const auto sampleTap = [&](int64_t n, int64_t channel, int64_t tap, int64_t pixel) {
    const int64_t group = channel / (x[1] / offsetGroups);
    const int64_t plane = (n * offsetGroups + group) * taps + tap;
    const auto at = [&](size_t d, int64_t out, int64_t k, int64_t part) {
      return static_cast<double>(out * window.strides[d] - window.padsBegin[d] +
                                 k * window.dilations[d]) +
             offsets[static_cast<size_t>((2 * plane + part) * pixels + pixel)];
    };
    const Image image{input.data() + (n * x[1] + channel) * x[2] * x[3], x[2], x[3]};
    const double value =
        image.sample(at(0, pixel / y[3], tap / w[3], 0), at(1, pixel % y[3], tap % w[3], 1));
    return mask.empty() ? value : value * mask[static_cast<size_t>(plane * pixels + pixel)];
  };
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t o = 0; o < y[1]; ++o)
      for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        double sum = bias.empty() ? 0 : bias[static_cast<size_t>(o)];
        for (int64_t c = 0; c < w[1]; ++c)
          for (int64_t tap = 0; tap < taps; ++tap)
            sum += weights[static_cast<size_t>((o * w[1] + c) * taps + tap)] *
                   sampleTap(n, o / outPerGroup * w[1] + c, tap, pixel);
        sums[static_cast<size_t>((n * y[1] + o) * pixels + pixel)] = sum;
      }
  store(context.result(), sums);
  return {};
}

} // namespace enfold::reference
