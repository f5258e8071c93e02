// Bounds of slices count from either end and are clamped to the axis.
#include "ir/Slicing.h"

#include <algorithm>

namespace enfold {

std::optional<std::vector<SlicedAxis>> slicedAxes(const Op& slice) {
  for (size_t i = 1; i <= 4; ++i)
    if (slice.own(i) && !slice.own(i)->constant()) return std::nullopt;
  const Shape &whole = slice.own(0)->shape(), &part = slice.result()->shape();
  const std::vector<int64_t> starts = slice.own(1)->constant()->toInts();
  std::vector<SlicedAxis> axes;
  for (size_t i = 0; i < starts.size(); ++i) {
    const auto number = static_cast<int64_t>(i);
    const int64_t axis = slice.own(3) ? frontAxis(slice.own(3)->constant()->asInt(number),
                                                  slice.own(0)->type().rank())
                                      : number;
    const int64_t step = slice.own(4) ? slice.own(4)->constant()->asInt(number) : 1;
    const int64_t size = whole[static_cast<size_t>(axis)];
    if (part[static_cast<size_t>(axis)] == size && step == 1) continue;
    const int64_t start = starts[i] < 0 && starts[i] >= -size ? starts[i] + size : starts[i];
    const int64_t last = step < 0 ? std::max<int64_t>(size - 1, 0) : size;
    axes.push_back({axis, std::clamp<int64_t>(start, 0, last), step});
  }
  return axes;
}

} // namespace enfold
