// The innermost part of direct and transposed convolutions: one row of taps, over some input
// channels, accumulated into a register tile.
#pragma once

#include "kernel/Builder.h"
#include "lower/conv/Groups.h"
#include "lower/conv/Schedule.h"
#include "lower/window/WindowProblem.h"

#include <algorithm>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace enfold::lower {

/// A word of channels of an input block and a tap along the width.
struct TapWeight {
  int64_t word, tap;
};

/// Emits the reduction of a row of problem.kernel[2] taps; depth and height do not matter here.
class TapRow {
public:
  /// With `merged` groups, weights may be kOfOtherGroup.
  TapRow(kir::Builder& b, const WindowProblem& problem, const ConvSchedule& schedule, int64_t lanes,
         bool merged)
      : b_(b), p_(problem), schedule_(schedule), lanes_(lanes), merged_(merged) {}

  /// Packed in the place of a weight between channels of different groups that were merged: no
  /// product, since that of zero and a number that is not finite is not zero. A weight that is
  /// negative zero itself is packed as zero. Of words all channels are of one group.
  static constexpr float kOfOtherGroup = -0.0f;
  static constexpr uint16_t kHalfOfOtherGroup = 0x8000;

  /// The order in which a row reads its weights, `words` being those of an input block. Each is
  /// schedule.blocks vectors.
  static std::vector<TapWeight> weightOrder(const ConvSchedule& schedule, int64_t words,
                                            int64_t taps);

  /// Packs a row in that order, over zeros, in words of `perWord` channels, the input block
  /// beginning with channel `firstIn` of a group of the run, for output channels [firstOut,
  /// firstOut
  /// + vectors) of the group. weightOf(c, k, tap) gives the weight between channels of the group,
  /// which are of one group of the op. Returns the end.
  template <typename T, typename WeightOf>
  static T* packRow(const GroupRun& run, const std::vector<TapWeight>& order, int64_t perWord,
                    int64_t firstIn, int64_t firstOut, int64_t vectors, T* to, WeightOf weightOf) {
    const int64_t cin = run.problem.cinPerGroup(), cown = cin / run.merge;
    const int64_t kown = run.problem.coutPerGroup() / run.merge;
    for (const auto& [word, tap] : order) {
      if constexpr (std::is_same_v<T, float>)
        if (run.merge > 1) std::fill_n(to, vectors * perWord, kOfOtherGroup);
      if constexpr (std::is_same_v<T, uint16_t>)
        if (run.merge > 1) std::fill_n(to, vectors * perWord, kHalfOfOtherGroup);
      for (int64_t i = 0; i < perWord; ++i) {
        const int64_t c = firstIn + word * perWord + i, group = c / cown;
        const int64_t end = c < cin ? std::min(firstOut + vectors, (group + 1) * kown) : 0;
        for (int64_t k = std::max(firstOut, group * kown); k < end; ++k)
          to[(k - firstOut) * perWord + i] = static_cast<T>(weightOf(c, k, tap) + T{});
      }
      to += vectors * perWord;
    }
    return to;
  }

  struct Source {
    kir::Buffer buffer;
    kir::Index at;                   ///< element of the first channel, pixel and tap
    int64_t wordStride, pixelStride; ///< between words of input channels, and input columns
    /// Of a tile whose pixels do not lie in a row: from the first channel to each of them. All taps
    /// are inside the input.
    std::span<const kir::Index> pixels = {};
    /// The last word holds one channel, and beside it anything.
    bool endsInHalfWord = false;
  };
  struct Weights {
    kir::Buffer buffer;
    kir::Index at;
    int64_t words; ///< in memory: of an input block
  };
  /// For pixels [begin, begin + pixels) of a row, over the first `words` words of channels, with an
  /// accumulator for every pixel and block. Taps outside the input are left out.
  void reduce(const Source& source, const Weights& weights, int64_t words, int64_t begin,
              int64_t pixels, std::vector<kir::Var>& accumulators);

private:
  struct Tile;
  struct Weight {
    kir::Value value;
    std::optional<kir::Value> isOwn; ///< the lanes that are not of another group
  };
  kir::Place vectorsAt(const Weights& weights, const kir::Index& first) const;
  Weight load(const kir::Place& first, int64_t vector);
  /// Calls body(word, isHalf) for words of channels, several of them in an iteration; isHalf of the
  /// last one where the source endsInHalfWord.
  template <typename Body> void forWords(const Tile& tile, Body&& body);
  kir::Value pixel(const Source& source, const kir::Place& first, int64_t i, bool isHalf);
  /// Whether words of several channels are multiplied at once.
  bool isDot() const { return schedule_.words.channels > 1; }
  void accumulate(kir::Var& sum, const kir::Value& pixel, const Weight& weight);
  void tapByTap(const Tile& tile);
  void sharing(const Tile& tile);

  kir::Builder& b_;
  const WindowProblem& p_;
  const ConvSchedule& schedule_;
  const int64_t lanes_;
  const bool merged_;
};

} // namespace enfold::lower
