// RoiAlign (He et al., Mask R-CNN, 2017): boxes of an image resampled to one size, each result
// pixel from a grid of bilinear samples.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

/// Between which pixels of an axis a sample lies.
struct Position {
  int64_t low, high;
  double fraction;
};

/// Samples of a bin along one axis. Those outside the image read zeros.
struct Samples {
  int64_t count;
  std::vector<Position> inside;

  Samples(double begin, double bin, int64_t count, int64_t size) : count(count) {
    for (int64_t i = 0; i < count; ++i) {
      const double at = begin + (double(i) + 0.5) / double(count) * bin;
      if (!(at >= -1 && at <= static_cast<double>(size))) continue;
      const double p = std::max(at, 0.0);
      const auto low = static_cast<int64_t>(p);
      inside.push_back(low >= size - 1 ? Position{size - 1, size - 1, 0}
                                       : Position{low, low + 1, p - static_cast<double>(low)});
    }
  }
};

/// One box, in pixels, cut into bins of samples.
struct Box {
  double top, left, binHeight, binWidth;
  int64_t rows, columns; ///< samples of a bin
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
    return ratio > 0 ? ratio : bin > 0 ? static_cast<int64_t>(std::min(std::ceil(bin), kMost)) : 0;
  };
  return {edge(1), edge(0), binHeight, binWidth, samples(binHeight), samples(binWidth)};
}

/// The mean of a bin's samples; or, as the standard has it, the largest weighted corner. A pixel
/// without weight is not read.
double pooled(const Samples& rows, const Samples& columns, const double* plane, int64_t width,
              bool mean) {
  if (rows.count == 0 || columns.count == 0) return 0;
  const bool allInside = std::ssize(rows.inside) == rows.count && //
                         std::ssize(columns.inside) == columns.count;
  double sum = 0, most = allInside ? -INFINITY : 0;
  const auto take = [&](int64_t y, int64_t x, double weight) {
    const double part = weight == 0 ? 0 : weight * plane[y * width + x];
    sum += part;
    most = std::max(most, part);
  };
  for (const Position& y : rows.inside)
    for (const Position& x : columns.inside) {
      take(y.low, x.low, (1 - y.fraction) * (1 - x.fraction));
      take(y.low, x.high, (1 - y.fraction) * x.fraction);
      take(y.high, x.low, y.fraction * (1 - x.fraction));
      take(y.high, x.high, y.fraction * x.fraction);
    }
  return mean ? sum / (static_cast<double>(rows.count) * static_cast<double>(columns.count)) : most;
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
      return failure(ErrorCode::BadData,
                     fmt::format("batch index {} is out of range for {} images", image, x[0]));
    const Box box = boxOf(context, roi, y[2], y[3]);
    std::vector<Samples> rows, columns;
    for (int64_t i = 0; i < y[2]; ++i)
      rows.emplace_back(box.top + double(i) * box.binHeight, box.binHeight, box.rows, x[2]);
    for (int64_t i = 0; i < y[3]; ++i)
      columns.emplace_back(box.left + double(i) * box.binWidth, box.binWidth, box.columns, x[3]);
    for (int64_t c = 0; c < y[1]; ++c) {
      const double* plane = input.data() + (image * x[1] + c) * x[2] * x[3];
      for (const Samples& row : rows)
        for (const Samples& column : columns)
          values.push_back(pooled(row, column, plane, x[3], mean));
    }
  }
  store(context.result(), values);
  return {};
}

} // namespace enfold::reference
