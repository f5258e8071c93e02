// Tiling of rows with static borders: since every size is known, taps outside the input are left
// out of the generated code instead of being tested or padded.
#include "lower/window/Tiles.h"

#include "lower/LooseIndex.h"

#include <algorithm>
#include <map>

namespace enfold::lower {
namespace {

/// Iterations of the parallel loop for each thread, so that an uneven end costs an eighth at most.
constexpr int64_t kIterations = 8;
/// Of the second-level cache, for what is read again: weights and results pass through the rest.
constexpr double kShareOfCache = 0.5;

bool allInside(const WindowProblem& p, int64_t begin, int64_t pixels) {
  return tapInside(p, begin, 0) && tapInside(p, begin + pixels - 1, 0) &&
         tapInside(p, begin, p.kernel[2] - 1) && tapInside(p, begin + pixels - 1, p.kernel[2] - 1);
}

/// Tiles that read outside at one end of the row only, and a run between them, where the row is
/// wide enough.
std::optional<std::vector<TileRun>> tilesOfAnyRow(const WindowProblem& p, int64_t pixels) {
  const int64_t width = p.out[2], lastTap = p.kernel[2] - 1;
  int64_t begin = 0, end = width; // of the pixels whose taps are all inside
  while (lastTap >= 0 && begin < end && !tapInside(p, begin, 0)) ++begin;
  while (lastTap >= 0 && end > begin && !tapInside(p, end - 1, lastTap)) --end;
  const int64_t before = (begin + pixels - 1) / pixels;
  const int64_t after = (width - end + pixels - 1) / pixels;
  if (end - begin < pixels || before * pixels > end || width - after * pixels < begin)
    return std::nullopt;
  std::vector<TileRun> runs;
  for (int64_t t = 0; t < before; ++t) runs.push_back({t * pixels, pixels, 1});
  const int64_t left = width - after * pixels - before * pixels;
  const TileRun::Places places = {before * pixels, end - pixels};
  runs.push_back({std::min(places.first, places.last), pixels,
                  std::max<int64_t>(0, (left + pixels - 1) / pixels), places});
  for (int64_t t = after; t > 0; --t) runs.push_back({width - t * pixels, pixels, 1});
  return runs;
}

} // namespace

std::vector<TileRun> tileRow(const WindowProblem& p, int64_t pixels) {
  if (p.anyWidth)
    if (auto runs = tilesOfAnyRow(p, pixels)) return *std::move(runs);
  const int64_t width = p.out[2], tiles = (width + pixels - 1) / pixels;
  std::vector<TileRun> runs;
  int64_t begin = 0;
  for (int64_t t = 0; t < tiles; ++t) {
    // Larger tiles first; sizes differ by one at most.
    const int64_t size = width / tiles + (t < width % tiles ? 1 : 0);
    const bool extends = !runs.empty() && runs.back().pixels == size && allInside(p, begin, size) &&
                         allInside(p, runs.back().begin, size);
    if (extends)
      ++runs.back().count;
    else
      runs.push_back({begin, size, 1});
    begin += size;
  }
  return runs;
}

int64_t tileForAnyWidth(const WindowProblem& p, int64_t pixels) {
  for (int64_t size = pixels; size > 1; size /= 2)
    if (tilesOfAnyRow(p, size)) return size;
  return std::min(pixels, p.out[2]);
}

std::vector<TapRun> tapRuns(const WindowProblem& p, int64_t begin, int64_t pixels) {
  const auto same = [&](int64_t a, int64_t b) {
    for (int64_t o = begin; o < begin + pixels; ++o)
      if (tapInside(p, o, a) != tapInside(p, o, b)) return false;
    return true;
  };
  std::vector<TapRun> runs;
  for (int64_t x = 0; x < p.kernel[2]; ++x) {
    if (!runs.empty() && same(runs.back().lo, x))
      ++runs.back().hi;
    else
      runs.push_back({x, x + 1});
  }
  return runs;
}

std::vector<TileColumn> tileColumns(const WindowProblem& p, int64_t begin, int64_t pixels) {
  std::map<int64_t, std::vector<TileColumn::Use>> uses;
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t tap = 0; tap < p.kernel[2]; ++tap)
      if (tapInside(p, begin + pixel, tap))
        uses[pixel * p.strides[2] + tap * p.dilations[2]].push_back({pixel, tap});
  std::vector<TileColumn> columns;
  for (auto& [at, pairs] : uses) columns.push_back({at, std::move(pairs)});
  return columns;
}

int64_t partsOfCache(int64_t all, int64_t bytes, const kir::Machine& machine) {
  const auto cacheBytes =
      static_cast<int64_t>(kShareOfCache * static_cast<double>(machine.l2.share()));
  return std::clamp<int64_t>(cacheBytes / std::max<int64_t>(1, bytes), 1,
                             std::max<int64_t>(1, all));
}

int64_t partsOfIteration(int64_t all, int64_t bytes, int64_t others, const kir::Machine& machine) {
  int64_t parts = partsOfCache(all, bytes, machine);
  while (parts > 1 && others * ((all + parts - 1) / parts) < kIterations * machine.threads)
    parts = (parts + 1) / 2;
  return parts;
}

TapRange tapsInside(const WindowProblem& p, size_t d, const kir::Index& o) {
  // The tap k reads o*stride - pad + k*dilation, which must lie in [0, in).
  if (kir::LooseRanges::areWanted() && p.kernel[d] == 1 && p.inputAt(d, 0, 0) >= 0 &&
      p.inputAt(d, p.out[d] - 1, 0) < p.in[d])
    return {0, 1};
  const kir::Index first = o * p.strides[d] - p.padsBegin[d];
  const int64_t dilation = p.dilations[d];
  const kir::Index in = looseSize(p.in[d], o);
  const kir::Index lo = max((dilation - 1 - first) / dilation, kir::Index(0));
  const kir::Index hi = min((in - 1 - first) / dilation + 1, kir::Index(p.kernel[d]));
  return {lo, max(lo, hi)};
}

} // namespace enfold::lower
