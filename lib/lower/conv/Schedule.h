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

/// Cycles for one reduction step of a tile of `pixels` by `blocks` vectors.
double tileCycles(int64_t pixels, int64_t blocks);

/// Estimated cycles of the whole convolution on one core.
double directCycles(const ConvProblem& problem, const kir::Target& target);

ConvSchedule scheduleConv(const ConvProblem& problem, const kir::Target& target);

} // namespace enfold::lower
