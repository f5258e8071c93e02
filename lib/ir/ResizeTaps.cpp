// Coordinate transforms and interpolation kernels of resize.
#include "ir/ResizeTaps.h"

#include "ir/Infer.h"
#include "support/ErrorCodes.h"

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// One axis to be resized.
struct Axis {
  int64_t in, out;
  double scale;              ///< out / in as ONNX defines it for the coordinate transform
  double begin = 0, end = 1; ///< of the region of interest, as fractions
};

/// The input coordinate a result coordinate falls on.
double sourceOf(const ResizeSpec& m, const Axis& a, int64_t o) {
  const auto x = static_cast<double>(o);
  const auto in = static_cast<double>(a.in), out = static_cast<double>(a.out);
  const double resized = a.scale * in; // the result's length before it is cut to a whole number
  if (m.transform == "asymmetric") return x / a.scale;
  if (m.transform == "align_corners") return a.out == 1 ? 0 : x * (in - 1) / (resized - 1);
  if (m.transform == "pytorch_half_pixel") return a.out > 1 ? (x + 0.5) / a.scale - 0.5 : 0;
  if (m.transform == "half_pixel_symmetric") {
    const double adjustment = out / resized, center = in / 2;
    return center * (1 - adjustment) + (x + 0.5) / a.scale - 0.5;
  }
  if (m.transform == "tf_crop_and_resize")
    return a.out > 1 ? a.begin * (in - 1) + x * (a.end - a.begin) * (in - 1) / (out - 1)
                     : 0.5 * (a.begin + a.end) * (in - 1);
  return (x + 0.5) / a.scale - 0.5;
}

double roundedNearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  if (mode == "round_prefer_ceil") return std::floor(x + 0.5);
  return std::ceil(x - 0.5);
}

/// Keys' cubic convolution kernel (IEEE Trans. ASSP 29(6), 1981).
double cubicWeight(double a, double x) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

double kernelWeight(const ResizeSpec& m, double x) {
  return m.mode == "cubic" ? cubicWeight(m.cubic, x) : std::max(0.0, 1 - std::fabs(x));
}

std::vector<ResizeTap> tapsOf(const ResizeSpec& m, const Axis& a, double x) {
  if (m.mode == "nearest")
    return {
        {std::clamp<int64_t>(static_cast<int64_t>(roundedNearest(m.nearest, x)), 0, a.in - 1), 1}};
  // Antialiasing stretches the kernel when shrinking.
  const double stretch = m.antialias ? std::max(1.0, 1 / a.scale) : 1;
  const double support = (m.mode == "cubic" ? 2 : 1) * stretch;
  const auto first = static_cast<int64_t>(std::floor(x - support)) + 1;
  const auto last = static_cast<int64_t>(std::ceil(x + support)) - 1;
  std::vector<ResizeTap> taps;
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    const bool outside = i < 0 || i >= a.in;
    double weight = kernelWeight(m, (static_cast<double>(i) - x) / stretch);
    if (outside && m.excludeOutside) weight = 0;
    sum += weight;
    taps.push_back({std::clamp<int64_t>(i, 0, a.in - 1), weight});
  }
  for (ResizeTap& tap : taps) tap.weight /= sum;
  return taps;
}

/// The scale of each of `axes`. With sizes and a kept aspect ratio all have the same.
std::vector<double> scalesOf(const ResizeSpec& spec, const std::vector<int64_t>& axes,
                             const Shape& x) {
  std::vector<double> scales;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    scales.push_back(spec.sizes ? spec.sizes->asDouble(at) /
                                      static_cast<double>(x[static_cast<size_t>(axes[i])])
                                : spec.scales->asDouble(at));
  }
  if (spec.sizes && spec.policy != "stretch" && !scales.empty()) {
    const double common = spec.policy == "not_larger" ? *std::ranges::min_element(scales)
                                                      : *std::ranges::max_element(scales);
    std::ranges::fill(scales, common);
  }
  return scales;
}

} // namespace

Result<std::vector<ResizeAxis>> resizeAxes(const ResizeSpec& spec, const Shape& x, const Shape& y) {
  std::vector<int64_t> axes;
  for (size_t i = 0; i < x.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (spec.axes) axes = *spec.axes;
  for (int64_t& axis : axes) {
    ENFOLD_TRY(axis, normalizeAxis(axis, static_cast<int64_t>(x.size())));
  }
  const auto count = static_cast<int64_t>(axes.size());
  const Tensor* given = spec.sizes ? spec.sizes : spec.scales;
  if (!given || given->numElements() != count)
    return failure(ErrorCode::ShapeMismatch, "resize needs a scale or size for each axis");
  const bool crop = spec.transform == "tf_crop_and_resize";
  if (crop && spec.roi && spec.roi->numElements() != 2 * count)
    return failure(ErrorCode::ShapeMismatch, "the region of interest does not fit the axes");
  const std::vector<double> scales = scalesOf(spec, axes, x);
  std::vector<ResizeAxis> resized;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    Axis a{x[axis], y[axis], scales[i]};
    if (a.in == a.out && a.scale == 1 && !crop) continue;
    if (a.in == 0 && a.out > 0)
      return failure(ErrorCode::ShapeMismatch, "resize has nothing to sample");
    if (crop && spec.roi) {
      a.begin = spec.roi->asDouble(static_cast<int64_t>(i));
      a.end = spec.roi->asDouble(static_cast<int64_t>(i) + count);
    }
    ResizeAxis result{axis, a.in, a.out, {}, {}};
    for (int64_t o = 0; o < a.out; ++o) {
      const double at = sourceOf(spec, a, o);
      result.taps.push_back(tapsOf(spec, a, at));
      result.outside.push_back(crop && (at < 0 || at > static_cast<double>(a.in - 1)));
    }
    if (std::ranges::find(result.outside, true) == result.outside.end()) result.outside.clear();
    resized.push_back(std::move(result));
  }
  return resized;
}

Result<std::vector<ResizeAxis>> resizeAxes(const Op& op) {
  ResizeSpec spec = resizeSpecOf(op);
  const Tensor** operands[] = {&spec.roi, &spec.scales, &spec.sizes};
  for (size_t i = 1; i <= 3; ++i) {
    if (!op.own(i)) continue;
    *operands[i - 1] = op.own(i)->constant();
    if (!op.own(i)->constant()) return invalid("scales, sizes or region are not constant");
  }
  return resizeAxes(spec, op.own(0)->shape(), op.result()->shape());
}

bool resizesPixels(const Op& op) {
  const auto axes = resizeAxes(op);
  return axes && std::ranges::all_of(*axes, [](const ResizeAxis& axis) {
           return axis.axis >= 2 && axis.outside.empty();
         });
}

} // namespace enfold
