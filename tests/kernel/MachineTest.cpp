// Descriptions of processors: the table, and the text form.
#include "kernel/MachineText.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace enfold::kir {
namespace {

std::string errorOf(std::string_view text) {
  const auto parsed = parseMachine(text);
  return parsed ? "" : parsed.error().str();
}

TEST(Machine, InstructionsPerCycleDependOnTheVector) {
  const Machine zen4 = machineOf("znver4", Architecture::X86_64, 64);
  EXPECT_EQ(zen4.fma.of(64), 1); // in two halves
  EXPECT_EQ(zen4.fma.of(32), 2);
  EXPECT_EQ(zen4.fma.of(16), 2);
  EXPECT_EQ(zen4.chains(64), 4);
  EXPECT_EQ(zen4.chains(32), 8);
  EXPECT_EQ(machineOf("znver5", Architecture::X86_64, 64).fma.of(64), 2);
  EXPECT_EQ(machineOf("znver3", Architecture::X86_64, 32).fma.of(32), 2);
  EXPECT_EQ(machineOf("sapphirerapids", Architecture::X86_64, 64).fma.of(64), 2);
  EXPECT_EQ(machineOf("tigerlake", Architecture::X86_64, 64).fma.of(64), 1);
  EXPECT_EQ(machineOf("neoverse-v1", Architecture::AArch64, 16).fma.of(16), 4);
}

TEST(Machine, RegistersAreThoseOfTheInstructionSet) {
  EXPECT_EQ(machineOf("znver4", Architecture::X86_64, 64).vectorRegisters, 32);
  EXPECT_EQ(machineOf("znver3", Architecture::X86_64, 32).vectorRegisters, 16);
  EXPECT_EQ(machineOf("neoverse-n1", Architecture::AArch64, 16).vectorRegisters, 32);
}

TEST(Machine, ReadsFromTheNearestLevelThatHoldsTheData) {
  Machine machine;
  machine.l1 = {32 << 10, 1, 50};
  machine.l2 = {1 << 20, 1, 25};
  machine.memoryBytesPerCycle = 3;
  EXPECT_EQ(machine.bytesPerCycle(0), 50);
  EXPECT_EQ(machine.bytesPerCycle(16 << 10), 50);
  EXPECT_EQ(machine.bytesPerCycle((16 << 10) + 1), 25);
  EXPECT_EQ(machine.bytesPerCycle(1 << 20), 3); // there is no third level
  machine.l3 = {8 << 20, 4, 10};
  EXPECT_EQ(machine.bytesPerCycle(1 << 20), 10);
  EXPECT_EQ(machine.bytesPerCycle(4 << 20), 10);
  EXPECT_EQ(machine.bytesPerCycle((4 << 20) + 1), 3);
  EXPECT_EQ(machine.l3.share(), 2 << 20);
}

TEST(Machine, UnknownProcessorsAreDescribedByTheirVectors) {
  for (const int bytes : {16, 32, 64}) {
    const Machine machine = machineOf("no such processor", Architecture::X86_64, bytes);
    EXPECT_EQ(machine.vectorBytes, bytes);
    EXPECT_GE(machine.fma.of(bytes), 1);
    EXPECT_GT(machine.load.of(bytes), 0);
    EXPECT_GT(machine.store.of(bytes), 0);
    EXPECT_GT(machine.l2.bytes, machine.l1.bytes);
  }
}

TEST(MachineText, PrintsWhatParsesToTheSame) {
  for (const std::string_view cpu : describedProcessors())
    for (const int bytes : {16, 32, 64}) {
      const Machine machine = machineOf(cpu, Architecture::X86_64, bytes);
      const auto parsed = parseMachine(print(machine, cpu));
      ASSERT_TRUE(parsed) << parsed.error().str();
      EXPECT_EQ(parsed->cpu, cpu);
      EXPECT_EQ(parsed->over(Machine{}), machine) << print(machine, cpu);
    }
}

TEST(MachineText, KeepsAllDigitsAndAllDotProducts) {
  std::mt19937_64 engine(1);
  const auto real = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine);
  };
  for (int round = 0; round < 200; ++round) {
    Machine machine;
    machine.vectorBytes = 4 << engine() % 5;
    machine.vectorRegisters = static_cast<int>(8 + engine() % 57);
    machine.fma = {real(0.1, 8), real(4, 256)};
    machine.fmaLatency = real(1, 20);
    machine.load = {real(0.1, 8), real(4, 256)};
    machine.store = {real(0.1, 8), real(4, 256)};
    for (CacheLevel* level : {&machine.l1, &machine.l2, &machine.l3})
      *level = {static_cast<int64_t>(1024 + engine() % (1 << 26)),
                static_cast<int>(1 + engine() % 64), real(1, 100)};
    machine.memoryBytesPerCycle = real(0.5, 20);
    machine.callCycles = real(0, 1e4);
    machine.barrierCycles = real(0, 1e5);
    machine.threads = static_cast<int>(1 + engine() % 256);
    for (const DotProduct instruction : allDotProducts())
      if (engine() % 2) machine.dotProducts.insert(instruction);
    const auto parsed = parseMachine(print(machine, "generic"));
    ASSERT_TRUE(parsed) << parsed.error().str();
    EXPECT_EQ(parsed->over(Machine{}), machine) << print(machine, "generic");
  }
}

TEST(MachineText, WhatIsNotStatedStays) {
  const auto parsed =
      parseMachine("# a smaller cache\n\n  cpu=znver4 # here\r\n\tl2_bytes =\t65536\n"
                   "dot_products = avx512_bf16, avx512_vnni");
  ASSERT_TRUE(parsed) << parsed.error().str();
  EXPECT_EQ(parsed->cpu, "znver4");
  Machine expected = machineOf("znver4", Architecture::X86_64, 64);
  const Machine machine = parsed->over(expected);
  expected.l2.bytes = 65536;
  expected.dotProducts = {DotProduct::Avx512Vnni, DotProduct::Avx512Bf16};
  EXPECT_EQ(machine, expected);
  const auto none = parseMachine("cpu = znver4\ndot_products = none\n");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->over(machine).dotProducts.empty());
}

TEST(MachineText, ErrorsNameLineAndKey) {
  EXPECT_EQ(errorOf(""), "cpu is not stated: LLVM's name of the processor");
  EXPECT_EQ(errorOf("threads = 4"), "cpu is not stated: LLVM's name of the processor");
  EXPECT_EQ(errorOf("cpu ="), "line 1: cpu has no value");
  EXPECT_EQ(errorOf("cpu = a\nthreads"), "line 2: 'threads' is not of the form key = value");
  EXPECT_EQ(errorOf("cpu = a\ncpu = a"), "line 2: cpu is stated twice");
  EXPECT_EQ(errorOf("cpu = a\n\nl4_bytes = 1"), "line 3: no key is named 'l4_bytes'");
  EXPECT_EQ(errorOf("cpu = a\nthreads = many"), "line 2: threads: 'many' is not a number");
  EXPECT_EQ(errorOf("cpu = a\nthreads = 4 8"), "line 2: threads: '4 8' is not a number");
  EXPECT_EQ(errorOf("cpu = a\nthreads ="), "line 2: threads: '' is not a number");
  EXPECT_EQ(errorOf("cpu = a\nthreads = 0"), "line 2: threads: 0 is not from 1 to 4096");
  EXPECT_EQ(errorOf("cpu = a\nthreads = 1.5"), "line 2: threads: 1.5 is not a whole number");
  EXPECT_EQ(errorOf("cpu = a\nvector_bytes = 48"),
            "line 2: vector_bytes: 48 is not a power of two");
  EXPECT_EQ(errorOf("cpu = a\nfma_latency = nan"), "line 2: fma_latency: nan is not from 1 to 100");
  EXPECT_EQ(errorOf("cpu = a\nfma_latency = -inf"),
            "line 2: fma_latency: -inf is not from 1 to 100");
  EXPECT_EQ(errorOf("cpu = a\nfma_latency = 1e999"),
            "line 2: fma_latency: '1e999' is not a number");
  EXPECT_EQ(errorOf("cpu = a\ndot_products = vnni"),
            "line 2: dot_products: 'vnni' is none of avx512_vnni, avx_vnni, avx512_bf16, amx_int8, "
            "amx_bf16, dotprod, i8mm, bf16, none");
  EXPECT_NE(errorOf("cpu = a\ndot_products ="), "");
  EXPECT_NE(errorOf("cpu = a\n= 1"), "");
  EXPECT_NE(errorOf(std::string_view("\0\0", 2)), "");
}

} // namespace
} // namespace enfold::kir
