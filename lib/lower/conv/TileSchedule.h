// The cost model of convolution by tiles.
#pragma once

#include "kernel/Target.h"
#include "lower/conv/TileGeometry.h"

#include <optional>
#include <string>

namespace enfold::lower {

/// An iteration of the parallel loop computes `rows` rows of an image and `groups` groups of
/// kGroupChannels output channels: with a tile of weights for each half of a group and two tiles of
/// pixels at a time.
struct TileSchedule {
  static constexpr int64_t kGroupChannels = 2 * kir::kTileRows;

  int64_t rows = 1, groups = 1;
};

struct TileCandidate {
  kir::Scalar pixel;
  TileSchedule schedule;
  double cycles; ///< estimated, on one core

  /// "tiles bytes", "tiles bf16"
  std::string name() const;
};

/// None if copies of the input would be too large, or the target multiplies no tiles of the type.
std::optional<TileCandidate> tileCandidate(const WindowProblem& problem, kir::Scalar pixel,
                                           int64_t inputBlock, const kir::Machine& machine);

} // namespace enfold::lower
