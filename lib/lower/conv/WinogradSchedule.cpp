// Cycles per core, with the assumptions of direct convolution's model, and what weights cost to
// read: they come from outside the second-level cache, once a chunk.
#include "lower/conv/WinogradSchedule.h"

#include "lower/conv/Schedule.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::lower {
namespace {

/// What a core reads from the last cache and from memory.
constexpr double kBytesPerCycle = 8;
/// Cycles per vector element of a tile that is transformed, found by measurement.
constexpr double kInputCycles = 3.0, kOutputCycles = 2.5;
/// Iterations of the parallel loop that fused chunks should have at least.
constexpr int64_t kChunks = 8;
constexpr int64_t kMaxChunk = 96, kMinChunk = 24;
constexpr int64_t kOutputs[] = {2, 4, 6}; ///< m of F(m x m, 3 x 3)

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

bool fits(const ConvProblem& p) {
  const auto flat = [](const ConvProblem::Spatial& s, int64_t value) {
    return s[0] == 1 && s[1] == value && s[2] == value;
  };
  return p.groups == 1 && flat(p.kernel, 3) && flat(p.strides, 1) && flat(p.dilations, 1) &&
         p.in[0] == 1 && p.out[0] == 1;
}

struct Cost {
  WinogradSchedule schedule;
  double cycles;
};

Cost costOf(const ConvProblem& p, const kir::Target& target, int64_t outputs) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  const int64_t cin = ceilDiv(p.cin, lanes), cout = ceilDiv(p.cout, lanes);
  WinogradSchedule s;
  s.outputs = outputs;
  const int64_t points = (outputs + 2) * (outputs + 2), tiles = s.tiles(p);
  // As many tiles as keep their transformed inputs in half of the second-level cache.
  const int64_t tileBytes = 4 * points * cin * lanes;
  s.chunk = std::clamp(target.l2Bytes / 2 / tileBytes, kMinChunk, kMaxChunk);
  s.chunk = ceilDiv(tiles, ceilDiv(tiles, s.chunk));
  s.staged = s.chunks(p) < kChunks;
  double best = 1e300;
  for (int64_t blocks = 1; blocks <= std::min<int64_t>(4, cout); ++blocks) {
    if (cout % blocks) continue;
    for (int64_t pixels = 1; pixels * blocks + blocks + 1 <= target.vectorRegisters; ++pixels) {
      const double cycles = static_cast<double>(ceilDiv(s.chunk, pixels) * (cout / blocks)) *
                            tileCycles(pixels, blocks);
      if (cycles >= best * 0.999) continue;
      best = cycles;
      s.pixels = pixels;
      s.blocks = blocks;
    }
  }
  const auto chunks = static_cast<double>(s.chunks(p));
  const double products = chunks * static_cast<double>(points * p.cin) * best;
  const double transforms =
      static_cast<double>(tiles * points) *
      (static_cast<double>(cin) * kInputCycles + static_cast<double>(cout) * kOutputCycles);
  const double weightBytes = static_cast<double>(4 * points * p.cin * cout * lanes);
  const double reading = weightBytes / kBytesPerCycle *
                         (weightBytes > static_cast<double>(target.l2Bytes) / 2 ? chunks : 1);
  return {s, std::max(products, reading) + 0.3 * std::min(products, reading) + transforms};
}

} // namespace

int64_t WinogradSchedule::tiles(const ConvProblem& p) const {
  return p.batch * ceilDiv(p.out[1], outputs) * ceilDiv(p.out[2], outputs);
}

std::string runnerUp(const ConvProblem& p, const kir::Target& target, std::string_view chosen) {
  std::vector<ConvWay> ways = directWays(p, target);
  if (fits(p))
    for (const int64_t outputs : kOutputs)
      ways.push_back({fmt::format("winograd f{}", outputs), costOf(p, target, outputs).cycles});
  const double least = std::ranges::min(ways, {}, &ConvWay::cycles).cycles;
  std::erase_if(ways, [&](const ConvWay& way) { return way.name == chosen; });
  if (ways.empty()) return "";
  const ConvWay& next = std::ranges::min(ways, {}, &ConvWay::cycles);
  return fmt::format("{} +{:.0f} %", next.name, 100 * (next.cycles / least - 1));
}

std::optional<WinogradSchedule> scheduleWinograd(const ConvProblem& p, const kir::Target& target) {
  if (!fits(p)) return std::nullopt;
  std::optional<WinogradSchedule> best;
  double cycles = directCycles(p, target);
  for (const int64_t outputs : kOutputs) {
    const Cost cost = costOf(p, target, outputs);
    if (cost.cycles >= cycles) continue;
    cycles = cost.cycles;
    best = cost.schedule;
  }
  return best;
}

} // namespace enfold::lower
