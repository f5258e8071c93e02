// A reduction step of a tile takes as long as its multiply-adds, its loads or one multiply-add's
// latency, whichever is longest.
#include "lower/conv/Schedule.h"

#include "lower/conv/NameReader.h"
#include "lower/window/Tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace enfold::lower {
namespace {

/// Vectors of channels in a tile: larger tiles were never the fastest, on 16 registers or 32.
constexpr int64_t kMaxBlocks = 4;
/// Multiply-adds that the innermost loop writes out for every accumulator, so that counting and
/// jumping do not show; more made no difference.
constexpr int64_t kUnroll = 8;
/// Sums of a tile at least: with fewer, late loads show, even if fewer would hide the latency of
/// additions. Measured on Zen 4 with vectors of 64 bytes, where four would.
constexpr double kFewSums = 8;
/// Iterations of the longest share of a thread over those of all, from which on shares are uneven.
constexpr double kUneven = 1.125;
/// Runs of a row of tiles that are alike but for a pixel.
constexpr size_t kEvenRuns = 2;
/// Of the second-level cache, for the input that is read again with other weights.
constexpr double kShareOfCache = 0.5;
/// Of reading weights again, what does not hide behind the products.
constexpr double kNotHidden = 0.3;
/// Vector instructions that a core completes, of those that are not only multiply-adds, for every
/// multiply-add that it could.
constexpr double kBesideFmas = 1.5;
/// Cycles for the place of a pixel of a tile that spans rows.
constexpr double kPlaceCycles = 6;
/// Pixels of such a tile at most: their places stay in general registers. Measured on Zen 4 with
/// vectors of 64 bytes, where tiles of more than 10 pixels run at 40 to 90 % of others' speed.
constexpr int64_t kMostPlaces = 8;
/// Relative difference of estimates that says nothing.
constexpr double kNoise = 0.001;
/// Of tiles that need more registers than there are.
constexpr double kImpossible = 1e300;

/// A step of a tile: sums that grow by a product each, and vectors of pixels and weights.
struct Step {
  double sums, pixels, weights;
};

double cycles(const kir::Machine& machine, const Step& step, const Words& words) {
  const int bytes = machine.vectorBytes;
  const double loads = (step.pixels + step.weights) / machine.load.of(bytes);
  const double sums = std::max(step.sums, kFewSums);
  if (words.channels == 1)
    return std::max({sums / machine.fma.of(bytes), loads, machine.fmaLatency});
  if (hasDot(machine, words))
    return std::max({sums / dotsOf(machine, words).of(bytes), loads, machine.fmaLatency});
  if (words == kHalves) { // two multiply-adds, and two instructions that make f32 of words
    const double fmas = machine.fma.of(bytes), widening = 2 * (step.pixels + step.weights);
    return std::max({2 * sums / fmas, (2 * step.sums + widening) / (kBesideFmas * fmas), loads,
                     2 * machine.fmaLatency});
  }
  // Sums grow by an addition, which is the only thing they wait for.
  if (words.channels == 2) return std::max(sums / machine.pairs.of(bytes), loads);
  // Bytes are split in two vectors of pairs, with an instruction for each, two for signed ones.
  return std::max((2 * sums + step.pixels + 2 * step.weights) / machine.pairs.of(bytes), loads);
}

/// How many columns of the input any tap of the pixels of a tile reads.
int64_t columnsRead(const WindowProblem& p, int64_t pixels) {
  const int64_t stride = p.strides[2], dilation = p.dilations[2];
  // Pixel i reads by tap x what pixel i - later reads by tap x + taps.
  const int64_t taps = stride / std::gcd(stride, dilation);
  const int64_t later = dilation / std::gcd(stride, dilation);
  const int64_t shared =
      std::max<int64_t>(0, pixels - later) * std::max<int64_t>(0, p.kernel[2] - taps);
  return pixels * p.kernel[2] - shared;
}

/// tileCycles() when the taps of a row share the pixels they read.
double sharedTileCycles(const WindowProblem& p, const kir::Machine& machine, int64_t pixels,
                        int64_t blocks, const Words& words) {
  const auto perTap =
      static_cast<double>(columnsRead(p, pixels)) / static_cast<double>(p.kernel[2]);
  return cycles(machine,
                {static_cast<double>(pixels * blocks), perTap, static_cast<double>(blocks)}, words);
}

/// Cycles for the weights of a reduction step, which every tile reads from the cache that holds
/// those of a group of blocks.
double weightCycles(const WindowProblem& p, const kir::Machine& machine, const ConvSchedule& s) {
  const int64_t bytes = s.blocks * machine.vectorBytes;
  const int64_t steps = (p.cinPerGroup() + s.words.channels - 1) / s.words.channels * p.taps();
  return static_cast<double>(bytes) / machine.bytesPerCycle(steps * bytes);
}

/// Cycles per reduction step of a row of pixels for a group of s.blocks channel blocks.
double rowCycles(const WindowProblem& p, const kir::Machine& machine, const ConvSchedule& s) {
  const int64_t width = p.out[2], tiles = (width + s.pixels - 1) / s.pixels;
  const int64_t large = width % tiles, size = width / tiles;
  const double reading = weightCycles(p, machine, s);
  const auto tile = [&](int64_t pixels) {
    return std::max(reading, s.sharesPixels
                                 ? sharedTileCycles(p, machine, pixels, s.blocks, s.words)
                                 : tileCycles(machine, pixels, s.blocks, s.words));
  };
  // The last of equal tiles overlaps the one before it.
  if (p.anyWidth && s.pixels <= width) return static_cast<double>(tiles) * tile(s.pixels);
  return static_cast<double>(large) * tile(size + 1) +
         static_cast<double>(tiles - large) * tile(size);
}

int64_t registers(const WindowProblem& p, const kir::Machine& machine, const ConvSchedule& s) {
  return tileRegisters(machine, s.pixels, s.blocks, s.sharesPixels ? p.kernel[2] : 1, s.words);
}

/// The best tile of `blocks` channel blocks, and its rowCycles().
struct Fit {
  ConvSchedule schedule;
  double cycles = kImpossible;
};

/// Words that the innermost loop writes out. Of pixels with places of their own a single one: the
/// loads from a place would go ahead of the products and leave no registers for the sums.
int64_t unrollOf(const WindowProblem& p, const ConvSchedule& s) {
  if (s.spansRows) return 1;
  return s.sharesPixels ? std::max<int64_t>(1, kUnroll / p.kernel[2]) : kUnroll;
}

/// Of one pixel on, with the blocks of `s` and what else it says.
Fit fitOf(const WindowProblem& p, const kir::Machine& machine, ConvSchedule s) {
  Fit best;
  const int64_t most = s.spansRows ? kMostPlaces : std::numeric_limits<int64_t>::max();
  for (; s.pixels <= most && registers(p, machine, s) <= machine.vectorRegisters; ++s.pixels) {
    const double cycles = rowCycles(p, machine, s);
    // Of about equals the largest, which loads least.
    const bool larger = s.pixels > best.schedule.pixels;
    if (cycles >= best.cycles * (larger ? 1 + kNoise : 1 - kNoise)) continue;
    best = {s, std::min(cycles, best.cycles)};
  }
  best.schedule.pixels = std::min(best.schedule.pixels, p.out[2]);
  best.schedule.unroll = unrollOf(p, best.schedule);
  return best;
}

/// The better of sharing pixels and not.
Fit betterFitOf(const WindowProblem& p, const kir::Machine& machine, ConvSchedule s) {
  const Fit plain = fitOf(p, machine, s);
  if (p.kernel[2] == 1) return plain;
  s.sharesPixels = true;
  const Fit shared = fitOf(p, machine, s);
  return shared.cycles < plain.cycles * (1 - kNoise) ? shared : plain;
}

/// Fills in the rows of an iteration, with all channels, or the tiles of a single row.
void divide(ConvSchedule& s, const WindowProblem& p, const kir::Machine& machine,
            int64_t blockGroups) {
  const int64_t columnBytes = kir::sizeInBytes(s.words.pixel) * p.cinPerGroup() * p.in[0];
  const int64_t others = p.batch * p.groups * blockGroups * p.out[0];
  s.rows = partsOfIteration(p.out[1], columnBytes * p.in[2] * p.strides[1], others, machine);
  // Tiles at borders are written out one by one.
  const std::vector<TileRun> runs = tileRow(p, s.pixels);
  if (p.out[1] != 1 || runs.size() > kEvenRuns) return;
  int64_t tiles = 0;
  for (const TileRun& run : runs) tiles += run.count;
  // Iterations are alike: they are split only where the threads cannot share them evenly, since
  // every part reads all weights.
  s.tiles = partsOfCache(tiles, columnBytes * s.pixels * p.strides[2], machine);
  const auto isUneven = [&](int64_t iterations) {
    const int64_t longest = (iterations + machine.threads - 1) / machine.threads;
    return static_cast<double>(longest * machine.threads) >
           kUneven * static_cast<double>(iterations);
  };
  while (s.tiles > 1 && isUneven(others * ((tiles + s.tiles - 1) / s.tiles)))
    s.tiles = (s.tiles + 1) / 2;
}

int64_t channelBlocks(const WindowProblem& p, const kir::Target& target) {
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  return (p.coutPerGroup() + lanes - 1) / lanes;
}

/// Of about equals the one that loads least, with the largest tile. Pixels are shared only where
/// that gains something: the input is read again for every block of channels.
bool isBetter(const DirectCandidate& candidate, const DirectCandidate& best) {
  const auto size = [](const DirectCandidate& w) {
    const ConvSchedule& s = w.parts.front().schedule;
    return std::pair(s.pixels * s.blocks, !s.sharesPixels);
  };
  const bool larger = candidate.parts.size() == 1 && size(candidate) > size(best);
  return candidate.cycles < best.cycles * (larger ? 1 + kNoise : 1 - kNoise);
}

/// What a second kernel costs the threads together. It does not depend on their number, so that
/// the order of additions does not either.
double kernelCycles(const kir::Machine& machine) {
  constexpr double kThreads = 4;
  return machine.callCycles + kThreads * machine.barrierCycles;
}

/// What reading the weights takes beyond the first time, for as many parts of the input as the
/// second-level cache holds one by one; `rowBytes` is what a row reads, with all channels.
double rereadingCycles(const WindowProblem& p, const kir::Machine& machine, int64_t rows,
                       double rowBytes, const Words& words) {
  const int64_t bytes = kir::sizeInBytes(words.weight) * p.cout * p.cinPerGroup() * p.taps();
  if (bytes <= machine.l2.bytes / 2) return 0;
  const double cacheBytes = kShareOfCache * static_cast<double>(machine.l2.share());
  const double pieces = std::max(1.0, std::ceil(static_cast<double>(rows) * rowBytes / cacheBytes));
  const double times = static_cast<double>(p.batch * p.out[0]) * pieces - 1;
  return kNotHidden * times * static_cast<double>(bytes) / machine.bytesPerCycle(bytes);
}

/// Bytes of input that a row reads.
double rowBytes(const WindowProblem& p, const Words& words) {
  return static_cast<double>(kir::sizeInBytes(words.pixel) * p.cinPerGroup() * p.in[2] * p.in[0] *
                             p.strides[1]);
}

/// Rows of pixels times steps of the reduction, over all groups.
double steps(const WindowProblem& p, const Words& words) {
  const int64_t inputs = (p.cinPerGroup() + words.channels - 1) / words.channels;
  return static_cast<double>(p.batch * p.groups * p.out[0] * p.out[1] * inputs * p.taps());
}

/// Without the taps outside the input, which take none.
double stepsInside(const WindowProblem& p, const Words& words) {
  return p.shareInside(0) * p.shareInside(1) * p.shareInside(2) * steps(p, words);
}

/// Candidates, the best first, of those for every number of blocks in a tile.
class Candidates {
public:
  Candidates(const WindowProblem& p, const kir::Target& target, const Words& words,
             bool spansRows = false)
      : p_(p), machine_(target.machine), words_(words), spansRows_(spansRows),
        all_(channelBlocks(p, target)), steps_(spansRows ? steps(p, words) : stepsInside(p, words)),
        again_(rereadingCycles(p, machine_, p.out[1], rowBytes(p, words), words)) {}

  int64_t mostBlocks() const { return std::min(kMaxBlocks, all_); }

  void add(int64_t blocks, bool shares) {
    const int64_t rest = all_ % blocks;
    ConvSchedule s = {
        .blocks = blocks, .sharesPixels = shares, .spansRows = spansRows_, .words = words_};
    Fit main = fitOf(p_, machine_, s);
    if (main.cycles >= kImpossible) return;
    divide(main.schedule, p_, machine_, all_ / blocks);
    DirectCandidate candidate = {{{0, all_ - rest, main.schedule}},
                                 static_cast<double>(all_ / blocks) * main.cycles * steps_ +
                                     again_};
    if (rest > 0) {
      s = {.blocks = rest, .spansRows = spansRows_, .words = words_};
      Fit last = betterFitOf(p_, machine_, s);
      divide(last.schedule, p_, machine_, 1);
      candidate.parts.push_back({all_ - rest, rest, last.schedule});
      candidate.cycles += last.cycles * steps_ + kernelCycles(machine_);
    }
    candidates_.push_back(std::move(candidate));
    if (isBetter(candidates_.back(), candidates_[best_])) best_ = candidates_.size() - 1;
  }

  std::vector<DirectCandidate> sorted() && {
    std::swap(candidates_.front(), candidates_[best_]);
    candidates_.front().cycles = std::ranges::min(candidates_, {}, &DirectCandidate::cycles).cycles;
    std::ranges::stable_sort(candidates_, {}, &DirectCandidate::cycles);
    return std::move(candidates_);
  }

private:
  const WindowProblem& p_;
  const kir::Machine& machine_;
  const Words& words_;
  const bool spansRows_;
  const int64_t all_;
  const double steps_;
  const double again_; ///< reading the weights again
  std::vector<DirectCandidate> candidates_;
  size_t best_ = 0;
};

/// Takes "shared 4x3" from the front of a name.
bool readTile(NameReader& name, ConvSchedule& s) {
  s.sharesPixels = name.word("shared ");
  const auto pixels = name.number();
  if (!pixels || !name.word("x")) return false;
  const auto blocks = name.number();
  if (!blocks) return false;
  s.pixels = *pixels;
  s.blocks = *blocks;
  return true;
}

} // namespace

double tileCycles(const kir::Machine& machine, int64_t pixels, int64_t blocks, const Words& words) {
  return cycles(machine,
                {static_cast<double>(pixels * blocks), static_cast<double>(pixels),
                 static_cast<double>(blocks)},
                words);
}

int64_t tileRegisters(const kir::Machine& machine, int64_t pixels, int64_t blocks, int64_t taps,
                      const Words& words) {
  const int64_t usual = (pixels + taps) * blocks + 1;
  if (words.channels == 1 || hasDot(machine, words)) return usual;
  // Both numbers of every weight and of a pixel.
  if (words == kHalves) return usual + taps * blocks + 1;
  // A product; of bytes also the second halves of weights and pixel, and a mask.
  return words.channels == 2 ? usual + 1 : usual + 1 + taps * blocks + 2;
}

std::string DirectCandidate::name() const {
  std::string text = fmt::format("direct {}", prefix(parts.front().schedule.words));
  for (const ConvPart& part : parts)
    text += fmt::format("{}{}{}x{}", &part == &parts.front() ? "" : " + ",
                        part.schedule.sharesPixels ? "shared "
                        : part.schedule.spansRows  ? "spanning "
                                                   : "",
                        part.schedule.pixels, part.schedule.blocks);
  return text;
}

std::vector<DirectCandidate> directCandidates(const WindowProblem& p, const kir::Target& target,
                                              const Words& words) {
  Candidates candidates(p, target, words);
  for (int64_t blocks = 1; blocks <= candidates.mostBlocks(); ++blocks)
    for (const bool shares : {false, true})
      if (!shares || p.kernel[2] > 1) candidates.add(blocks, shares);
  return std::move(candidates).sorted();
}

WindowProblem flattened(const WindowProblem& p) {
  WindowProblem flat = p;
  const int64_t pixels = p.batch * p.outPixels();
  flat.batch = 1;
  flat.kernel = {p.taps(), 1, 1};
  flat.dilations = {1, 1, 1};
  flat.padsBegin = flat.padsEnd = {0, 0, 0};
  // As far apart as the pixels of the input that they read are on average.
  flat.strides = {1, 1, std::max<int64_t>(1, p.inPixels() / std::max<int64_t>(1, p.outPixels()))};
  flat.out = {1, 1, pixels};
  flat.in = {1, 1, pixels * flat.strides[2]};
  return flat;
}

std::vector<DirectCandidate> spanningCandidates(const WindowProblem& p, const kir::Target& target,
                                                const Words& words) {
  const WindowProblem flat = flattened(p);
  Candidates candidates(flat, target, words, /*spansRows=*/true);
  for (int64_t blocks = 1; blocks <= candidates.mostBlocks(); ++blocks)
    candidates.add(blocks, false);
  std::vector<DirectCandidate> sorted = std::move(candidates).sorted();
  for (DirectCandidate& candidate : sorted)
    for (const ConvPart& part : candidate.parts)
      candidate.cycles += kPlaceCycles * static_cast<double>(flat.out[2] * part.numBlocks) /
                          static_cast<double>(part.schedule.blocks);
  return sorted;
}

std::optional<DirectCandidate> directCandidate(std::string_view text, const WindowProblem& p,
                                               const kir::Target& target, const Words& words) {
  const kir::Machine& machine = target.machine;
  const int64_t all = channelBlocks(p, target);
  DirectCandidate candidate{{}, rereadingCycles(p, machine, p.out[1], rowBytes(p, words), words)};
  int64_t first = 0;
  NameReader name(text);
  if (!name.word("direct ") || !name.word(prefix(words))) return std::nullopt;
  do {
    ConvSchedule s = {.words = words};
    if (!readTile(name, s) || s.blocks > kMaxBlocks || (s.sharesPixels && p.kernel[2] == 1) ||
        registers(p, machine, s) > machine.vectorRegisters)
      return std::nullopt;
    const int64_t count = (all - first) / s.blocks * s.blocks;
    if (count == 0) return std::nullopt;
    s.pixels = p.anyWidth ? tileForAnyWidth(p, s.pixels) : std::min(s.pixels, p.out[2]);
    s.unroll = unrollOf(p, s);
    divide(s, p, machine, count / s.blocks);
    if (first > 0) candidate.cycles += kernelCycles(machine);
    candidate.cycles +=
        static_cast<double>(count / s.blocks) * rowCycles(p, machine, s) * stepsInside(p, words);
    candidate.parts.push_back({first, count, s});
    first += count;
  } while (name.word(" + "));
  if (!name.isAtEnd() || first != all) return std::nullopt;
  return candidate;
}

ConvSchedule scheduleConv(const WindowProblem& p, const kir::Target& target) {
  for (const DirectCandidate& candidate : directCandidates(p, target))
    if (candidate.parts.size() == 1) return candidate.parts.front().schedule;
  ENFOLD_CHECK(false, "one block of channels always divides them");
}

} // namespace enfold::lower
