// Times generated kernels: one fills memory, so that the system really provides it, one reads it,
// the others multiply and add, each numbers of one type.
#include "diagnose/MachineLimits.h"

#include "codegen/Jit.h"
#include "kernel/Builder.h"
#include "lower/Words.h"

#include <enfold/enfold.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <span>

namespace enfold::diagnose {
namespace {

using kir::Index;
using kir::Scalar;
using kir::Value;

constexpr int64_t kBytes = int64_t{256} << 20; ///< far beyond any cache
constexpr int64_t kPieces = 64;                ///< of the work, for threads to share
constexpr int64_t kElements = kBytes / 4 / kPieces;
constexpr int kChains = 12;        ///< independent multiply-adds: latency 4 or 5, two a cycle
constexpr int64_t kRounds = 5'000; ///< for each thread, in all pieces: less than a millisecond

// Words are multiplied as in a tile of a convolution, weights in registers with pixels that come
// from the first-level cache: what is in registers throughout could be multiplied once for all
// rounds.
constexpr int kPixels = 2;
constexpr int64_t kSteps = 16; ///< of a round, over vectors one behind the other
constexpr int64_t kWordRounds = kRounds / kSteps;
constexpr int64_t kTileRounds = 480; ///< of four products of tiles
constexpr int kRepeats = 16;         ///< of arithmetic in a run: other programs interrupt some
constexpr double kSeconds = 0.2;

kir::Kernel fill(int lanes) {
  kir::Builder b("fill");
  const kir::Buffer dst = b.output("dst", Scalar::F32, kElements * kPieces);
  const Value zero = b.zero({Scalar::F32, lanes});
  b.parallelFor("piece", kPieces, [&](const Index& piece) {
    b.forLoop("i", 0, kElements, lanes,
              [&](const Index& i) { b.store(dst[piece * kElements + i], zero); });
  });
  return b.finish();
}

kir::Kernel read(int lanes) {
  kir::Builder b("read");
  const kir::Buffer src = b.input("src", Scalar::F32, kElements * kPieces);
  const kir::Buffer dst = b.output("dst", Scalar::F32, kPieces * lanes);
  const kir::Type type{Scalar::F32, lanes};
  constexpr int kAbreast = 8;
  b.parallelFor("piece", kPieces, [&](const Index& piece) {
    std::vector<kir::Var> sums;
    for (int i = 0; i < kAbreast; ++i) sums.push_back(b.var("sum", b.zero(type)));
    b.forLoop("i", 0, kElements, kAbreast * lanes, [&](const Index& i) {
      for (int k = 0; k < kAbreast; ++k)
        sums[k].set(sums[k] + b.load(src[piece * kElements + i + k * lanes], lanes));
    });
    Value total = sums[0];
    for (int k = 1; k < kAbreast; ++k) total = total + sums[k];
    b.store(dst[piece * lanes], total);
  });
  return b.finish();
}

kir::Kernel multiplyAdd(int lanes, int threads) {
  kir::Builder b("multiply_add");
  const kir::Buffer src = b.input("src", Scalar::F32, 2 * lanes);
  const kir::Buffer dst = b.output("dst", Scalar::F32, kPieces * lanes);
  b.parallelFor("piece", kPieces, [&](const Index& piece) {
    const Value x = b.load(src[0], lanes), y = b.load(src[lanes], lanes);
    std::vector<kir::Var> chains;
    for (int i = 0; i < kChains; ++i) chains.push_back(b.var("chain", x));
    b.forLoop("i", 0, kRounds * threads, [&](const Index&) {
      for (kir::Var& chain : chains) chain.set(b.fma(x, y, chain));
    });
    Value total = chains[0];
    for (int i = 1; i < kChains; ++i) total = total + chains[i];
    b.store(dst[piece * lanes], total);
  });
  return b.finish();
}

/// The words whose pixels are of that type; of one channel if they are single numbers.
lower::Words wordsOf(Scalar multiplies) {
  for (const lower::Words& words :
       {lower::kPairs, lower::kBytes, lower::kSignedBytes, lower::kHalves})
    if (words.pixel == multiplies) return words;
  return {};
}

/// How many vectors of weights are in registers, beside as many sums for each pixel.
int weightsIn(const codegen::Target& target) {
  return target.machine.vectorRegisters >= 32 ? 6 : 4;
}

kir::Kernel multiplyWords(const codegen::Target& target, const lower::Words& words, int threads) {
  kir::Builder b(fmt::format("multiply_{}", name(words.pixel)));
  const int lanes = target.lanes(Scalar::F32), elements = lanes * words.channels;
  const int weights = weightsIn(target);
  const kir::Buffer src =
      b.input("src", words.pixel, (kWordRounds + kSteps * kPixels) * int64_t{elements});
  const kir::Buffer wei = b.input("wei", words.weight, int64_t{weights} * elements);
  const kir::Buffer dst = b.output("dst", words.sum, kPieces * lanes);
  b.parallelFor("piece", kPieces, [&](const Index& piece) {
    std::vector<Value> w;
    for (int k = 0; k < weights; ++k) w.push_back(b.load(wei[k * elements], elements));
    std::vector<kir::Var> sums;
    for (int i = 0; i < kPixels * weights; ++i)
      sums.push_back(b.var("sum", b.zero({words.sum, lanes})));
    const auto multiply = [&](const Index& at) {
      for (int i = 0; i < kPixels; ++i) {
        const Value x = b.load(src[at + i * elements], elements);
        for (int k = 0; k < weights; ++k) {
          kir::Var& sum = sums[static_cast<size_t>(i * weights + k)];
          sum.set(b.dot(sum, x, w[static_cast<size_t>(k)]));
        }
      }
    };
    b.forLoop("again", 0, threads, [&](const Index&) {
      b.forLoop("round", 0, kWordRounds, [&](const Index& round) {
        b.forLoop("step", 0, kSteps, [&](const Index& step) {
          multiply(round * elements + step * (int64_t{kPixels} * elements));
        });
      });
    });
    Value total = sums[0];
    for (size_t i = 1; i < sums.size(); ++i) total = total + sums[i];
    b.store(dst[piece * lanes], total);
  });
  return b.finish();
}

/// Whether the processor itself multiplies tiles of such words.
bool hasTiles(const codegen::Target& target, const lower::Words& words) {
  return target.hasTiles && lower::hasTiles(target.machine, words);
}

/// Two tiles of pixels by two of weights, as in a convolution.
kir::Kernel multiplyTiles(const lower::Words& words, int threads) {
  kir::Builder b(fmt::format("multiply_tiles_{}", name(words.pixel)));
  const int64_t row = kir::tileRow(words.pixel).lanes, tile = row * kir::kTileRows;
  constexpr int64_t kSums = int64_t{kir::kTileRows} * kir::kTileRows;
  const kir::Buffer src = b.input("src", words.pixel, 2 * tile);
  const kir::Buffer wei = b.input("wei", words.weight, 2 * tile);
  const kir::Buffer dst = b.output("dst", words.sum, 4 * kPieces * kSums);
  b.parallelFor("piece", kPieces, [&](const Index& piece) {
    for (int i = 0; i < 4; ++i) b.tileZero(i);
    for (int i = 0; i < 2; ++i) b.tileLoad(4 + i, src[i * tile], row);
    for (int i = 0; i < 2; ++i) b.tileLoad(6 + i, wei[i * tile], row);
    b.forLoop("round", 0, kTileRounds * threads, [&](const Index&) {
      for (int i = 0; i < 4; ++i) b.tileDot(i, 4 + i / 2, 6 + i % 2, words.pixel);
    });
    for (int i = 0; i < 4; ++i) b.tileStore(dst[(piece * 4 + i) * kSums], kir::kTileRows, i);
  });
  return b.finish();
}

/// Operations of multiplyAdd(), multiplyWords() or multiplyTiles().
double flopsOf(const codegen::Target& target, const lower::Words& words, int threads) {
  if (hasTiles(target, words))
    return 2.0 * 4 * kTileRounds * threads * kPieces * kir::kTileRows * kir::kTileRows *
           kir::tileRow(words.pixel).lanes;
  const double perLane = words.channels == 1 ? double{kChains} * kRounds
                                             : double{kPixels} * weightsIn(target) * kWordRounds *
                                                   kSteps * words.channels;
  return 2 * perLane * threads * static_cast<double>(kPieces * target.lanes(Scalar::F32));
}

/// All kernels read and write the arena: the large array, and one behind it. Those that multiply
/// come last, in the order given.
codegen::ProgramDesc program(const codegen::Target& target, std::span<const Scalar> multiplied,
                             int threads) {
  const int lanes = target.lanes(Scalar::F32);
  codegen::ProgramDesc desc{.name = "limits"};
  const enfold_buffer_ref large{ENFOLD_SPACE_ARENA, 0, 0}, small{ENFOLD_SPACE_ARENA, 0, kBytes};
  const auto add = [&](kir::Kernel kernel, const std::vector<enfold_buffer_ref>& buffers,
                       int times) {
    for (int i = 0; i < times; ++i)
      desc.steps.push_back({.kernel = static_cast<int>(desc.kernels.size()),
                            .buffers = buffers,
                            .parallel = true,
                            .name = kernel.name});
    desc.kernels.push_back(std::move(kernel));
  };
  add(fill(lanes), {large}, 1);
  add(read(lanes), {large, small}, 1);
  for (const Scalar scalar : multiplied) {
    const lower::Words words = wordsOf(scalar);
    if (words.channels == 1)
      add(multiplyAdd(lanes, threads), {large, small}, kRepeats);
    else
      add(hasTiles(target, words) ? multiplyTiles(words, threads)
                                  : multiplyWords(target, words, threads),
          {large, large, small}, kRepeats);
  }
  desc.arenaBytes = kBytes + (int64_t{1} << 20);
  return desc;
}

struct Destroy {
  void operator()(enfold_context* context) const { enfold_destroy_context(context); }
};

} // namespace

Result<MachineLimits> measureLimits(const codegen::Target& target, int threads,
                                    const std::set<kir::Scalar>& multiplied) {
  std::vector<Scalar> scalars = {Scalar::F32};
  for (const Scalar scalar : multiplied)
    if (wordsOf(scalar).channels > 1) scalars.push_back(scalar);
  if (threads == 0) threads = enfold_default_threads();
  ENFOLD_TRY(const auto module, codegen::jit(program(target, scalars, threads), target));
  enfold_options options{};
  options.threads = threads;
  enfold_context* raw = nullptr;
  if (enfold_create_context(module->program(), &options, &raw) != ENFOLD_OK)
    return unsupported(enfold_last_error());
  const std::unique_ptr<enfold_context, Destroy> context(raw);
  enfold_start_profile(raw);
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(kSeconds);
  do {
    if (enfold_run(raw, nullptr, 0, nullptr, 0) != ENFOLD_OK)
      return unsupported(enfold_last_error());
  } while (Clock::now() < end);
  enfold_stop_profile(raw);
  const auto leastSeconds = [&](size_t first, size_t count) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t step = first; step < first + count; ++step) {
      enfold_step_profile profile;
      enfold_read_profile(raw, static_cast<int32_t>(step), &profile);
      least = std::min(least, profile.min_seconds);
    }
    return least;
  };
  MachineLimits limits{.gbps = static_cast<double>(kBytes) / leastSeconds(1, 1) * 1e-9,
                       .peaks = {}};
  for (size_t i = 0; i < scalars.size(); ++i)
    limits.peaks[scalars[i]] = flopsOf(target, wordsOf(scalars[i]), threads) /
                               leastSeconds(2 + i * kRepeats, kRepeats) * 1e-9;
  return limits;
}

} // namespace enfold::diagnose
