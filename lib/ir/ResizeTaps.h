// How resize samples its operand: separably, so that a coordinate of the result along an axis is a
// weighted sum of a few input coordinates along that axis. The reference and the kernels read what
// the op means here.
#pragma once

#include "ir/Graph.h"
#include "support/Result.h"

#include <optional>
#include <string>
#include <vector>

namespace enfold {

/// What an axis' result coordinate is made of.
struct ResizeTap {
  int64_t at;    ///< input coordinate, inside the input
  double weight; ///< all of a result coordinate's weights add up to 1
};

struct ResizeAxis {
  size_t axis;
  int64_t in, out;
  std::vector<std::vector<ResizeTap>> taps; ///< of each result coordinate
  /// Result coordinates that take the extrapolation value; empty when there are none.
  std::vector<bool> outside;
};

/// Attributes and constant operands of a resize.
struct ResizeSpec {
  std::string mode, transform, nearest, policy;
  double cubic = 0;
  bool excludeOutside = false, antialias = false;
  std::optional<std::vector<int64_t>> axes; ///< none: all
  const Tensor *roi = nullptr, *scales = nullptr, *sizes = nullptr;
};

/// Reads the attributes of an Op, or of anything else with its accessors.
template <typename Source> ResizeSpec resizeSpecOf(const Source& source) {
  ResizeSpec spec{source.string("mode"),           source.string("coordinate_transformation_mode"),
                  source.string("nearest_mode"),   source.string("keep_aspect_ratio_policy"),
                  source.real("cubic_coeff_a"),    source.integer("exclude_outside") != 0,
                  source.integer("antialias") != 0};
  if (source.hasAttr("axes")) spec.axes = source.ints("axes");
  return spec;
}

/// The axes that change, of an operand of shape `x` and a result of shape `y`.
Result<std::vector<ResizeAxis>> resizeAxes(const ResizeSpec& spec, const Shape& x, const Shape& y);

/// The same for an op; an error when its operands are not constant.
Result<std::vector<ResizeAxis>> resizeAxes(const Op& op);

/// True for a resize that leaves batch and channels alone and extrapolates nothing.
bool resizesPixels(const Op& op);

} // namespace enfold
