// The innermost part of direct and transposed convolutions: one row of taps, over some input
// channels, accumulated into a register tile.
#pragma once

#include "kernel/Builder.h"
#include "lower/conv/Schedule.h"
#include "lower/window/WindowProblem.h"

#include <vector>

namespace enfold::lower {

/// A channel of an input block and a tap along the width.
struct TapWeight {
  int64_t channel, tap;
};

/// Emits the reduction of a row of problem.kernel[2] taps; depth and height do not matter here.
class TapRow {
public:
  TapRow(kir::Builder& b, const WindowProblem& problem, const ConvSchedule& schedule, int64_t lanes)
      : b_(b), p_(problem), schedule_(schedule), lanes_(lanes) {}

  /// The order in which a row reads its weights, `channels` being those of an input block. Each is
  /// schedule.blocks vectors.
  static std::vector<TapWeight> weightOrder(const ConvSchedule& schedule, int64_t channels,
                                            int64_t taps);

  struct Source {
    kir::Buffer buffer;
    kir::Index at;                      ///< element of the first channel, pixel and tap
    int64_t channelStride, pixelStride; ///< between input channels, and input columns
  };
  struct Weights {
    kir::Buffer buffer;
    kir::Index at;
    int64_t channels; ///< in memory: of an input block
  };
  /// For pixels [begin, begin + pixels) of a row, over the first `channels` channels, with an
  /// accumulator for every pixel and block. Taps outside the input are left out.
  void reduce(const Source& source, const Weights& weights, int64_t channels, int64_t begin,
              int64_t pixels, std::vector<kir::Var>& accumulators);

private:
  struct Tile;
  void tapByTap(const Tile& tile);
  void sharing(const Tile& tile);

  kir::Builder& b_;
  const WindowProblem& p_;
  const ConvSchedule& schedule_;
  const int64_t lanes_;
};

} // namespace enfold::lower
