// The cost model of direct convolution: which register tile and loop order to use.
#pragma once

#include "kernel/Target.h"
#include "lower/conv/ConvProblem.h"

#include <string>
#include <vector>

namespace enfold::lower {

/// A register tile of `pixels` output pixels along the width by `blocks` vectors of output
/// channels.
struct ConvSchedule {
  int64_t pixels = 1;
  int64_t blocks = 1;
  int64_t rows = 1;          ///< output rows an iteration of the parallel loop computes
  int64_t unroll = 1;        ///< input channels per iteration of the innermost loop
  bool sharesPixels = false; ///< taps of a row share the pixels they read; see TapRow
};

/// Some of the output channels of every group, which a kernel of their own computes.
struct ConvPart {
  int64_t firstBlock = 0, numBlocks = 0; ///< blocks of channels, within a group
  ConvSchedule schedule;
};

/// A way to compute a convolution, and its estimated cycles on one core.
struct ConvWay {
  std::string name; ///< "direct 6x2"
  double cycles;
};

/// Direct convolution with one register tile for all channels, for every number of blocks.
std::vector<ConvWay> directWays(const ConvProblem& problem, const kir::Target& target);

/// Cycles for one reduction step of a tile of `pixels` by `blocks` vectors.
double tileCycles(int64_t pixels, int64_t blocks);

/// Estimated cycles of the whole convolution on one core.
double directCycles(const ConvProblem& problem, const kir::Target& target);

/// One schedule for all channels; schedule.blocks divides them.
ConvSchedule scheduleConv(const ConvProblem& problem, const kir::Target& target);

/// The same in two parts if the channels do not divide well.
std::vector<ConvPart> scheduleConvParts(const ConvProblem& problem, const kir::Target& target);

} // namespace enfold::lower
