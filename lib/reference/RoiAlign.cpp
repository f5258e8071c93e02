// RoiAlign (He et al., Mask R-CNN, 2017): boxes of an image resampled to one size, each result
// pixel from a grid of bilinear samples.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace enfold::reference {
namespace {

/// The four pixels a sample lies between, and their weights; all weights are 0 outside the image.
struct Corners {
  std::array<int64_t, 4> at{};
  std::array<double, 4> weight{};
};

Corners cornersOf(double y, double x, int64_t height, int64_t width) {
  if (!(y >= -1 && y <= static_cast<double>(height) && x >= -1 && x <= static_cast<double>(width)))
    return {};
  struct Position {
    int64_t low, high;
    double fraction;
  };
  const auto along = [](double p, int64_t size) -> Position {
    p = std::max(p, 0.0);
    const auto low = static_cast<int64_t>(p);
    if (low >= size - 1) return {size - 1, size - 1, 0};
    return {low, low + 1, p - static_cast<double>(low)};
  };
  const Position v = along(y, height), h = along(x, width);
  return {{v.low * width + h.low, v.low * width + h.high, v.high * width + h.low,
           v.high * width + h.high},
          {(1 - v.fraction) * (1 - h.fraction), (1 - v.fraction) * h.fraction,
           v.fraction * (1 - h.fraction), v.fraction * h.fraction}};
}

/// One box, in pixels, cut into bins of samples.
struct Box {
  double top, left, binHeight, binWidth;
  int64_t rows, columns; ///< samples of a bin

  std::vector<Corners> samplesOf(int64_t ph, int64_t pw, int64_t height, int64_t width) const {
    std::vector<Corners> samples;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        samples.push_back(cornersOf(
            top + (double(ph) + (double(i) + 0.5) / double(rows)) * binHeight,
            left + (double(pw) + (double(j) + 0.5) / double(columns)) * binWidth, height, width));
    return samples;
  }
};

Box boxOf(const EvalContext& context, int64_t roi, int64_t outHeight, int64_t outWidth) {
  const bool halfPixel = context.string("coordinate_transformation_mode") == "half_pixel";
  const double scale = context.real("spatial_scale"), offset = halfPixel ? 0.5 : 0;
  const auto edge = [&](int64_t i) {
    return context.operand(1).asDouble(roi * 4 + i) * scale - offset;
  };
  double width = edge(2) - edge(0), height = edge(3) - edge(1);
  if (!halfPixel) {
    width = std::max(width, 1.0);
    height = std::max(height, 1.0);
  }
  const double binHeight = height / double(outHeight), binWidth = width / double(outWidth);
  const int64_t ratio = context.integer("sampling_ratio");
  const auto samples = [&](double bin) {
    constexpr double kMost = 1 << 20;
    return ratio > 0 ? ratio : static_cast<int64_t>(std::clamp(std::ceil(bin), 0.0, kMost));
  };
  return {edge(1), edge(0), binHeight, binWidth, samples(binHeight), samples(binWidth)};
}

/// The mean of a bin's samples; or, as the standard has it, the largest weighted corner.
double pooled(const std::vector<Corners>& samples, const double* plane, bool mean) {
  if (samples.empty()) return 0;
  double sum = 0, most = -INFINITY;
  for (const Corners& sample : samples)
    for (size_t k = 0; k < 4; ++k) {
      const double part = sample.weight[k] * plane[sample.at[k]];
      sum += part;
      most = std::max(most, part);
    }
  return mean ? sum / static_cast<double>(samples.size()) : most;
}

} // namespace

Result<> evalRoiAlign(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const bool mean = context.string("mode") == "avg";
  const std::vector<double> input = load<double>(context.operand(0));
  const std::vector<int64_t> images = context.operand(2).toInts();
  std::vector<double> values;
  values.reserve(static_cast<size_t>(context.result().numElements()));
  for (int64_t roi = 0; roi < y[0]; ++roi) {
    const int64_t image = images[static_cast<size_t>(roi)];
    if (image < 0 || image >= x[0])
      return invalid(fmt::format("batch index {} is out of range for {} images", image, x[0]));
    const Box box = boxOf(context, roi, y[2], y[3]);
    std::vector<std::vector<Corners>> bins;
    for (int64_t ph = 0; ph < y[2]; ++ph)
      for (int64_t pw = 0; pw < y[3]; ++pw) bins.push_back(box.samplesOf(ph, pw, x[2], x[3]));
    for (int64_t c = 0; c < y[1]; ++c)
      for (const std::vector<Corners>& bin : bins)
        values.push_back(pooled(bin, input.data() + (image * x[1] + c) * x[2] * x[3], mean));
  }
  store(context.result(), values);
  return {};
}

} // namespace enfold::reference
