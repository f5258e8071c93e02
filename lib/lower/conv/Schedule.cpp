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
constexpr double kFmasPerCycle = 2, kLoadsPerCycle = 1.6, kFmaLatency = 4;

double cycles(double fmas, double loads) {
  return std::max({fmas / kFmasPerCycle, loads / kLoadsPerCycle, kFmaLatency});
}

/// tileCycles() when the taps of a row share the pixels they read.
double sharedTileCycles(const ConvProblem& p, int64_t pixels, int64_t blocks) {
  std::set<int64_t> columns; // of the input, that any tap reads
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t x = 0; x < p.kernel[2]; ++x)
      columns.insert(pixel * p.strides[2] + x * p.dilations[2]);
  const auto perTap = static_cast<double>(columns.size()) / static_cast<double>(p.kernel[2]);
  return cycles(static_cast<double>(pixels * blocks), perTap + static_cast<double>(blocks));
}

/// Cycles per reduction step of a row of pixels for a group of s.blocks channel blocks.
double rowCycles(const ConvProblem& p, const ConvSchedule& s) {
  const int64_t width = p.out[2], tiles = (width + s.pixels - 1) / s.pixels;
  const int64_t large = width % tiles, size = width / tiles;
  const auto tile = [&](int64_t pixels) {
    return s.sharesPixels ? sharedTileCycles(p, pixels, s.blocks) : tileCycles(pixels, s.blocks);
  };
  return static_cast<double>(large) * tile(size + 1) +
         static_cast<double>(tiles - large) * tile(size);
}

/// Registers for accumulators, weights and a pixel.
int64_t registers(const ConvProblem& p, const ConvSchedule& s) {
  return (s.pixels + (s.sharesPixels ? p.kernel[2] : 1)) * s.blocks + 1;
}

/// The best tile of `blocks` channel blocks, and its rowCycles().
struct Fit {
  ConvSchedule schedule;
  double cycles = 1e300;
};

Fit fitOf(const ConvProblem& p, const kir::Target& target, int64_t blocks) {
  Fit best;
  for (const bool shares : {false, true}) {
    if (shares && p.kernel[2] == 1) continue;
    ConvSchedule s = {.blocks = blocks, .sharesPixels = shares};
    for (; registers(p, s) <= target.vectorRegisters; ++s.pixels) {
      const double cycles = rowCycles(p, s);
      // Of about equals the largest, which loads least.
      const bool larger = s.pixels > best.schedule.pixels;
      if (cycles >= best.cycles * (larger ? 1.001 : 0.999)) continue;
      best = {s, std::min(cycles, best.cycles)};
    }
  }
  best.schedule.pixels = std::min(best.schedule.pixels, p.out[2]);
  best.schedule.unroll = best.schedule.sharesPixels ? std::max<int64_t>(1, 8 / p.kernel[2]) : 8;
  return best;
}

/// As many rows as keep their input, with all channels, in half of the second-level cache, but
/// enough iterations for the threads to share.
int64_t rowsOf(const ConvProblem& p, const kir::Target& target, int64_t blockGroups) {
  const int64_t rowBytes = 4 * p.cinPerGroup() * p.in[2] * p.in[0] * p.strides[1];
  int64_t rows = std::clamp<int64_t>(target.l2Bytes / 2 / std::max<int64_t>(1, rowBytes), 1,
                                     std::max<int64_t>(1, p.out[1]));
  const int64_t others = p.batch * p.groups * blockGroups * p.out[0];
  while (rows > 1 && others * ((p.out[1] + rows - 1) / rows) < kIterations) rows = (rows + 1) / 2;
  return rows;
}

int64_t channelBlocks(const ConvProblem& p, const kir::Target& target) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  return (p.coutPerGroup() + lanes - 1) / lanes;
}

/// Rows of pixels times steps of the reduction, over all groups.
double steps(const ConvProblem& p) {
  return static_cast<double>(p.batch * p.groups * p.out[0] * p.out[1] * p.cinPerGroup() * p.taps());
}

} // namespace

double tileCycles(int64_t pixels, int64_t blocks) {
  return cycles(static_cast<double>(pixels * blocks), static_cast<double>(pixels + blocks));
}

double directCycles(const ConvProblem& p, const kir::Target& target) {
  double row = 0;
  for (const ConvPart& part : scheduleConvParts(p, target))
    row += static_cast<double>(part.numBlocks / part.schedule.blocks) * rowCycles(p, part.schedule);
  return row * steps(p);
}

std::vector<ConvWay> directWays(const ConvProblem& p, const kir::Target& target) {
  const int64_t all = channelBlocks(p, target);
  std::vector<ConvWay> ways;
  for (int64_t blocks = 1; blocks <= std::min(kMaxBlocks, all); ++blocks) {
    if (all % blocks != 0) continue;
    const Fit fit = fitOf(p, target, blocks);
    ways.push_back({fmt::format("direct {}{}x{}", fit.schedule.sharesPixels ? "shared " : "",
                                fit.schedule.pixels, blocks),
                    static_cast<double>(all / blocks) * fit.cycles * steps(p)});
  }
  return ways;
}

ConvSchedule scheduleConv(const ConvProblem& p, const kir::Target& target) {
  const int64_t all = channelBlocks(p, target);
  ConvSchedule best;
  double bestCycles = 1e300;
  for (int64_t blocks = 1; blocks <= std::min(kMaxBlocks, all); ++blocks) {
    if (all % blocks != 0) continue;
    const Fit fit = fitOf(p, target, blocks);
    const double cycles = static_cast<double>(all / blocks) * fit.cycles;
    const bool larger = fit.schedule.pixels * blocks > best.pixels * best.blocks;
    if (cycles >= bestCycles * (larger ? 1.001 : 0.999)) continue;
    bestCycles = std::min(cycles, bestCycles);
    best = fit.schedule;
  }
  best.rows = rowsOf(p, target, all / best.blocks);
  return best;
}

std::vector<ConvPart> scheduleConvParts(const ConvProblem& p, const kir::Target& target) {
  const int64_t all = channelBlocks(p, target);
  std::vector<ConvPart> best = {{0, all, scheduleConv(p, target)}};
  const ConvSchedule& whole = best.front().schedule;
  double bestCycles =
      static_cast<double>(all / whole.blocks) * rowCycles(p, whole) * steps(p) - kCallCycles;
  for (int64_t blocks = 2; blocks <= std::min(kMaxBlocks, all); ++blocks) {
    const int64_t rest = all % blocks;
    if (rest == 0) continue;
    Fit main = fitOf(p, target, blocks), last = fitOf(p, target, rest);
    const double cycles =
        (static_cast<double>(all / blocks) * main.cycles + last.cycles) * steps(p);
    if (cycles >= bestCycles) continue;
    bestCycles = cycles;
    main.schedule.rows = rowsOf(p, target, all / blocks);
    last.schedule.rows = rowsOf(p, target, 1);
    best = {{0, all - rest, main.schedule}, {all - rest, rest, last.schedule}};
  }
  return best;
}

} // namespace enfold::lower
