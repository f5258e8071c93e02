// The taps of a resize as windows of one width, the form in which kernels read them.
#pragma once

#include "ir/ResizeTaps.h"

#include <cstdint>
#include <vector>

namespace enfold::lower {

/// Result coordinate o is the sum of weights[o * taps + t] times input first[o] + t, t < taps.
struct ResizeWindows {
  int64_t in = 1, out = 1;
  int64_t taps = 1;
  std::vector<int32_t> first;
  std::vector<float> weights;

  /// Every result coordinate is one input coordinate.
  bool copies() const { return taps == 1; }
};

ResizeWindows windowsOf(const ResizeAxis& axis);
/// The windows of an axis of that size which is left as it is.
ResizeWindows identityWindows(int64_t size);

/// Result coordinates that repeat: of o in [begin, begin + periods * period), o and o + period have
/// equal weights, and windows `step` apart.
struct PeriodicRange {
  int64_t begin = 0, period = 1, step = 1, periods = 0;
  int64_t end() const { return begin + period * periods; }
};

/// The longest such range of a short period; what lies before and after it is the borders.
PeriodicRange periodicRange(const ResizeWindows& windows);

} // namespace enfold::lower
