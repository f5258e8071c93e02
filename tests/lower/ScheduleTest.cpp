// Schedules of convolutions for processors that are not at hand.
#include "lower/conv/Schedule.h"

#include "codegen/TargetInfo.h"
#include "lower/conv/WinogradSchedule.h"

#include <gtest/gtest.h>

namespace enfold::lower {
namespace {

/// A 3x3 convolution of `channels` to as many, of stride 1.
WindowProblem square(int64_t channels, int64_t size) {
  WindowProblem p;
  p.cin = p.cout = channels;
  p.in = p.out = {1, size, size};
  p.kernel = {1, 3, 3};
  p.padsBegin = p.padsEnd = {0, 1, 1};
  return p;
}

kir::Target described(std::string_view cpu, int vectorBytes,
                      kir::Architecture architecture = kir::Architecture::X86_64) {
  kir::Target target;
  target.cpu = cpu;
  target.machine = kir::machineOf(cpu, architecture, vectorBytes);
  return target;
}

std::vector<kir::Target> machines() {
  using enum kir::Architecture;
  return {described("znver3", 32),
          described("znver4", 64),
          described("znver5", 64),
          described("sapphirerapids", 64),
          described("nehalem", 16),
          described("neoverse-n1", 16, AArch64),
          described("neoverse-v1", 16, AArch64),
          described("cortex-a72", 16, AArch64)};
}

TEST(Schedule, TilesFitIntoRegisters) {
  for (const kir::Target& target : machines())
    for (const int64_t channels : {16, 24, 64, 512})
      for (const int64_t size : {7, 14, 56}) {
        const WindowProblem p = square(channels, size);
        for (const DirectCandidate& candidate : directCandidates(p, target))
          for (const ConvPart& part : candidate.parts) {
            const ConvSchedule& s = part.schedule;
            const int64_t weights = s.sharesPixels ? 3 * s.blocks : s.blocks;
            EXPECT_LE(s.pixels * s.blocks + weights + 1, target.machine.vectorRegisters)
                << target.cpu << " " << candidate.name();
          }
        for (const WinogradCandidate& candidate : winogradCandidates(p, target))
          EXPECT_LE(candidate.schedule.pixels * candidate.schedule.blocks +
                        candidate.schedule.blocks + 1,
                    target.machine.vectorRegisters)
              << target.cpu << " " << candidate.name();
      }
}

TEST(Schedule, AreFoundByTheirNames) {
  for (const kir::Target& target : machines())
    for (const int64_t channels : {16, 24, 64}) {
      const WindowProblem p = square(channels, 14);
      for (const DirectCandidate& candidate : directCandidates(p, target)) {
        const auto named = directCandidate(candidate.name(), p, target);
        ASSERT_TRUE(named) << candidate.name();
        EXPECT_EQ(named->name(), candidate.name());
        EXPECT_EQ(named->parts.front().schedule.rows, candidate.parts.front().schedule.rows);
        EXPECT_EQ(named->parts.front().schedule.unroll, candidate.parts.front().schedule.unroll);
      }
      for (const WinogradCandidate& candidate : winogradCandidates(p, target)) {
        const auto named = winogradCandidate(candidate.name(), p, target);
        ASSERT_TRUE(named) << candidate.name();
        EXPECT_EQ(named->kind, candidate.kind);
        EXPECT_EQ(named->schedule.pixels, candidate.schedule.pixels);
        EXPECT_EQ(named->schedule.blocks, candidate.schedule.blocks);
      }
    }
}

TEST(Schedule, NamesOfNoneAreRefused) {
  const kir::Target target = described("znver3", 32);
  const WindowProblem p = square(64, 14);
  for (const char* name :
       {"", "direct", "direct ", "direct 6", "direct 6x", "direct 0x2", "direct -6x2",
        "direct 99x4", "direct 6x5", "direct 6x3", "direct 6x2 ", "direct 6x2 + 6x2", "direct 6x2x",
        "auto", "direct 99999999999999999999x2", "direct bytes 6x2", "winograd f4 6x2 of 48"})
    EXPECT_FALSE(directCandidate(name, p, target)) << name;
  for (const char* name :
       {"", "winograd", "winograd f3 6x2 of 48", "winograd f4 6x2", "winograd f4 6x2 of",
        "winograd f4 6x2 of 48 ", "winograd f4 6x3 of 48", "winograd f4 99x2 of 48",
        "winograd f4  6x2 of 48", "winograd f4 0x2 of 48", "direct 6x2"})
    EXPECT_FALSE(winogradCandidate(name, p, target)) << name;
  WindowProblem pointwise = p;
  pointwise.kernel = {1, 1, 1};
  pointwise.padsBegin = pointwise.padsEnd = {0, 0, 0};
  EXPECT_TRUE(directCandidate("direct 6x2", pointwise, target));
  EXPECT_FALSE(directCandidate("direct shared 4x2", pointwise, target));
}

/// Each pixel of a tile that spans rows has an address of its own.
TEST(Schedule, AddressesOfPixelsFitIntoRegisters) {
  for (const kir::Target& target : machines())
    for (const int64_t channels : {16, 48, 64, 512})
      for (const DirectCandidate& candidate : spanningCandidates(square(channels, 14), target))
        for (const ConvPart& part : candidate.parts) {
          EXPECT_TRUE(part.schedule.spansRows) << candidate.name();
          EXPECT_LE(part.schedule.pixels, 8) << candidate.name();
        }
}

/// Taps in the padding take no time, but where the padding is a copy.
TEST(Schedule, CountsTheTapsInsideTheInput) {
  WindowProblem p = square(64, 4);
  EXPECT_DOUBLE_EQ(p.shareInside(0), 1);
  EXPECT_DOUBLE_EQ(p.shareInside(1), 10.0 / 12);
  p.dilations[2] = 3;
  p.padsBegin[2] = p.padsEnd[2] = 3;
  EXPECT_DOUBLE_EQ(p.shareInside(2), 6.0 / 12);
  p.in[2] = 9, p.strides[2] = 3, p.padsBegin[2] = 3; // pixel o of three reads 3 * (o - 1) on
  p.out[2] = 3;
  EXPECT_DOUBLE_EQ(p.shareInside(2), 7.0 / 9);
  p.kernel[2] = 40;
  int64_t inside = 0;
  for (int64_t o = 0; o < 3; ++o)
    for (int64_t k = 0; k < 40; ++k) inside += p.inputAt(2, o, k) >= 0 && p.inputAt(2, o, k) < 9;
  EXPECT_DOUBLE_EQ(p.shareInside(2), static_cast<double>(inside) / 120);
  const kir::Target target = described("znver4", 64);
  const WindowProblem padded = square(64, 4);
  WindowProblem within = padded;
  within.in = {1, 6, 6};
  within.padsBegin = within.padsEnd = {0, 0, 0};
  EXPECT_LT(directCandidates(padded, target).front().cycles,
            directCandidates(within, target).front().cycles);
}

TEST(Schedule, BestTileKeepsTheUnitsBusy) {
  for (const kir::Target& target : machines()) {
    const kir::Machine& machine = target.machine;
    const ConvPart part = directCandidates(square(256, 56), target).front().parts.front();
    const int64_t sums = part.schedule.pixels * part.schedule.blocks;
    EXPECT_GE(sums, machine.chains(machine.vectorBytes)) << target.cpu;
  }
}

TEST(Schedule, AProcessorThatMultipliesTwiceAsFastIsEstimatedFaster) {
  const WindowProblem p = square(128, 28);
  const kir::Target zen4 = described("znver4", 64), zen5 = described("znver5", 64);
  const double slow = directCandidates(p, zen4).front().cycles,
               fast = directCandidates(p, zen5).front().cycles;
  EXPECT_GT(slow / fast, 1.7);
  EXPECT_LT(slow / fast, 2.3);
}

TEST(Schedule, MoreLoadsPerCycleMakeTilesSmallerNotLarger) {
  // Loads bound a tile of one block and few pixels only where they are slow.
  kir::Machine machine = kir::machineOf("znver3", kir::Architecture::X86_64, 32);
  const double before = tileCycles(machine, 4, 1);
  machine.load = {16, 1024};
  EXPECT_LT(tileCycles(machine, 12, 1), 12.0 / 1.7);
  EXPECT_LE(tileCycles(machine, 4, 1), before);
}

TEST(Schedule, RowsOfAnIterationFollowTheCacheAndTheThreads) {
  const WindowProblem p = square(64, 112); // 28 KiB of input a row
  kir::Target target = described("znver4", 64);
  target.machine.threads = 1;
  target.machine.l2 = {1 << 20, 1, 27};
  const int64_t rows = directCandidates(p, target).front().parts.front().schedule.rows;
  target.machine.l2.bytes = 256 << 10;
  const int64_t fewer = directCandidates(p, target).front().parts.front().schedule.rows;
  EXPECT_LT(fewer, rows);
  target.machine.l2.bytes = 1 << 20;
  target.machine.l2.sharedBy = 4;
  EXPECT_EQ(directCandidates(p, target).front().parts.front().schedule.rows, fewer);
  target.machine.l2.sharedBy = 1;
  target.machine.threads = 64;
  EXPECT_LT(directCandidates(p, target).front().parts.front().schedule.rows, rows);
}

TEST(Schedule, ChunksFollowTheCache) {
  const WindowProblem p = square(256, 56);
  kir::Target target = described("znver4", 64);
  target.machine.l2 = {4 << 20, 1, 27};
  const int64_t chunk = winogradCandidates(p, target).front().schedule.chunk;
  target.machine.l2.bytes = 512 << 10;
  EXPECT_LT(winogradCandidates(p, target).front().schedule.chunk, chunk);
}

TEST(Schedule, SlowMemoryArguesAgainstTransformedWeights) {
  // Few pixels and many channels: the weights are most of what there is to read.
  const WindowProblem p = square(512, 14);
  const auto winogradOverDirect = [&](double bytesPerCycle) {
    kir::Target target = described("znver4", 64);
    target.machine.memoryBytesPerCycle = bytesPerCycle;
    return winogradCandidates(p, target).front().cycles /
           directCandidates(p, target).front().cycles;
  };
  EXPECT_GT(winogradOverDirect(0.5), winogradOverDirect(8));
}

TEST(Schedule, ThreadsDoNotChangeTheOrderOfAdditions) {
  for (const int64_t channels : {8, 48, 80, 256})
    for (kir::Target target : machines()) {
      const WindowProblem p = square(channels, 28);
      target.machine.threads = 1;
      const DirectCandidate one = directCandidates(p, target).front();
      const double winograd = winogradCandidates(p, target).front().cycles;
      target.machine.threads = 96;
      const DirectCandidate many = directCandidates(p, target).front();
      EXPECT_EQ(one.name(), many.name()) << target.cpu;
      EXPECT_EQ(one.cycles, many.cycles);
      EXPECT_EQ(winogradCandidates(p, target).front().cycles, winograd);
    }
}

} // namespace
} // namespace enfold::lower
