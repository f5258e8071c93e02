// The cost model of direct convolution: which register tile and loop order to use.
#pragma once

#include "kernel/Target.h"
#include "lower/Words.h"
#include "lower/window/WindowProblem.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enfold::lower {

/// A register tile of `pixels` output pixels along the width by `blocks` vectors of output
/// channels.
struct ConvSchedule {
  int64_t pixels = 1;
  int64_t blocks = 1;
  int64_t rows = 1;          ///< output rows an iteration of the parallel loop computes
  int64_t tiles = 0;         ///< tiles of a row that it computes, of a single row; 0: all
  int64_t unroll = 1;        ///< words of input channels per iteration of the innermost loop
  bool sharesPixels = false; ///< taps of a row share the pixels they read; see TapRow
  bool spansRows = false;    ///< the pixels of a tile are of several rows and images
  Words words = {};
};

/// Some of the output channels of every group, which a kernel of their own computes.
struct ConvPart {
  int64_t firstBlock = 0, numBlocks = 0; ///< blocks of channels, within a group
  ConvSchedule schedule;
};

/// Direct convolution with one register tile for all channels, or two where they do not divide.
struct DirectCandidate {
  std::vector<ConvPart> parts;
  double cycles; ///< estimated, on one core

  bool spansRows() const { return parts.front().schedule.spansRows; }
  /// "direct 6x2", "direct shared 4x3 + 6x1", "direct spanning 6x2", "direct bytes 6x2", "direct
  /// bf16 6x2"
  std::string name() const;
};

/// One candidate for every number of blocks in a tile, with and without sharing pixels; the best
/// first.
std::vector<DirectCandidate> directCandidates(const WindowProblem& problem,
                                              const kir::Target& target, const Words& words = {});

/// All pixels of the result, of all images, as one row of a window of as many taps.
WindowProblem flattened(const WindowProblem& problem);

/// The same of tiles that span rows and images, of a problem without padding.
std::vector<DirectCandidate> spanningCandidates(const WindowProblem& problem,
                                                const kir::Target& target, const Words& words = {});
/// The candidate of that name, which may have other tiles than those that fit the problem best;
/// none if the name says nothing that the problem and the target allow.
std::optional<DirectCandidate> directCandidate(std::string_view name, const WindowProblem& problem,
                                               const kir::Target& target, const Words& words = {});

/// The best schedule for all channels alike.
ConvSchedule scheduleConv(const WindowProblem& problem, const kir::Target& target);

/// Cycles for one reduction step of a tile of `pixels` by `blocks` vectors.
double tileCycles(const kir::Machine& machine, int64_t pixels, int64_t blocks,
                  const Words& words = {});

/// Registers that a tile takes: for sums, weights, a pixel, and what multiplying words needs
/// besides. The weights are those of `taps` taps.
int64_t tileRegisters(const kir::Machine& machine, int64_t pixels, int64_t blocks, int64_t taps,
                      const Words& words = {});

} // namespace enfold::lower
