// Cutting a row of output pixels into register tiles, and the taps each tile may read.
#pragma once

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"
#include "kernel/Machine.h"
#include "lower/window/WindowProblem.h"

#include <optional>
#include <vector>

namespace enfold::lower {

/// Tiles of `pixels` output pixels each: `count` of them, the first at `begin`. A run of several
/// tiles reads inside the input only; at the borders runs are single tiles.
struct TileRun {
  /// Of a run in rows of any width, which may be empty: where its first tile is and where the last
  /// one, which overlaps the one before it. In narrow rows that comes first.
  struct Places {
    int64_t first, last;
  };

  int64_t begin, pixels, count;
  std::optional<Places> any = {}; ///< then all tiles read as one at `begin` would

  /// The number of tiles, to be the bound of a loop.
  kir::Index bound(kir::Builder& b) const {
    return any ? kir::looseNumber(b, count) : kir::Index(count);
  }
  /// How far tile `t` is from `begin`.
  kir::Index shift(kir::Builder& b, const kir::Index& t) const {
    if (!any) return t * pixels;
    return min(t * pixels + any->first, kir::looseNumber(b, any->last)) - begin;
  }
};

/// Covers a row of problem.out[2] pixels by tiles of at most `pixels`, as equal as possible. Rows
/// of any width that are wide enough are all cut alike: into the tiles that read outside the input,
/// from the ends on, and a run of any length between them.
std::vector<TileRun> tileRow(const WindowProblem& problem, int64_t pixels);
/// The largest tile of at most `pixels`, and of several, by which the row is cut as others of any
/// width are; where there is none, no more than the row has. Halved from `pixels` on, so that few
/// are in use.
int64_t tileForAnyWidth(const WindowProblem& problem, int64_t pixels);

/// True when tap `k` of the pixel `o` along the width lies inside the input.
inline bool tapInside(const WindowProblem& p, int64_t o, int64_t k) {
  const int64_t i = p.inputAt(2, o, k);
  return i >= 0 && i < p.in[2];
}

/// Consecutive taps [lo, hi) along the width that lie inside the input for the same pixels of a
/// tile.
struct TapRun {
  int64_t lo, hi;
};
std::vector<TapRun> tapRuns(const WindowProblem& problem, int64_t begin, int64_t pixels);

/// A column of the input, `at` columns from the one tap 0 of the tile's first pixel reads.
struct TileColumn {
  struct Use {
    int64_t pixel, tap; ///< of the tile, and along the width
  };
  int64_t at;
  std::vector<Use> uses;
};
/// The columns inside the input that pixels [begin, begin + pixels) of a row read, in order.
std::vector<TileColumn> tileColumns(const WindowProblem& problem, int64_t begin, int64_t pixels);

/// How many of `all` parts of a tensor, rows mostly, each of which reads so many bytes, stay in the
/// second-level cache: one at least.
int64_t partsOfCache(int64_t all, int64_t bytes, const kir::Machine& machine);
/// How many of them an iteration of the parallel loop takes: no more, but few enough that the
/// threads have iterations to share, which are `others` times the pieces.
int64_t partsOfIteration(int64_t all, int64_t bytes, int64_t others, const kir::Machine& machine);

/// The taps along dimension `d` that lie inside the input for output coordinate `o`: [lo, hi).
struct TapRange {
  kir::Index lo, hi;
};
TapRange tapsInside(const WindowProblem& problem, size_t d, const kir::Index& o);

} // namespace enfold::lower
