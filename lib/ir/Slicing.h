// What a slice cuts, read off its constant operands.
#pragma once

#include "ir/Graph.h"

#include <optional>
#include <vector>

namespace enfold {

/// Element i of the result along `axis` is element begin + i * step of the operand.
struct SlicedAxis {
  int64_t axis, begin, step;
};

/// The axes a slice cuts or steps along, without those it leaves whole; none when its bounds are
/// not constant.
std::optional<std::vector<SlicedAxis>> slicedAxes(const Op& slice);

} // namespace enfold
