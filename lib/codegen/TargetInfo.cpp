// Features come from LLVM's processor tables, what they cost from the table of microarchitectures,
// sizes of caches from the system.
#include "codegen/TargetInfo.h"

#include "codegen/Llvm.h"
#include "runtime/CpuBudget.h"
#include "runtime/CpuFeatures.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/TargetParser/Host.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <unistd.h>

namespace enfold::codegen {
namespace {

/// Vectors of the full width on every processor: some are tuned to avoid the widest.
constexpr const char* kTuning = "-prefer-256-bit,-prefer-128-bit";

/// Each set: the feature that makes it, and the features whose removal caps below the next one.
struct IsaInfo {
  Isa isa;
  int vectorBytes;
  const char* needs;
  const char* removeAbove;
};
constexpr std::array<IsaInfo, 4> kIsas = {{
    {Isa::Scalar, 16, "", "-sse3,-amx-tile"},
    {Isa::Sse42, 16, "+sse4.2", "-avx,-amx-tile"},
    {Isa::Avx2, 32, "+avx2,+fma,+f16c", "-avx512f,-evex512,-avx10.1-256,-amx-tile"},
    {Isa::Avx512, 64, "+avx512f,+avx512bw,+avx512vl,+avx512dq,+fma,+f16c", ""},
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

/// LLVM's names of the features that dot products are.
constexpr std::pair<kir::DotProduct, const char*> kDotProducts[] = {
    {kir::DotProduct::Avx512Vnni, "+avx512vnni"}, {kir::DotProduct::AvxVnni, "+avxvnni"},
    {kir::DotProduct::Avx512Bf16, "+avx512bf16"}, {kir::DotProduct::AmxInt8, "+amx-int8"},
    {kir::DotProduct::AmxBf16, "+amx-bf16"},      {kir::DotProduct::ArmDotprod, "+dotprod"},
    {kir::DotProduct::ArmI8mm, "+i8mm"},          {kir::DotProduct::ArmBf16, "+bf16"},
};

/// An instruction that no older core of the same maker has, and the first core that has it.
struct Mark {
  const char* feature;
  const char* cpu;
};
constexpr Mark kIntelMarks[] = {{"+avx512fp16", "sapphirerapids"},
                                {"+avx512vbmi2", "icelake-server"},
                                {"+avx512f", "skylake-avx512"},
                                {"+avx2", "haswell"}};
constexpr Mark kAmdMarks[] = {
    {"+avx512vp2intersect", "znver5"}, {"+avx512f", "znver4"}, {"+vaes", "znver3"}};

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

std::set<kir::DotProduct> dotProductsOf(Architecture architecture,
                                        const llvm::MCSubtargetInfo& cpu) {
  std::set<kir::DotProduct> found;
  for (const auto& [instruction, feature] : kDotProducts) {
    const bool isArm = instruction >= kir::DotProduct::ArmDotprod;
    if (isArm == (architecture == Architecture::AArch64) && has(cpu, feature))
      found.insert(instruction);
  }
  return found;
}

/// Fills in what the feature string allows; of the machine, the dot products and the widest vector.
void describeFeatures(Target& target) {
  const auto cpu = subtarget(target.architecture, target.cpu, target.features);
  target.machine.dotProducts = dotProductsOf(target.architecture, *cpu);
  target.machine.vectorBytes = 16;
  if (target.architecture == Architecture::AArch64) {
    target.needs = "neon";
    target.hasFma = target.hasF16Conversion = true;
    return;
  }
  for (const IsaInfo& isa : kIsas) {
    if (!has(*cpu, isa.needs)) continue;
    target.isa = isa.isa;
    target.machine.vectorBytes = isa.vectorBytes;
  }
  target.needs = name(target.isa);
  for (const FeatureInfo& info : kFeatures)
    if (target.isa < info.includedIn && has(*cpu, info.feature))
      target.needs = joined(target.needs, info.name);
  target.hasFma = has(*cpu, "+fma");
  target.hasF16Conversion = has(*cpu, "+f16c");
  target.hasBytePermutes = has(*cpu, "+avx512vbmi");
  target.hasTiles = has(*cpu, "+amx-tile");
}

/// Fills in everything that follows from the processor's name and feature string.
void describe(Target& target) {
  describeFeatures(target);
  kir::Machine machine =
      kir::machineOf(target.cpu, target.architecture, target.machine.vectorBytes);
  machine.dotProducts = std::move(target.machine.dotProducts);
  target.machine = std::move(machine);
}

Result<Target> fromEnvironment(Target target) {
  if (const char* text = std::getenv("ENFOLD_MAX_ISA")) {
    auto wanted = std::ranges::find(kIsas, std::string_view(text),
                                    [](const IsaInfo& isa) { return name(isa.isa); });
    if (wanted == kIsas.end())
      return failure(
          ErrorCode::BadValue,
          fmt::format("ENFOLD_MAX_ISA is '{}', expected avx512, avx2, sse4.2 or scalar", text));
    target = capped(std::move(target), wanted->isa);
  }
  if (const char* text = std::getenv("ENFOLD_VECTOR_BYTES")) {
    std::string_view digits = text;
    int bytes = 0;
    auto end = std::from_chars(digits.data(), digits.data() + digits.size(), bytes);
    if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || bytes < 4 ||
        bytes > 64 || (bytes & (bytes - 1)) != 0)
      return failure(ErrorCode::BadValue,
                     fmt::format("ENFOLD_VECTOR_BYTES is '{}', expected 4, 8, 16, 32 or 64", text));
    target.machine.vectorBytes = bytes;
    target.machine.vectorRegisters = bytes == 64 ? 32 : 16;
  }
  if (const char* text = std::getenv("ENFOLD_TILES")) {
    const std::string_view wanted = text;
    if (wanted != "0" && wanted != "1")
      return failure(ErrorCode::BadValue,
                     fmt::format("ENFOLD_TILES is '{}', expected 0 or 1", text));
    for (const auto product : {kir::DotProduct::AmxInt8, kir::DotProduct::AmxBf16})
      if (wanted == "1")
        target.machine.dotProducts.insert(product);
      else
        target.machine.dotProducts.erase(product);
  }
  return target;
}

/// What sysconf() knows, where the system lists no caches.
void readCacheSizes(kir::Machine& machine) {
  const auto read = [](int which, kir::CacheLevel& level) {
    if (const long found = sysconf(which); found > 0) level.bytes = found;
  };
  read(_SC_LEVEL1_DCACHE_SIZE, machine.l1);
  read(_SC_LEVEL2_CACHE_SIZE, machine.l2);
  read(_SC_LEVEL3_CACHE_SIZE, machine.l3);
  machine.l1.sharedBy = machine.l2.sharedBy = 1;
}

std::string firstWord(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string word;
  stream >> word;
  return word;
}

/// "32K", "1M" in bytes; 0 if it is nothing of the kind.
int64_t bytesIn(std::string_view text) {
  int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || number < 0 || number > 1 << 20) return 0;
  const std::string_view unit(end, text.data() + text.size());
  if (unit == "K") return number << 10;
  return unit == "M" ? number << 20 : unit.empty() ? number : 0;
}

/// How many CPUs a list like "0-3,8,10-11" has; 0 if it is none.
int cpusIn(std::string_view list) {
  int count = 0;
  const char *at = list.data(), *end = at + list.size();
  while (at != end) {
    int first = 0;
    auto parsed = std::from_chars(at, end, first);
    int last = first;
    if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-')
      parsed = std::from_chars(parsed.ptr + 1, end, last);
    if (parsed.ec != std::errc() || last < first || first < 0 || last > 1 << 16) return 0;
    count += last - first + 1;
    at = parsed.ptr;
    if (at != end && *at++ != ',') return 0;
  }
  return count;
}

/// Tiles only if the system lets this process use them.
std::string hostFeatures() {
  const bool mayUseTiles = rt::firstMissingFeature("amx_tile") == nullptr;
  std::string features;
  for (const auto& [feature, present] : llvm::sys::getHostCPUFeatures()) {
    const bool isUsable = present && (mayUseTiles || !feature.starts_with("amx-"));
    features = joined(features, fmt::format("{}{}", isUsable ? '+' : '-', feature.str()));
  }
  return features;
}

} // namespace

Target capped(Target target, Isa isa) {
  if (target.isa <= isa) return target;
  const IsaInfo& limit = kIsas[static_cast<size_t>(isa)];
  target.features = joined(target.features, limit.removeAbove);
  const kir::Machine described = target.machine;
  describeFeatures(target);
  const int widest = target.machine.vectorBytes;
  std::erase_if(target.machine.dotProducts,
                [&](auto instruction) { return !described.dotProducts.contains(instruction); });
  auto dotProducts = std::move(target.machine.dotProducts);
  target.machine = described;
  target.machine.dotProducts = std::move(dotProducts);
  target.machine.vectorBytes = std::min(described.vectorBytes, widest);
  if (widest < 64) target.machine.vectorRegisters = std::min(described.vectorRegisters, 16);
  return target;
}

std::string processorWith(const std::string& features, const std::string& name) {
  const auto named = subtarget(Architecture::X86_64, name, "");
  const auto found = subtarget(Architecture::X86_64, "x86-64", features);
  const std::span<const Mark> marks =
      name.starts_with("znver") ? std::span<const Mark>(kAmdMarks) : kIntelMarks;
  for (const Mark& mark : marks)
    if (has(*found, mark.feature)) return has(*named, mark.feature) ? name : mark.cpu;
  return name;
}

void readCaches(kir::Machine& machine, const std::filesystem::path& folder) {
  kir::CacheLevel* const levels[] = {&machine.l1, &machine.l2, &machine.l3};
  for (int index = 0; index < 8; ++index) {
    const auto cache = folder / fmt::format("index{}", index);
    const std::string type = firstWord(cache / "type");
    const int64_t level = bytesIn(firstWord(cache / "level"));
    const int64_t bytes = bytesIn(firstWord(cache / "size"));
    if ((type != "Data" && type != "Unified") || level < 1 || level > 3 || bytes == 0) continue;
    levels[level - 1]->bytes = bytes;
    if (const int cpus = cpusIn(firstWord(cache / "shared_cpu_list")); cpus > 0)
      levels[level - 1]->sharedBy = cpus;
  }
}

namespace {

/// What does not change while the process runs: asking takes as long as some passes do.
Target readHost() {
  Target target{.architecture = kHost,
                .cpu = llvm::sys::getHostCPUName().str(),
                .features = joined(hostFeatures(), kTuning)};
  if (target.architecture == Architecture::X86_64)
    target.cpu = processorWith(target.features, target.cpu);
  describe(target);
  readCacheSizes(target.machine);
  readCaches(target.machine);
  return target;
}

/// This machine, with everything it has.
Target wholeHost() {
  static const Target host = readHost();
  Target target = host;
  target.machine.threads = rt::availableCpus();
  // Of the threads that share a cache, only these are used.
  for (kir::CacheLevel* level : {&target.machine.l1, &target.machine.l2, &target.machine.l3})
    level->sharedBy = std::min(level->sharedBy, target.machine.threads);
  return target;
}

/// That processor, with everything it has.
Result<Target> whole(std::string_view cpu) {
  if (cpu == "native") return wholeHost();
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
    return failure(ErrorCode::UnknownName, fmt::format("unknown target CPU '{}'", cpu));
  describe(target);
  return target;
}

} // namespace

Result<Target> hostTarget() { return fromEnvironment(wholeHost()); }

Result<Target> targetFor(std::string_view cpu) {
  ENFOLD_TRY(Target target, whole(cpu));
  return fromEnvironment(std::move(target));
}

Result<Target> targetFor(const kir::MachineText& description) {
  ENFOLD_TRY(Target target, whole(description.cpu));
  const std::set<kir::DotProduct> present = target.machine.dotProducts;
  target.machine = description.over(std::move(target.machine));
  for (const kir::DotProduct instruction : target.machine.dotProducts)
    if (!present.contains(instruction))
      return invalid(fmt::format("dot_products: {} has no {}", description.cpu, name(instruction)));
  return fromEnvironment(std::move(target));
}

} // namespace enfold::codegen
