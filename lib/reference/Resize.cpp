// Resize: nearest, linear and cubic interpolation, separably, one axis after another.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

/// What one result coordinate along an axis is made of: input coordinates and their weights.
struct Tap {
  int64_t at;
  double weight;
};

/// One axis to be resized.
struct Axis {
  int64_t in, out;
  double scale;              ///< out / in as ONNX defines it for the coordinate transform
  double begin = 0, end = 1; ///< of the region of interest, as fractions
};

struct Mode {
  std::string mode, transform, nearest;
  double cubic = 0;
  bool excludeOutside = false, antialias = false;
};

/// The input coordinate a result coordinate falls on.
double sourceOf(const Mode& m, const Axis& a, int64_t o) {
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

double kernelWeight(const Mode& m, double x) {
  return m.mode == "cubic" ? cubicWeight(m.cubic, x) : std::max(0.0, 1 - std::fabs(x));
}

std::vector<Tap> tapsOf(const Mode& m, const Axis& a, int64_t o) {
  const double x = sourceOf(m, a, o);
  if (m.mode == "nearest")
    return {
        {std::clamp<int64_t>(static_cast<int64_t>(roundedNearest(m.nearest, x)), 0, a.in - 1), 1}};
  // Antialiasing stretches the kernel when shrinking.
  const double stretch = m.antialias ? std::max(1.0, 1 / a.scale) : 1;
  const double support = (m.mode == "cubic" ? 2 : 1) * stretch;
  const auto first = static_cast<int64_t>(std::floor(x - support)) + 1;
  const auto last = static_cast<int64_t>(std::ceil(x + support)) - 1;
  std::vector<Tap> taps;
  double sum = 0;
  for (int64_t i = first; i <= last; ++i) {
    const bool outside = i < 0 || i >= a.in;
    double weight = kernelWeight(m, (static_cast<double>(i) - x) / stretch);
    if (outside && m.excludeOutside) weight = 0;
    sum += weight;
    taps.push_back({std::clamp<int64_t>(i, 0, a.in - 1), weight});
  }
  for (Tap& tap : taps) tap.weight /= sum;
  return taps;
}

/// Resizes `values` of `shape` along one axis.
std::vector<double> resizeAxis(const std::vector<double>& values, const Shape& shape, size_t axis,
                               const std::vector<std::vector<Tap>>& taps) {
  int64_t outer = 1, inner = 1;
  for (size_t i = 0; i < axis; ++i) outer *= shape[i];
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  const auto out = static_cast<int64_t>(taps.size());
  std::vector<double> result(static_cast<size_t>(outer * out * inner), 0);
  for (int64_t n = 0; n < outer; ++n)
    for (int64_t o = 0; o < out; ++o)
      for (const Tap& tap : taps[static_cast<size_t>(o)])
        for (int64_t i = 0; i < inner; ++i)
          result[static_cast<size_t>((n * out + o) * inner + i)] +=
              tap.weight * values[static_cast<size_t>((n * shape[axis] + tap.at) * inner + i)];
  return result;
}

} // namespace

Result<> evalResize(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  const Mode mode{context.string("mode"),
                  context.string("coordinate_transformation_mode"),
                  context.string("nearest_mode"),
                  context.real("cubic_coeff_a"),
                  context.integer("exclude_outside") != 0,
                  context.integer("antialias") != 0};
  std::vector<int64_t> axes = context.ints("axes");
  if (!context.hasAttr("axes"))
    for (size_t i = 0; i < x.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  for (int64_t& axis : axes) {
    ENFOLD_TRY(axis, normalizeAxis(axis, context.operand().rank()));
  }
  // With sizes and a kept aspect ratio, every axis is scaled by the same factor.
  std::vector<double> scales(x.size(), 1);
  const std::string policy = context.string("keep_aspect_ratio_policy");
  double common = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    scales[axis] = context.has(3) ? context.operand(3).asDouble(int64_t(i)) / double(x[axis])
                                  : context.operand(2).asDouble(int64_t(i));
    common = i == 0                   ? scales[axis]
             : policy == "not_larger" ? std::min(common, scales[axis])
                                      : std::max(common, scales[axis]);
  }
  if (context.has(3) && policy != "stretch")
    for (int64_t axis : axes) scales[static_cast<size_t>(axis)] = common;

  std::vector<double> values = load<double>(context.operand());
  const bool crop = mode.transform == "tf_crop_and_resize";
  std::vector<std::vector<bool>> outside(x.size());
  Shape shape = x;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    Axis a{x[axis], y[axis], scales[axis]};
    if (crop && context.has(1)) {
      a.begin = context.operand(1).asDouble(static_cast<int64_t>(i));
      a.end = context.operand(1).asDouble(static_cast<int64_t>(i + axes.size()));
    }
    std::vector<std::vector<Tap>> taps;
    for (int64_t o = 0; o < a.out; ++o) {
      taps.push_back(tapsOf(mode, a, o));
      const double at = sourceOf(mode, a, o);
      outside[axis].push_back(crop && (at < 0 || at > static_cast<double>(a.in - 1)));
    }
    if (a.in == a.out && a.scale == 1 && !crop) continue;
    values = resizeAxis(values, shape, axis, taps);
    shape[axis] = a.out;
  }
  if (crop) {
    size_t next = 0;
    forEachIndex(y, [&](std::span<const int64_t> index) {
      for (size_t axis = 0; axis < index.size(); ++axis)
        if (!outside[axis].empty() && outside[axis][static_cast<size_t>(index[axis])])
          values[next] = context.real("extrapolation_value");
      ++next;
    });
  }
  store(context.result(), values);
  return {};
}

} // namespace enfold::reference
