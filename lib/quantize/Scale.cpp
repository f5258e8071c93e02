// Asymmetric scales of 8 bits.
#include "quantize/Scale.h"

#include <algorithm>
#include <cmath>

namespace enfold::quantize {

double Scale::rounded(double value) const {
  const double code = std::clamp(std::nearbyint(value / scale) + zero, 0.0, 255.0);
  return (code - zero) * scale;
}

bool canScale(const Range& range) { return (range.high - range.low) / 255 <= kGreatestScale; }

Scale scaleFor(const Range& range) {
  if (range.isZero()) return scaleFor({0, 1});
  const auto scale = static_cast<float>(std::max((range.high - range.low) / 255, kLeastScale));
  const double zero = std::nearbyint(-range.low / scale);
  return {scale, static_cast<int>(std::clamp(zero, 0.0, 255.0))};
}

} // namespace enfold::quantize
