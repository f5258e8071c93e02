// Cycle estimates assume what holds on current x86 and Arm cores: two vector FMAs a cycle with a
// latency of four cycles. Loads and broadcasts, two a cycle by the manuals, measure slower.
#include "lower/conv/Schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace enfold::lower {
namespace {

/// Iterations of the parallel loop to leave for threads to share.
constexpr int64_t kIterations = 16;
constexpr int64_t kMaxBlocks = 4;
/// What a second kernel must save.
constexpr double kCallCycles = 10000;
/// Of tiles that need more registers than there are.
constexpr double kImpossible = 1e300;
constexpr double kFmasPerCycle = 2, kLoadsPerCycle = 1.6, kFmaLatency = 4;

double cycles(double fmas, double loads) {
  return std::max({fmas / kFmasPerCycle, loads / kLoadsPerCycle, kFmaLatency});
}

/// tileCycles() when the taps of a row share the pixels they read.
double sharedTileCycles(const WindowProblem& p, int64_t pixels, int64_t blocks) {
  std::set<int64_t> columns; // of the input, that any tap reads
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t x = 0; x < p.kernel[2]; ++x)
      columns.insert(pixel * p.strides[2] + x * p.dilations[2]);
  const auto perTap = static_cast<double>(columns.size()) / static_cast<double>(p.kernel[2]);
  return cycles(static_cast<double>(pixels * blocks), perTap + static_cast<double>(blocks));
}

/// Cycles per reduction step of a row of pixels for a group of s.blocks channel blocks.
double rowCycles(const WindowProblem& p, const ConvSchedule& s) {
  const int64_t width = p.out[2], tiles = (width + s.pixels - 1) / s.pixels;
  const int64_t large = width % tiles, size = width / tiles;
  const auto tile = [&](int64_t pixels) {
    return s.sharesPixels ? sharedTileCycles(p, pixels, s.blocks) : tileCycles(pixels, s.blocks);
  };
  return static_cast<double>(large) * tile(size + 1) +
         static_cast<double>(tiles - large) * tile(size);
}

/// Registers for accumulators, weights and a pixel.
int64_t registers(const WindowProblem& p, const ConvSchedule& s) {
  return (s.pixels + (s.sharesPixels ? p.kernel[2] : 1)) * s.blocks + 1;
}

/// The best tile of `blocks` channel blocks, and its rowCycles().
struct Fit {
  ConvSchedule schedule;
  double cycles = kImpossible;
};

Fit fitOf(const WindowProblem& p, const kir::Target& target, int64_t blocks, bool shares) {
  Fit best;
  ConvSchedule s = {.blocks = blocks, .sharesPixels = shares};
  for (; registers(p, s) <= target.vectorRegisters; ++s.pixels) {
    const double cycles = rowCycles(p, s);
    // Of about equals the largest, which loads least.
    const bool larger = s.pixels > best.schedule.pixels;
    if (cycles >= best.cycles * (larger ? 1.001 : 0.999)) continue;
    best = {s, std::min(cycles, best.cycles)};
  }
  best.schedule.pixels = std::min(best.schedule.pixels, p.out[2]);
  best.schedule.unroll = shares ? std::max<int64_t>(1, 8 / p.kernel[2]) : 8;
  return best;
}

/// The better of sharing pixels and not.
Fit fitOf(const WindowProblem& p, const kir::Target& target, int64_t blocks) {
  const Fit plain = fitOf(p, target, blocks, false);
  if (p.kernel[2] == 1) return plain;
  const Fit shared = fitOf(p, target, blocks, true);
  return shared.cycles < plain.cycles * 0.999 ? shared : plain;
}

/// As many rows as keep their input, with all channels, in half of the second-level cache, but
/// enough iterations for the threads to share.
int64_t rowsOf(const WindowProblem& p, const kir::Target& target, int64_t blockGroups) {
  const int64_t rowBytes = 4 * p.cinPerGroup() * p.in[2] * p.in[0] * p.strides[1];
  int64_t rows = std::clamp<int64_t>(target.l2Bytes / 2 / std::max<int64_t>(1, rowBytes), 1,
                                     std::max<int64_t>(1, p.out[1]));
  const int64_t others = p.batch * p.groups * blockGroups * p.out[0];
  while (rows > 1 && others * ((p.out[1] + rows - 1) / rows) < kIterations) rows = (rows + 1) / 2;
  return rows;
}

int64_t channelBlocks(const WindowProblem& p, const kir::Target& target) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  return (p.coutPerGroup() + lanes - 1) / lanes;
}

/// Of about equals the one that loads least.
bool isBetter(const DirectWay& way, const DirectWay& best) {
  const auto tile = [](const DirectWay& w) {
    return w.parts.front().schedule.pixels * w.parts.front().schedule.blocks;
  };
  const bool larger = way.parts.size() == 1 && tile(way) > tile(best);
  return way.cycles < best.cycles * (larger ? 1.001 : 0.999);
}

/// Rows of pixels times steps of the reduction, over all groups.
double steps(const WindowProblem& p) {
  return static_cast<double>(p.batch * p.groups * p.out[0] * p.out[1] * p.cinPerGroup() * p.taps());
}

} // namespace

double tileCycles(int64_t pixels, int64_t blocks) {
  return cycles(static_cast<double>(pixels * blocks), static_cast<double>(pixels + blocks));
}

std::string DirectWay::name() const {
  std::string text = "direct ";
  for (const ConvPart& part : parts)
    text += fmt::format("{}{}{}x{}", &part == &parts.front() ? "" : " + ",
                        part.schedule.sharesPixels ? "shared " : "", part.schedule.pixels,
                        part.schedule.blocks);
  return text;
}

std::vector<DirectWay> directWays(const WindowProblem& p, const kir::Target& target) {
  const int64_t all = channelBlocks(p, target);
  std::vector<DirectWay> ways;
  size_t best = 0;
  for (int64_t blocks = 1; blocks <= std::min(kMaxBlocks, all); ++blocks)
    for (const bool shares : {false, true}) {
      if (shares && p.kernel[2] == 1) continue;
      const int64_t rest = all % blocks;
      Fit main = fitOf(p, target, blocks, shares);
      if (main.cycles >= kImpossible) continue;
      main.schedule.rows = rowsOf(p, target, all / blocks);
      DirectWay way = {{{0, all - rest, main.schedule}},
                       static_cast<double>(all / blocks) * main.cycles * steps(p)};
      if (rest > 0) {
        Fit last = fitOf(p, target, rest);
        last.schedule.rows = rowsOf(p, target, 1);
        way.parts.push_back({all - rest, rest, last.schedule});
        way.cycles += last.cycles * steps(p) + kCallCycles;
      }
      ways.push_back(std::move(way));
      if (isBetter(ways.back(), ways[best])) best = ways.size() - 1;
    }
  std::swap(ways.front(), ways[best]);
  ways.front().cycles = std::ranges::min(ways, {}, &DirectWay::cycles).cycles;
  std::ranges::stable_sort(ways, {}, &DirectWay::cycles);
  return ways;
}

ConvSchedule scheduleConv(const WindowProblem& p, const kir::Target& target) {
  for (const DirectWay& way : directWays(p, target))
    if (way.parts.size() == 1) return way.parts.front().schedule;
  ENFOLD_CHECK(false, "one block of channels always divides them");
}

} // namespace enfold::lower
