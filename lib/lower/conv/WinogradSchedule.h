// The cost model of Winograd convolution.
#pragma once

#include "kernel/Target.h"
#include "lower/window/WindowProblem.h"

#include <string>
#include <vector>

namespace enfold::lower {

/// Transformed inputs from this magnitude on, and weights, are left to direct convolution: their
/// rounding errors, which a transform hands to the whole tile, are as large as ordinary numbers.
inline constexpr float kLargestPoint = 0x1p20f;

struct WinogradSchedule {
  int64_t outputs = 4; ///< m of F(m x m, 3 x 3)
  int64_t pixels = 1;  ///< register tile of the products: tiles …
  int64_t blocks = 1;  ///< … by vectors of output channels
  int64_t chunk = 1;   ///< tiles that are transformed together
  bool staged = false; ///< all inputs are transformed before the first product

  /// Tiles in a plane, and chunks of them. Images without depth are one plane together.
  int64_t tiles(const WindowProblem& p) const;
  int64_t chunks(const WindowProblem& p) const { return (tiles(p) + chunk - 1) / chunk; }
  /// Tiles of a chunk, up to whole register tiles.
  int64_t paddedChunk() const { return (chunk + pixels - 1) / pixels * pixels; }

  bool operator==(const WinogradSchedule&) const = default;
};

/// Whether planes have a depth: then every plane of the result sums those of the input under the
/// window, each of which is a 3x3 convolution, and chunks are staged.
inline bool isVolume(const WindowProblem& p) { return p.in[0] > 1 || p.kernel[0] > 1; }

/// Planes of all images that are transformed apart, `sizes` being those of the input or the result.
inline int64_t planes(const WindowProblem& p, const WindowProblem::Spatial& sizes) {
  return isVolume(p) ? p.batch * sizes[0] : 1;
}

/// The window is 3x3 along height and width, of stride 1 there, evenly dilated, without groups, and
/// no plane of the result lies in the padding only.
bool isWinogradWindow(const WindowProblem& problem);

struct WinogradCandidate {
  WinogradSchedule schedule;
  double cycles; ///< estimated, on one core

  std::string name() const; ///< "winograd f4 6x2 of 48"
};

/// Every size of tile, with chunks about as large as the cache asks for, fused and staged, for a
/// window that fits; the best first.
std::vector<WinogradCandidate> winogradCandidates(const WindowProblem& problem,
                                                  const kir::Target& target);

} // namespace enfold::lower
