// The cost model of Winograd convolution.
#pragma once

#include "kernel/Target.h"
#include "lower/Words.h"
#include "lower/window/WindowProblem.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace enfold::lower {

/// Weights from this magnitude on are left to direct convolution, and so may be transformed inputs:
/// their rounding errors, which a transform hands to the whole tile, are as large as ordinary
/// numbers.
inline constexpr float kLargestPoint = 0x1p20f;
/// So much larger than the numbers of any window a tile's largest number may be then: the errors of
/// the transforms stay below 2^-12 of a window's own largest number.
inline constexpr float kLargestSpread = 0x1p8f;
/// And of this magnitude at most: sums of larger numbers may overflow.
inline constexpr float kLargestNumber = 0x1p100f;

struct WinogradSchedule {
  int64_t side = 6;    ///< inputs of a tile along each axis of several taps
  int64_t pixels = 1;  ///< register tile of the products: tiles …
  int64_t blocks = 1;  ///< … by vectors of output channels
  int64_t chunk = 1;   ///< tiles that are transformed together
  bool staged = false; ///< all inputs are transformed before the first product
  Words words = {};    ///< that the products multiply

  /// Outputs of a tile along dimension `d`: m of F(m, r).
  int64_t outputs(const WindowProblem& p, size_t d) const {
    return p.kernel[d] == 1 ? 1 : side + 1 - p.kernel[d];
  }
  /// Points of a tile.
  int64_t points(const WindowProblem& p) const {
    return (p.kernel[1] == 1 ? 1 : side) * (p.kernel[2] == 1 ? 1 : side);
  }
  /// Tiles in a plane, and chunks of them. Images without depth are one plane together.
  int64_t tiles(const WindowProblem& p) const;
  int64_t chunks(const WindowProblem& p) const { return (tiles(p) + chunk - 1) / chunk; }
  /// Tiles of a chunk, up to whole register tiles.
  int64_t paddedChunk() const { return (chunk + pixels - 1) / pixels * pixels; }

  bool operator==(const WinogradSchedule&) const = default;
};

/// Between the pixels that a window sees along dimension `d`.
inline int64_t stepOf(const WindowProblem& p, size_t d) {
  return p.kernel[d] == 1 ? 1 : p.dilations[d];
}

/// Whether planes have a depth: then every plane of the result sums those of the input under the
/// window, each of which is a convolution of its own, and chunks are staged.
inline bool isVolume(const WindowProblem& p) { return p.in[0] > 1 || p.kernel[0] > 1; }

/// Planes of all images that are transformed apart, `sizes` being those of the input or the result.
inline int64_t planes(const WindowProblem& p, const WindowProblem::Spatial& sizes) {
  return isVolume(p) ? p.batch * sizes[0] : 1;
}

/// Whether the window has taps along one of height and width only.
inline bool isAlongOneAxis(const WindowProblem& p) { return p.kernel[1] == 1 || p.kernel[2] == 1; }

/// The window has 1 to 7 taps along height and width, or up to 9 along one of them only, several
/// along one at least, and stride 1 there, no groups, and no plane of the result lies in the
/// padding only.
bool isWinogradWindow(const WindowProblem& problem);

struct WinogradCandidate {
  WinogradSchedule schedule;
  double cycles; ///< estimated, on one core

  std::string kind;         ///< "winograd f4", "winograd f1x4": by the outputs of a tile
  std::string name() const; ///< "winograd f4 6x2 of 48"
};

/// Every size of tile, with chunks about as large as the cache asks for, fused and staged, for a
/// window that fits; the best first. Of integers only F(4).
std::vector<WinogradCandidate> winogradCandidates(const WindowProblem& problem,
                                                  const kir::Target& target,
                                                  const Words& words = {});

/// The candidate with the tiles of that name, and the chunks that suit the problem; none if the
/// name says nothing that the problem and the target allow.
std::optional<WinogradCandidate> winogradCandidate(std::string_view name,
                                                   const WindowProblem& problem,
                                                   const kir::Target& target,
                                                   const Words& words = {});

} // namespace enfold::lower
