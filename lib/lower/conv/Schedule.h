// The cost model of direct convolution: which register tile and loop order to use.
#pragma once

#include "kernel/Target.h"
#include "lower/conv/ConvProblem.h"

namespace enfold::lower {

/// A register tile of `pixels` output pixels along the width by `blocks` vectors of output
/// channels.
struct ConvSchedule {
  int64_t pixels = 1;
  int64_t blocks = 1;
  int64_t rows = 1;   ///< output rows an iteration of the parallel loop computes
  int64_t unroll = 1; ///< input channels per iteration of the innermost loop
};

ConvSchedule scheduleConv(const ConvProblem& problem, const kir::Target& target);

} // namespace enfold::lower
