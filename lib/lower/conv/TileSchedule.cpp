// How many rows and channels an iteration takes.
#include "lower/conv/TileSchedule.h"

#include <algorithm>

namespace enfold::lower {
namespace {

/// Written out for every step of a unit; more would take long to compile.
constexpr size_t kMostSteps = 64;
/// Of the second-level cache, for the copy and the sums: the weights stream through it as well.
constexpr double kShareOfCache = 0.25;
/// Cycles for 64 bytes of the copy: loads, shuffles and a store.
constexpr double kCopyCycles = 2.5;
/// Cycles for 16 sums that go through memory instead of staying in registers.
constexpr double kSumCycles = 2.5;
/// Of the time that products take at best, what they take: tiles arrive late.
constexpr double kLate = 1.2;
/// Of the time of a copy that the cache holds, that of a larger one; and its most bytes.
constexpr double kBeyondCache = 1.5;
constexpr int64_t kMostScratch = 1 << 24;
/// Of reading weights that the caches nearby do not hold, what does not hide behind products.
constexpr double kNotHidden = 0.5;

/// Bytes of the weights of a group.
int64_t groupBytes(const TileGeometry& geometry) {
  return geometry.units * std::ssize(geometry.steps) * TileSchedule::kGroupChannels * kTileBytes;
}

/// Bytes of the sums of a group.
int64_t sumBytes(const TileGeometry& geometry, int64_t rows) {
  return geometry.tiles(rows) * kir::kTileRows * TileSchedule::kGroupChannels *
         kir::sizeInBytes(kir::Scalar::I32);
}

/// Of one iteration; `allWeights` are the bytes of all groups'.
double cyclesOf(const TileGeometry& g, const TileSchedule& s, const kir::Machine& machine,
                int64_t allWeights) {
  const auto tiles = static_cast<double>(g.tiles(s.rows) * 2 * s.groups);
  const int64_t steps = g.units * std::ssize(g.steps);
  const double copy = static_cast<double>(g.copyBytes(s.rows)) / kTileBytes * kCopyCycles;
  double perSums = kSumCycles; // of a row of a tile
  if (sumBytes(g, s.rows) > machine.l1.share() / 2)
    perSums += 2 * kTileBytes / machine.l2.bytesPerCycle;
  const auto weights = static_cast<double>(s.groups * groupBytes(g));
  return kLate * tiles * static_cast<double>(steps) * machine.tileDotCycles + copy +
         tiles * kir::kTileRows * perSums +
         kNotHidden * weights / machine.bytesPerCycle(allWeights);
}

} // namespace

std::string TileCandidate::name() const {
  return pixel == kir::Scalar::BF16 ? "tiles bf16" : "tiles bytes";
}

std::optional<TileCandidate> tileCandidate(const WindowProblem& p, kir::Scalar pixel,
                                           int64_t inputBlock, const kir::Machine& machine) {
  const TileGeometry geometry(p, pixel, inputBlock);
  if (geometry.steps.size() > kMostSteps) return std::nullopt;
  const auto cache = static_cast<int64_t>(kShareOfCache * static_cast<double>(machine.l2.share()));
  const int64_t groups = ceilDiv(p.cout, TileSchedule::kGroupChannels);
  std::optional<TileCandidate> best;
  for (int64_t pieces = 1; pieces <= p.out[1]; ++pieces) {
    const int64_t rows = ceilDiv(p.out[1], pieces);
    if (ceilDiv(p.out[1], rows) != pieces) continue;
    const int64_t bytes = geometry.copyBytes(rows) + sumBytes(geometry, rows);
    // A row may be too wide.
    const bool isLast = pieces == p.out[1] && !best && (p.anyWidth || bytes <= kMostScratch);
    if (bytes > cache && !isLast) continue;
    for (int64_t parts = 1; parts <= std::min<int64_t>(groups, machine.threads); ++parts) {
      const TileSchedule s{rows, ceilDiv(groups, parts)};
      const int64_t iterations = p.batch * pieces * ceilDiv(groups, s.groups);
      const int64_t longest = ceilDiv(iterations, machine.threads);
      const double cycles = (bytes > cache ? kBeyondCache : 1) *
                            cyclesOf(geometry, s, machine, groups * groupBytes(geometry)) *
                            static_cast<double>(longest * machine.threads);
      if (!best || cycles < best->cycles) best = {pixel, s, cycles};
    }
  }
  return best;
}

} // namespace enfold::lower
