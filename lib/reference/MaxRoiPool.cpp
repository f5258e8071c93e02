// MaxRoiPool (Girshick, Fast R-CNN, 2015): the largest number of each bin of a box, whose corners
// are rounded to pixels, both included.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

/// Pixels [begin, end) of bin number `bin` of `bins`, within an axis of `size` pixels.
struct Bin {
  int64_t begin, end;

  /// In floats, as boxes and scale are: which pixels are of a bin hangs on how products round.
  Bin(float first, float last, int64_t bin, int64_t bins, int64_t size) {
    const float extent = std::max(last - first + 1, 1.0f) / static_cast<float>(bins);
    const auto place = [&](float at) {
      return static_cast<int64_t>(std::clamp(at + first, 0.0f, static_cast<float>(size)));
    };
    begin = place(std::floor(static_cast<float>(bin) * extent));
    end = place(std::ceil(static_cast<float>(bin + 1) * extent));
  }
};

} // namespace

Result<> evalMaxRoiPool(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const std::vector<double> images = load<double>(context.operand(0));
  const std::vector<double> rois = load<double>(context.operand(1));
  const auto scale = static_cast<float>(context.real("spatial_scale"));
  std::vector<double> pooled(static_cast<size_t>(context.result().numElements()));
  size_t to = 0;
  for (int64_t box = 0; box < y[0]; ++box) {
    const double* roi = rois.data() + box * 5;
    if (!(roi[0] >= 0 && roi[0] < static_cast<double>(x[0])))
      return failure(ErrorCode::BadData, fmt::format("box {} is of image {}, of which there are {}",
                                                     box, roi[0], x[0]));
    const auto image = static_cast<int64_t>(roi[0]);
    const auto corner = [&](size_t i) {
      return std::round(static_cast<float>(roi[1 + i]) * scale);
    };
    for (int64_t c = 0; c < x[1]; ++c)
      for (int64_t ph = 0; ph < y[2]; ++ph)
        for (int64_t pw = 0; pw < y[3]; ++pw, ++to) {
          const Bin rows(corner(1), corner(3), ph, y[2], x[2]);
          const Bin columns(corner(0), corner(2), pw, y[3], x[3]);
          const double* plane = images.data() + (image * x[1] + c) * x[2] * x[3];
          double most = rows.begin < rows.end && columns.begin < columns.end ? -INFINITY : 0;
          for (int64_t i = rows.begin; i < rows.end; ++i)
            for (int64_t j = columns.begin; j < columns.end; ++j) {
              const double value = plane[i * x[3] + j];
              if (value > most || std::isnan(value)) most = value;
            }
          pooled[to] = most;
        }
  }
  store(context.result(), pooled);
  return {};
}

} // namespace enfold::reference
