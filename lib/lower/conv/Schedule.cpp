// Cycle estimates assume what holds on current x86 and Arm cores: two vector FMAs and two vector
// loads a cycle, an FMA latency of four cycles.
#include "lower/conv/Schedule.h"

#include <algorithm>

namespace enfold::lower {
namespace {

/// Iterations of the parallel loop to leave for threads to share.
constexpr int64_t kIterations = 16;
constexpr double kFmasPerCycle = 2, kLoadsPerCycle = 2, kFmaLatency = 4;

/// Cycles per reduction step of a whole row of pixels for all channel blocks.
double rowCycles(int64_t width, int64_t channelBlocks, int64_t pixels, int64_t blocks) {
  const int64_t tiles = (width + pixels - 1) / pixels;
  const int64_t large = width % tiles, size = width / tiles;
  const auto row = [&](int64_t b) {
    return static_cast<double>(large) * tileCycles(size + 1, b) +
           static_cast<double>(tiles - large) * tileCycles(size, b);
  };
  return static_cast<double>(channelBlocks / blocks) * row(blocks) +
         (channelBlocks % blocks ? row(channelBlocks % blocks) : 0);
}

} // namespace

double tileCycles(int64_t pixels, int64_t blocks) {
  const auto fmas = static_cast<double>(pixels * blocks);
  const auto loads = static_cast<double>(pixels + blocks);
  return std::max({fmas / kFmasPerCycle, loads / kLoadsPerCycle, kFmaLatency});
}

double directCycles(const ConvProblem& p, const kir::Target& target) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  const int64_t channelBlocks = (p.coutPerGroup() + lanes - 1) / lanes;
  const ConvSchedule s = scheduleConv(p, target);
  return rowCycles(p.out[2], channelBlocks, s.pixels, s.blocks) *
         static_cast<double>(p.batch * p.groups * p.out[0] * p.out[1] * p.cinPerGroup() * p.taps());
}

ConvSchedule scheduleConv(const ConvProblem& p, const kir::Target& target) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  const int64_t channelBlocks = (p.coutPerGroup() + lanes - 1) / lanes;
  ConvSchedule best;
  double bestCycles = 1e300;
  for (int64_t blocks = 1; blocks <= std::min<int64_t>(4, channelBlocks); ++blocks) {
    // Groups of one size only, so that every group of channels runs the same code.
    if (channelBlocks % blocks != 0) continue;
    for (int64_t pixels = 1; pixels * blocks + blocks + 1 <= target.vectorRegisters; ++pixels) {
      const double cycles = rowCycles(p.out[2], channelBlocks, pixels, blocks);
      // Of about equals the largest, which loads least.
      const bool larger = pixels * blocks > best.pixels * best.blocks;
      if (cycles < bestCycles * 0.999 || (cycles < bestCycles * 1.001 && larger)) {
        bestCycles = std::min(cycles, bestCycles);
        best.pixels = pixels;
        best.blocks = blocks;
      }
    }
  }
  best.pixels = std::min(best.pixels, p.out[2]);
  best.unroll = std::clamp<int64_t>(16 / p.kernel[2], 1, 8);
  // As many rows as keep their input, with all channels, in half of the second-level cache, but
  // enough iterations for the threads to share.
  const int64_t rowBytes = 4 * p.cinPerGroup() * p.in[2] * p.in[1] * p.in[0] /
                           std::max<int64_t>(1, p.in[1]) * p.strides[1];
  best.rows = std::clamp<int64_t>(target.l2Bytes / 2 / std::max<int64_t>(1, rowBytes), 1, p.out[1]);
  const int64_t others = p.batch * p.groups * (channelBlocks / best.blocks) * p.out[0];
  while (best.rows > 1 && others * ((p.out[1] + best.rows - 1) / best.rows) < kIterations)
    best.rows = (best.rows + 1) / 2;
  return best;
}

} // namespace enfold::lower
