// Features come from LLVM's processor tables, cache sizes from the system.
#include "codegen/TargetInfo.h"

#include "codegen/Llvm.h"

#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/TargetParser/Host.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <unistd.h>

namespace enfold::codegen {
namespace {

/// Vectors of the full width on every processor: some are tuned to avoid the widest.
constexpr const char* kTuning = "-prefer-256-bit,-prefer-128-bit";

/// Each set: the feature that makes it, and the features whose removal caps below the next one.
struct IsaInfo {
  Isa isa;
  int vectorBytes;
  int vectorRegisters;
  const char* needs;
  const char* removeAbove;
};
constexpr std::array<IsaInfo, 4> kIsas = {{
    {Isa::Scalar, 16, 16, "", "-sse3"},
    {Isa::Sse42, 16, 16, "+sse4.2", "-avx"},
    {Isa::Avx2, 32, 16, "+avx2,+fma,+f16c", "-avx512f,-evex512,-avx10.1-256"},
    {Isa::Avx512, 64, 32, "+avx512f,+avx512bw,+avx512vl,+avx512dq,+fma,+f16c", ""},
}};

/// Instructions beyond those of the sets above that LLVM puts to use by itself, by its name and by
/// that of runtime/CpuFeatures.cpp, and the set that includes them.
struct FeatureInfo {
  const char* feature;
  const char* name;
  Isa includedIn;
};
constexpr Isa kNone = static_cast<Isa>(static_cast<int>(Isa::Avx512) + 1);
constexpr FeatureInfo kFeatures[] = {
    {"+sse3", "sse3", Isa::Sse42},
    {"+ssse3", "ssse3", Isa::Sse42},
    {"+sse4.1", "sse4.1", Isa::Sse42},
    {"+popcnt", "popcnt", Isa::Sse42},
    {"+sse4a", "sse4a", kNone},
    {"+lzcnt", "lzcnt", kNone},
    {"+bmi", "bmi", kNone},
    {"+bmi2", "bmi2", kNone},
    {"+tbm", "tbm", kNone},
    {"+movbe", "movbe", kNone},
    {"+avx", "avx", Isa::Avx2},
    {"+f16c", "f16c", Isa::Avx2},
    {"+fma", "fma", Isa::Avx2},
    {"+fma4", "fma4", kNone},
    {"+xop", "xop", kNone},
    {"+gfni", "gfni", kNone},
    {"+avxvnni", "avx_vnni", kNone},
    {"+avx512f", "avx512f", Isa::Avx512},
    {"+avx512cd", "avx512cd", Isa::Avx512},
    {"+avx512bw", "avx512bw", Isa::Avx512},
    {"+avx512dq", "avx512dq", Isa::Avx512},
    {"+avx512vl", "avx512vl", Isa::Avx512},
    {"+avx512vbmi", "avx512_vbmi", kNone},
    {"+avx512vbmi2", "avx512_vbmi2", kNone},
    {"+avx512ifma", "avx512_ifma", kNone},
    {"+avx512bitalg", "avx512_bitalg", kNone},
    {"+avx512vpopcntdq", "avx512_vpopcntdq", kNone},
    {"+avx512vnni", "avx512_vnni", kNone},
    {"+avx512bf16", "avx512_bf16", kNone},
    {"+avx512fp16", "avx512_fp16", kNone},
};

bool has(const llvm::MCSubtargetInfo& cpu, const std::string& features) {
  return features.empty() || cpu.checkFeatures(features);
}

std::string joined(const std::string& a, std::string_view b) {
  return a.empty() || b.empty() ? a + std::string(b) : fmt::format("{},{}", a, b);
}

std::unique_ptr<llvm::MCSubtargetInfo> subtarget(Architecture architecture, const std::string& cpu,
                                                 const std::string& features) {
  initializeLlvm();
  const char* triple = tripleOf(architecture);
  std::string error;
  const llvm::Target* llvmTarget = llvm::TargetRegistry::lookupTarget(triple, error);
  ENFOLD_CHECK(llvmTarget, error);
  return std::unique_ptr<llvm::MCSubtargetInfo>(
      llvmTarget->createMCSubtargetInfo(triple, cpu, features));
}

/// Fills in everything that follows from the processor's name and feature string.
void describe(Target& target) {
  const auto cpu = subtarget(target.architecture, target.cpu, target.features);
  if (target.architecture == Architecture::AArch64) {
    target.vectorRegisters = 32;
    target.needs = "neon";
    target.hasFma = target.hasF16Conversion = true;
    return;
  }
  for (const IsaInfo& isa : kIsas) {
    if (!has(*cpu, isa.needs)) continue;
    target.isa = isa.isa;
    target.vectorBytes = isa.vectorBytes;
    target.vectorRegisters = isa.vectorRegisters;
  }
  target.needs = name(target.isa);
  for (const FeatureInfo& info : kFeatures)
    if (target.isa < info.includedIn && has(*cpu, info.feature))
      target.needs = joined(target.needs, info.name);
  target.hasFma = has(*cpu, "+fma");
  target.hasF16Conversion = has(*cpu, "+f16c");
}

Result<Target> fromEnvironment(Target target) {
  if (const char* text = std::getenv("ENFOLD_MAX_ISA")) {
    auto wanted = std::ranges::find(kIsas, std::string_view(text),
                                    [](const IsaInfo& isa) { return name(isa.isa); });
    if (wanted == kIsas.end())
      return usageError(
          fmt::format("ENFOLD_MAX_ISA is '{}', expected avx512, avx2, sse4.2 or scalar", text));
    target = capped(std::move(target), wanted->isa);
  }
  if (const char* text = std::getenv("ENFOLD_VECTOR_BYTES")) {
    std::string_view digits = text;
    int bytes = 0;
    auto end = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
    if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || bytes < 4 ||
        bytes > 64 || (bytes & (bytes - 1)) != 0)
      return usageError(
          fmt::format("ENFOLD_VECTOR_BYTES is '{}', expected 4, 8, 16, 32 or 64", text));
    target.vectorBytes = bytes;
    target.vectorRegisters = bytes == 64 ? 32 : 16;
  }
  return target;
}

void readCacheSizes(Target& target) {
  auto read = [](int which, int64_t& bytes) {
    if (long found = sysconf(which); found > 0) bytes = found;
  };
  read(_SC_LEVEL1_DCACHE_SIZE, target.l1Bytes);
  read(_SC_LEVEL2_CACHE_SIZE, target.l2Bytes);
  read(_SC_LEVEL3_CACHE_SIZE, target.l3Bytes);
}

std::string hostFeatures() {
  std::string features;
  for (const auto& [feature, present] : llvm::sys::getHostCPUFeatures())
    features = joined(features, fmt::format("{}{}", present ? '+' : '-', feature.str()));
  return features;
}

} // namespace

Target capped(Target target, Isa isa) {
  if (target.isa <= isa) return target;
  const IsaInfo& limit = kIsas[static_cast<size_t>(isa)];
  target.features = joined(target.features, limit.removeAbove);
  describe(target);
  return target;
}

Result<Target> hostTarget() {
  Target target{.cpu = llvm::sys::getHostCPUName().str(), .features = hostFeatures()};
  target.features = joined(target.features, kTuning);
  describe(target);
  readCacheSizes(target);
  return fromEnvironment(std::move(target));
}

Result<Target> targetFor(std::string_view cpu) {
  if (cpu == "native") return hostTarget();
  const auto knows = [&](Architecture architecture) {
    return subtarget(architecture, "generic", "")->isCPUStringValid(cpu);
  };
  Target target;
  if (knows(Architecture::X86_64))
    target = {.cpu = std::string(cpu), .features = kTuning};
  else if (cpu == "aarch64")
    target = {.architecture = Architecture::AArch64, .cpu = "generic"};
  else if (knows(Architecture::AArch64))
    target = {.architecture = Architecture::AArch64, .cpu = std::string(cpu)};
  else
    return usageError(fmt::format("unknown target CPU '{}'", cpu));
  describe(target);
  return fromEnvironment(std::move(target));
}

} // namespace enfold::codegen
