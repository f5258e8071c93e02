// The modes of ONNX's Pad.
#include "ir/Padding.h"

#include <algorithm>

namespace enfold {
namespace {

/// Of position `at`, which may lie outside.
int64_t shown(std::string_view mode, int64_t at, int64_t size) {
  if (mode == "edge") return std::clamp<int64_t>(at, 0, size - 1);
  if (mode == "wrap") return (at % size + size) % size;
  // Reflected at the centres of the first and the last element, which are not repeated.
  if (size == 1) return 0;
  const int64_t period = 2 * (size - 1), inPeriod = (at % period + period) % period;
  return inPeriod < size ? inPeriod : period - inPeriod;
}

} // namespace

int64_t paddedSource(std::string_view mode, int64_t at, int64_t size, int64_t before,
                     int64_t after) {
  const int64_t removed = std::max<int64_t>(0, -before);
  const int64_t left = size - removed - std::max<int64_t>(0, -after);
  return removed + shown(mode, at - std::max<int64_t>(0, before), left);
}

} // namespace enfold
