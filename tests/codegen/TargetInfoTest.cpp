// What is found out about processors.
#include "codegen/TargetInfo.h"

#include <gtest/gtest.h>

#include <fstream>
#include <unistd.h>

namespace enfold::codegen {
namespace {

using kir::DotProduct;

/// A folder as Linux lists the caches of a processor.
class CacheFolder {
public:
  CacheFolder() { std::filesystem::remove_all(path); }
  ~CacheFolder() { std::filesystem::remove_all(path); }

  void add(const std::string& level, const std::string& type, const std::string& size,
           const std::string& cpus) {
    const auto index = path / ("index" + std::to_string(count_++));
    std::filesystem::create_directories(index);
    std::ofstream(index / "level") << level << "\n";
    std::ofstream(index / "type") << type << "\n";
    std::ofstream(index / "size") << size << "\n";
    std::ofstream(index / "shared_cpu_list") << cpus << "\n";
  }

  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / ("enfold_caches_" + std::to_string(getpid()));

private:
  int count_ = 0;
};

TEST(TargetInfo, ReadsSizesAndSharesOfCaches) {
  CacheFolder folder; // a Neoverse with two clusters
  folder.add("1", "Data", "64K", "0");
  folder.add("1", "Instruction", "32K", "0");
  folder.add("2", "Unified", "1024K", "0-1,4");
  folder.add("3", "Unified", "32M", "0-3,8-11");
  kir::Machine machine;
  readCaches(machine, folder.path);
  EXPECT_EQ(machine.l1.bytes, 64 << 10);
  EXPECT_EQ(machine.l1.sharedBy, 1);
  EXPECT_EQ(machine.l2.bytes, 1 << 20);
  EXPECT_EQ(machine.l2.sharedBy, 3);
  EXPECT_EQ(machine.l3.bytes, 32 << 20);
  EXPECT_EQ(machine.l3.sharedBy, 8);
}

TEST(TargetInfo, KeepsWhatTheSystemDoesNotTell) {
  const kir::Machine before = kir::machineOf("neoverse-n1", Architecture::AArch64, 16);
  kir::Machine machine = before;
  readCaches(machine, "/no/such/folder");
  EXPECT_EQ(machine, before);
  CacheFolder folder;
  folder.add("1", "Data", "", "0");
  folder.add("2", "Unified", "large", "0");
  folder.add("9", "Unified", "8M", "0");
  folder.add("3", "Unified", "8M", "3-1");
  readCaches(machine, folder.path);
  EXPECT_EQ(machine.l1, before.l1);
  EXPECT_EQ(machine.l2, before.l2);
  EXPECT_EQ(machine.l3.bytes, 8 << 20);
  EXPECT_EQ(machine.l3.sharedBy, before.l3.sharedBy);
}

TEST(TargetInfo, LlvmKnowsAllDescribedProcessors) {
  for (const std::string_view cpu : kir::describedProcessors()) {
    const auto target = targetFor(cpu);
    ASSERT_TRUE(target) << target.error().str();
    const kir::Machine described =
        kir::machineOf(cpu, target->architecture, target->machine.vectorBytes);
    EXPECT_EQ(target->machine.fma, described.fma) << cpu;
    EXPECT_EQ(target->machine.l2, described.l2) << cpu;
  }
}

TEST(TargetInfo, ProcessorsAreAsNewAsTheirInstructions) {
  EXPECT_EQ(processorWith("+avx512fp16,+avx512vbmi2", "rocketlake"), "sapphirerapids");
  EXPECT_EQ(processorWith("+avx512fp16,+avx512vbmi2", "graniterapids"), "graniterapids");
  EXPECT_EQ(processorWith("+avx512vbmi2", "rocketlake"), "rocketlake");
  EXPECT_EQ(processorWith("+avx512vbmi2", "skylake-avx512"), "icelake-server");
  EXPECT_EQ(processorWith("+avx512f,-avx512vbmi2", "icelake-client"), "icelake-client");
  EXPECT_EQ(processorWith("+avx512f", "haswell"), "skylake-avx512");
  EXPECT_EQ(processorWith("+avx2", "nehalem"), "haswell");
  EXPECT_EQ(processorWith("+avx2", "alderlake"), "alderlake");
  EXPECT_EQ(processorWith("+avx512f,+vaes", "znver2"), "znver4");
  EXPECT_EQ(processorWith("+vaes", "znver3"), "znver3");
  EXPECT_EQ(processorWith("", "x86-64"), "x86-64");
}

TEST(TargetInfo, DotProductsAreThoseOfTheProcessor) {
  if (std::getenv("ENFOLD_MAX_ISA")) GTEST_SKIP() << "the instruction set is limited";
  const auto of = [](std::string_view cpu) { return targetFor(cpu)->machine.dotProducts; };
  EXPECT_EQ(of("znver4"), (std::set{DotProduct::Avx512Vnni, DotProduct::Avx512Bf16}));
  EXPECT_EQ(of("skylake-avx512"), std::set<DotProduct>());
  EXPECT_EQ(of("cascadelake"), std::set{DotProduct::Avx512Vnni});
  EXPECT_EQ(of("alderlake"), std::set{DotProduct::AvxVnni});
  EXPECT_EQ(of("neoverse-n1"), std::set{DotProduct::ArmDotprod});
  EXPECT_EQ(of("neoverse-v1"),
            (std::set{DotProduct::ArmDotprod, DotProduct::ArmI8mm, DotProduct::ArmBf16}));
  EXPECT_EQ(of("cortex-a72"), std::set<DotProduct>());
}

TEST(TargetInfo, ALowerInstructionSetLimitsADescription) {
  auto target = targetFor("znver4");
  ASSERT_TRUE(target);
  target->machine.vectorBytes = 64;
  const Target capped = codegen::capped(*target, Isa::Avx2);
  EXPECT_EQ(capped.machine.vectorBytes, 32);
  EXPECT_EQ(capped.machine.vectorRegisters, 16);
  EXPECT_TRUE(capped.machine.dotProducts.empty());
  EXPECT_EQ(capped.machine.l2, target->machine.l2);
}

TEST(TargetInfo, DescriptionsAreCheckedAgainstTheirProcessor) {
  kir::MachineText text{.cpu = "skylake-avx512", .numbers = {{"l2_bytes", 65536}}};
  const auto target = targetFor(text);
  ASSERT_TRUE(target) << target.error().str();
  EXPECT_EQ(target->cpu, "skylake-avx512");
  EXPECT_EQ(target->machine.l2.bytes, 65536);
  text.dotProducts = {DotProduct::Avx512Vnni};
  const auto lacking = targetFor(text);
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().str(), "dot_products: skylake-avx512 has no avx512_vnni");
  EXPECT_FALSE(targetFor(kir::MachineText{.cpu = "pentium-9"}));
}

} // namespace
} // namespace enfold::codegen
