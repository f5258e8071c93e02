// Products take what direct convolution's model says; to them come the transforms, and reading the
// weights, which come from outside the second-level cache, once a chunk.
#include "lower/conv/WinogradSchedule.h"

#include "lower/conv/NameReader.h"
#include "lower/conv/Schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace enfold::lower {
namespace {

/// Additions and multiplications of a transform, for each vector that it reads or writes: what
/// makes the estimate meet the times measured on Zen 4 with vectors of 32 and of 64 bytes.
constexpr double kInputArithmetic = 2.8, kOutputArithmetic = 1.8;
/// The same of integers, which are widened, divided and shifted as well: counted, not measured.
constexpr double kPairsInputArithmetic = 5, kPairsOutputArithmetic = 3;
/// Of whichever is shorter, products or reading the weights, what does not hide behind the other:
/// measured on Zen 4.
constexpr double kNotHidden = 0.3;
/// Of the second-level cache, for the transformed inputs of a chunk.
constexpr double kShareOfCache = 0.5;
/// Iterations of the parallel loop that fused chunks should have for each thread.
constexpr int64_t kChunks = 4;
/// Tiles of a chunk. Below, weights are read too often; above, nothing is gained.
constexpr int64_t kMaxChunk = 96, kMinChunk = 24;
/// What the second choice among chunks of other sizes is taken to cost: the model cannot tell them
/// apart, and the first is that of the rule.
constexpr double kOtherThanUsual = 1.02;
/// The largest tile is taken to cost this much more than estimated. Its weights take nearly twice
/// the memory of those of the next, of which the model sees a part: of about equals it was slower
/// by a tenth to a third.
constexpr double kLargestTile = 1.04;
/// Inputs of a tile along an axis of several taps. Outputs are two at least.
constexpr int64_t kSides[] = {4, 6, 8, 10};
/// The same of integers.
constexpr int64_t kPairsSides[] = {6};
/// Tiles of two long sides would round too much.
constexpr int64_t kLargestSquare = 8;

std::span<const int64_t> sidesFor(const Words& words) {
  return words == kPairs ? std::span<const int64_t>(kPairsSides) : std::span<const int64_t>(kSides);
}

int64_t largestSide(const WindowProblem& p) {
  return isAlongOneAxis(p) ? std::ranges::max(kSides) : kLargestSquare;
}

/// As many tiles as keep their transformed inputs in the second-level cache.
int64_t chunkOf(const WindowProblem& p, const kir::Target& target, const WinogradSchedule& s) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  const int64_t tileBytes =
      kir::sizeInBytes(s.words.pixel) * s.points(p) * ceilDiv(p.cin, lanes) * lanes;
  const double cacheBytes = kShareOfCache * static_cast<double>(target.machine.l2.share());
  return std::clamp(static_cast<int64_t>(cacheBytes) / tileBytes, kMinChunk, kMaxChunk);
}

/// Of one vector of a tile that is transformed: nothing of it hides behind the rest.
double transformCycles(const kir::Machine& machine, double arithmetic) {
  const int bytes = machine.vectorBytes;
  return 1 / machine.load.of(bytes) + 1 / machine.store.of(bytes) +
         arithmetic / machine.fma.of(bytes);
}

/// Weights come from memory for the first chunk, and for the others from the level that holds them;
/// what the second level holds costs nothing.
double readingCycles(const kir::Machine& machine, int64_t bytes, double chunks) {
  const auto all = static_cast<double>(bytes);
  const double again = bytes <= machine.l2.bytes / 2 ? 0 : all / machine.bytesPerCycle(bytes);
  return all / machine.memoryBytesPerCycle + (chunks - 1) * again;
}

std::string kindOf(const WindowProblem& p, const WinogradSchedule& s) {
  const int64_t height = s.outputs(p, 1), width = s.outputs(p, 2);
  const std::string_view words = s.words == kPairs ? "pairs " : "";
  return height == width ? fmt::format("winograd {}f{}", words, height)
                         : fmt::format("winograd {}f{}x{}", words, height, width);
}

/// What a schedule takes whose chunks, register tile by register tile, have `panels` of those
/// together.
double cyclesOf(const WindowProblem& p, const kir::Target& target, const WinogradSchedule& s,
                int64_t panels) {
  const kir::Machine& machine = target.machine;
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  const int64_t cin = ceilDiv(p.cin, lanes), cout = ceilDiv(p.cout, lanes);
  const int64_t points = s.points(p), tiles = s.tiles(p);
  const int64_t planesIn = planes(p, p.in), planesOut = planes(p, p.out);
  const int64_t depth = p.kernel[0] * ceilDiv(p.cin, s.words.channels); // words of the sums
  const double products =
      p.shareInside(0) * static_cast<double>(planesOut * panels * (cout / s.blocks)) *
      static_cast<double>(points * depth) * tileCycles(machine, s.pixels, s.blocks, s.words);
  const bool pairs = s.words == kPairs;
  const double input = pairs ? kPairsInputArithmetic : kInputArithmetic;
  const double output = pairs ? kPairsOutputArithmetic : kOutputArithmetic;
  const double transforms =
      static_cast<double>(tiles * points) *
      (static_cast<double>(planesIn * ceilDiv(cin, s.words.channels)) *
           transformCycles(machine, input) +
       static_cast<double>(planesOut * cout) * transformCycles(machine, output));
  const int64_t wordBytes = kir::sizeInBytes(s.words.weight) * s.words.channels;
  const double reading = readingCycles(machine, wordBytes * points * depth * cout * lanes,
                                       static_cast<double>(planesOut * s.chunks(p)));
  return std::max(products, reading) + kNotHidden * std::min(products, reading) + transforms;
}

/// Fills in the register tile and evens out the chunks.
WinogradCandidate costOf(const WindowProblem& p, const kir::Target& target, WinogradSchedule s) {
  const kir::Machine& machine = target.machine;
  const int64_t cout = ceilDiv(p.cout, target.lanes(kir::Scalar::F32)), tiles = s.tiles(p);
  s.chunk = ceilDiv(tiles, ceilDiv(tiles, s.chunk));
  double best = 1e300;
  for (int64_t blocks = 1; blocks <= std::min<int64_t>(4, cout); ++blocks) {
    if (cout % blocks) continue;
    for (int64_t pixels = 1;
         tileRegisters(machine, pixels, blocks, 1, s.words) <= machine.vectorRegisters; ++pixels) {
      const double cycles = static_cast<double>(ceilDiv(s.chunk, pixels) * (cout / blocks)) *
                            tileCycles(machine, pixels, blocks, s.words);
      if (cycles >= best * 0.999) continue;
      best = cycles;
      s.pixels = pixels;
      s.blocks = blocks;
    }
  }
  return {s, cyclesOf(p, target, s, s.chunks(p) * ceilDiv(s.chunk, s.pixels)), kindOf(p, s)};
}

} // namespace

// A dilated window sees every dilation-th pixel: as many images as there are such lattices.
int64_t WinogradSchedule::tiles(const WindowProblem& p) const {
  const auto along = [&](size_t d) {
    return stepOf(p, d) * ceilDiv(ceilDiv(p.out[d], stepOf(p, d)), outputs(p, d));
  };
  return (isVolume(p) ? 1 : p.batch) * along(1) * along(2);
}

bool isWinogradWindow(const WindowProblem& p) {
  const auto fits = [&](size_t d) { return p.kernel[d] < largestSide(p) && p.strides[d] == 1; };
  if (p.groups != 1 || !fits(1) || !fits(2) || (p.kernel[1] == 1 && p.kernel[2] == 1)) return false;
  for (int64_t od = 0; od < p.out[0]; ++od) {
    int64_t inside = 0;
    for (int64_t k = 0; k < p.kernel[0]; ++k)
      inside += p.inputAt(0, od, k) >= 0 && p.inputAt(0, od, k) < p.in[0];
    if (inside == 0) return false;
  }
  return true;
}

std::string WinogradCandidate::name() const {
  return fmt::format("{}{} {}x{} of {}", kind, schedule.staged ? " staged" : "", schedule.pixels,
                     schedule.blocks, schedule.chunk);
}

std::optional<WinogradCandidate> winogradCandidate(std::string_view text, const WindowProblem& p,
                                                   const kir::Target& target, const Words& words) {
  NameReader name(text);
  WinogradSchedule s = {.words = words};
  const auto isKind = [&](int64_t side) {
    s.side = side;
    return side > std::max(p.kernel[1], p.kernel[2]) && name.word(kindOf(p, s) + " ");
  };
  if (std::ranges::none_of(sidesFor(words), isKind)) return std::nullopt;
  s.staged = name.word("staged ");
  const auto pixels = name.number();
  if (!pixels || !name.word("x")) return std::nullopt;
  const auto blocks = name.number();
  // The chunk is that of the problem which gave the name.
  if (!blocks || !name.word(" of ") || !name.number() || !name.isAtEnd()) return std::nullopt;
  s.pixels = *pixels;
  s.blocks = *blocks;
  const kir::Machine& machine = target.machine;
  if (ceilDiv(p.cout, target.lanes(kir::Scalar::F32)) % s.blocks != 0 ||
      tileRegisters(machine, s.pixels, s.blocks, 1, words) > machine.vectorRegisters)
    return std::nullopt;
  s.chunk = chunkOf(p, target, s);
  const int64_t tiles = s.tiles(p), whole = tiles / s.chunk;
  const int64_t panels =
      whole * ceilDiv(s.chunk, s.pixels) + ceilDiv(tiles - whole * s.chunk, s.pixels);
  double cycles = cyclesOf(p, target, s, panels);
  if (s.side == largestSide(p)) cycles *= kLargestTile;
  return WinogradCandidate{s, cycles, kindOf(p, s)};
}

std::vector<WinogradCandidate> winogradCandidates(const WindowProblem& p, const kir::Target& target,
                                                  const Words& words) {
  std::vector<WinogradCandidate> candidates;
  for (const int64_t side : sidesFor(words)) {
    if (side <= std::max(p.kernel[1], p.kernel[2]) || side > largestSide(p)) continue;
    WinogradSchedule schedule = {.side = side, .words = words};
    const int64_t chunk = chunkOf(p, target, schedule);
    double best = 0;
    for (const double share : {1.0, 0.5, 2.0}) {
      schedule.chunk = std::max<int64_t>(1, static_cast<int64_t>(share * double(chunk)));
      WinogradCandidate candidate = costOf(p, target, schedule);
      if (side == largestSide(p)) candidate.cycles *= kLargestTile;
      const bool staged = candidate.schedule.chunks(p) < kChunks * target.machine.threads;
      for (const bool other : {false, true}) {
        candidate.schedule.staged = isVolume(p) || staged != other;
        // Of small images, chunks of all sizes hold every tile; volumes are staged anyway.
        if (std::ranges::find(candidates, candidate.schedule, &WinogradCandidate::schedule) !=
            candidates.end())
          continue;
        // What differs, caches and threads, the model does not know: the rule of thumb is first.
        if (best > 0)
          candidate.cycles = std::max(candidate.cycles, best * kOtherThanUsual);
        else
          best = candidate.cycles;
        candidates.push_back(candidate);
      }
    }
  }
  std::ranges::stable_sort(candidates, {}, &WinogradCandidate::cycles);
  return candidates;
}

} // namespace enfold::lower
