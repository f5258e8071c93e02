// Times three generated kernels: one fills memory, so that the system really provides it, one reads
// it, one multiplies and adds in registers.
#include "diagnose/MachineLimits.h"

#include "codegen/Jit.h"
#include "kernel/Builder.h"

#include <enfold/enfold.h>

#include <chrono>
#include <memory>

namespace enfold::diagnose {
namespace {

using kir::Index;
using kir::Scalar;
using kir::Value;

constexpr int64_t kBytes = int64_t{256} << 20; ///< far beyond any cache
constexpr int64_t kPieces = 64;                ///< of the work, for threads to share
constexpr int64_t kElements = kBytes / 4 / kPieces;
constexpr int kChains = 12; ///< independent multiply-adds: latency 4 or 5, two a cycle
constexpr int64_t kRounds = 20'000;
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

kir::Kernel multiplyAdd(int lanes) {
  kir::Builder b("multiply_add");
  const kir::Buffer src = b.input("src", Scalar::F32, 2 * lanes);
  const kir::Buffer dst = b.output("dst", Scalar::F32, kPieces * lanes);
  b.parallelFor("piece", kPieces, [&](const Index& piece) {
    const Value x = b.load(src[0], lanes), y = b.load(src[lanes], lanes);
    std::vector<kir::Var> chains;
    for (int i = 0; i < kChains; ++i) chains.push_back(b.var("chain", x));
    b.forLoop("i", 0, kRounds, [&](const Index&) {
      for (kir::Var& chain : chains) chain.set(b.fma(x, y, chain));
    });
    Value total = chains[0];
    for (int i = 1; i < kChains; ++i) total = total + chains[i];
    b.store(dst[piece * lanes], total);
  });
  return b.finish();
}

/// All kernels read and write the arena: the large array, and one behind it.
codegen::ProgramDesc program(int lanes) {
  codegen::ProgramDesc desc{.name = "limits"};
  desc.kernels = {fill(lanes), read(lanes), multiplyAdd(lanes)};
  const enfold_buffer_ref large{ENFOLD_SPACE_ARENA, 0, 0}, small{ENFOLD_SPACE_ARENA, 0, kBytes};
  desc.steps = {{.kernel = 0, .buffers = {large}, .parallel = true, .name = "fill"},
                {.kernel = 1, .buffers = {large, small}, .parallel = true, .name = "read"},
                {.kernel = 2, .buffers = {large, small}, .parallel = true, .name = "multiply_add"}};
  desc.arenaBytes = kBytes + (int64_t{1} << 20);
  return desc;
}

struct Destroy {
  void operator()(enfold_context* context) const { enfold_destroy_context(context); }
};

} // namespace

Result<MachineLimits> measureLimits(const codegen::Target& target, int threads) {
  const int lanes = target.lanes(Scalar::F32);
  ENFOLD_TRY(const auto module, codegen::jit(program(lanes), target));
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
  enfold_step_profile reading, adding;
  enfold_read_profile(raw, 1, &reading);
  enfold_read_profile(raw, 2, &adding);
  const double flops = 2.0 * kChains * static_cast<double>(kRounds * kPieces * lanes);
  return MachineLimits{.gflops = flops / adding.min_seconds * 1e-9,
                       .gbps = static_cast<double>(kBytes) / reading.min_seconds * 1e-9};
}

} // namespace enfold::diagnose
