// The cost model of Winograd convolution: whether it beats direct convolution, and how.
#pragma once

#include "kernel/Target.h"
#include "lower/conv/ConvProblem.h"

#include <optional>
#include <string>

namespace enfold::lower {

struct WinogradSchedule {
  int64_t outputs = 4; ///< m of F(m x m, 3 x 3)
  int64_t pixels = 1;  ///< register tile of the products: tiles …
  int64_t blocks = 1;  ///< … by vectors of output channels
  int64_t chunk = 1;   ///< tiles that are transformed together
  bool staged = false; ///< all inputs are transformed before the first product

  /// Tiles in all, and chunks of them.
  int64_t tiles(const ConvProblem& p) const;
  int64_t chunks(const ConvProblem& p) const { return (tiles(p) + chunk - 1) / chunk; }
  /// Tiles of a chunk, up to whole register tiles.
  int64_t paddedChunk() const { return (chunk + pixels - 1) / pixels * pixels; }
};

/// The best schedule, or none where the window is not 3x3 or direct convolution is faster.
std::optional<WinogradSchedule> scheduleWinograd(const ConvProblem& problem,
                                                 const kir::Target& target);

/// What the cost model finds best beside `chosen` ("winograd f4"), and how much longer it would
/// take: "direct 6x2 +40 %". Empty if there is no other way.
std::string runnerUp(const ConvProblem& problem, const kir::Target& target,
                     std::string_view chosen);

} // namespace enfold::lower
