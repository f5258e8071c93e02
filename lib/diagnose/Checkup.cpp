// What the system tells of the machine, what lowering tells of the model, and findings on both.
#include "diagnose/Checkup.h"

#include "diagnose/MachineLimits.h"
#include "driver/CompileCache.h"
#include "kernel/Structure.h"
#include "lower/Lowering.h"
#include "runtime/CpuBudget.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <unordered_set>

namespace enfold::diagnose {
namespace {

/// Processor time to generate the code of a kernel, in seconds: between 7 and 19 ms on networks for
/// images, measured on Zen 5.
constexpr double kSecondsPerKernel = 0.012;

/// Busy processors, of those that there are, beyond which timings are not to be trusted.
constexpr double kNoisyLoad = 0.25;

std::string firstWord(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

/// Of the first processor.
double clockMegahertz() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (const size_t colon = line.find(':'); line.starts_with("cpu MHz") && colon != line.npos)
      return std::strtod(line.c_str() + colon + 1, nullptr);
  return 0;
}

/// A row of /proc/meminfo, in bytes.
int64_t memoryRow(std::string_view name) {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  int64_t kilobytes = 0;
  while (file >> key >> kilobytes && std::getline(file, unit))
    if (key == name) return kilobytes * 1024;
  return 0;
}

std::vector<std::pair<std::string, std::string>> environment() {
  std::vector<std::pair<std::string, std::string>> set;
  for (const char* name :
       {"ENFOLD_NUM_THREADS", "OMP_NUM_THREADS", "ENFOLD_PIN", "ENFOLD_MAX_ISA",
        "ENFOLD_VECTOR_BYTES", "ENFOLD_CACHE_DIR", "ENFOLD_DUMP_IR", "ENFOLD_PERF", "ENFOLD_GDB",
        "ENFOLD_VERBOSE", "ENFOLD_TILES", "ENFOLD_PYTHON"})
    if (const char* value = std::getenv(name)) set.emplace_back(name, value);
  return set;
}

class Findings {
public:
  explicit Findings(std::vector<Finding>& findings) : findings_(findings) {}
  void problem(const char* code, std::string text) {
    findings_.push_back({Severity::Problem, code, std::move(text)});
  }
  void advise(const char* code, std::string text) {
    findings_.push_back({Severity::Advice, code, std::move(text)});
  }

private:
  std::vector<Finding>& findings_;
};

void check(const MachineFacts& machine, Findings findings) {
  for (const auto& [variable, value] : machine.environment)
    if (variable == "ENFOLD_MAX_ISA")
      findings.advise("isa-limited",
                      fmt::format("ENFOLD_MAX_ISA limits code to {}: unset it", value));
  if (machine.quotaCpus > 0 && machine.quotaCpus < machine.affinityCpus)
    findings.advise("cpu-quota",
                    fmt::format("the control group's quota amounts to {} of {} processors",
                                machine.quotaCpus, machine.affinityCpus));
  if (machine.threads > machine.affinityCpus)
    findings.problem("too-many-threads",
                     fmt::format("{} threads would share {} processors: lower ENFOLD_NUM_THREADS",
                                 machine.threads, machine.affinityCpus));
  if (machine.load > kNoisyLoad * machine.affinityCpus)
    findings.advise(
        "machine-busy",
        fmt::format("other programs are running (load {:.2f}): measure when they are not",
                    machine.load));
  if (machine.governor == "powersave" || machine.governor == "conservative")
    findings.advise("clock-governor",
                    fmt::format("the clock's governor is {}: set it to performance to measure",
                                machine.governor));
  if (machine.cacheFolder.empty())
    findings.advise("no-cache-folder",
                    "there is no folder to keep compiled programs in: set ENFOLD_CACHE_DIR");
}

void check(const Forecast& forecast, const MachineFacts& machine, Findings findings) {
  if (machine.availableBytes > 0 && forecast.memory.peak() > machine.availableBytes)
    findings.problem("too-little-memory",
                     fmt::format("needs {:.1f} GB of memory, and {:.1f} GB are free",
                                 static_cast<double>(forecast.memory.peak()) * 1e-9,
                                 static_cast<double>(machine.availableBytes) * 1e-9));
  for (const std::string& op : forecast.referenceOps)
    findings.problem("reference-op", fmt::format("{}: has no kernel, and runs slowly", op));
  for (const BatchNormAccount& account : forecast.batchNorms)
    if (account.looksFoldable && account.status != BatchNormStatus::Folded && account.refusal)
      findings.advise("batchnorm-not-folded", account.refusal->message);
  if (!forecast.openInputs.empty())
    findings.advise(
        "open-size",
        fmt::format("the sizes of {} are open: each new size is compiled when it is met. "
                    "State them with --shape where they are known",
                    fmt::join(forecast.openInputs, ", ")));
}

/// The gravest first; else as found.
void rank(Checkup& checkup) { std::ranges::stable_sort(checkup.findings, {}, &Finding::severity); }

Result<Forecast> forecastOf(LoadedModel model, const LoadOptions& load,
                            const CompileOptions& options, const MachineFacts& machine) {
  Forecast forecast;
  for (const onnx::DeclaredTensor& input : model.signature.inputs)
    if (isOpen(input, load)) forecast.openInputs.push_back(input.name);
  Graph& graph = *model.graph;
  const std::vector<std::string> batchNorms = batchNormsOf(graph);
  ENFOLD_TRY(const PipelineReport report, optimize(graph, options, machine.target));
  ENFOLD_TRY(const lower::Plan plan, lower::lowerGraph(graph, machine.target));
  forecast.batchNorms = accountOf(batchNorms, graph, report);
  forecast.ops = std::ranges::count_if(
      graph.ops(), [](const auto& op) { return op->kind() != OpKind::Constant; });
  forecast.referenceOps = plan.referenceOps();
  forecast.memory = memoryNeeds(graph, plan, machine.threads);
  std::set<kir::Scalar> multiplied;
  for (const lower::Call& call : plan.calls) multiplied.insert(call.multiplies);
  ENFOLD_TRY(const MachineLimits limits,
             measureLimits(machine.target, machine.threads, multiplied));
  for (const lower::Call& call : plan.calls) {
    forecast.flops += call.flops;
    forecast.milliseconds += 1e3 * limits.seconds({call.flops, call.bytes, call.multiplies});
  }
  std::unordered_set<std::string> kernels;
  for (const kir::Kernel& kernel : plan.kernels) kernels.insert(structure(kernel));
  forecast.compileSeconds =
      static_cast<double>(kernels.size()) * kSecondsPerKernel / std::max(machine.threads, 1);
  return forecast;
}

} // namespace

MachineFacts machineFacts(const codegen::Target& target) {
  MachineFacts facts{.target = target,
                     .threads = rt::defaultThreads(),
                     .affinityCpus = rt::affinityCpus(),
                     .memoryBytes = memoryRow("MemTotal:"),
                     .availableBytes = memoryRow("MemAvailable:"),
                     .megahertz = clockMegahertz(),
                     .governor = firstWord("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
                     .cacheFolder = CompileCache::defaultFolder().string(),
                     .environment = environment()};
  if (const int quota = rt::quotaCpus(); quota != INT32_MAX) facts.quotaCpus = quota;
  getloadavg(&facts.load, 1);
  return facts;
}

bool Checkup::hasProblems() const {
  return std::ranges::any_of(
      findings, [](const Finding& finding) { return finding.severity == Severity::Problem; });
}

Result<Checkup> checkUp(const CompileOptions& options) {
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  Checkup checkup{.machine = machineFacts(target)};
  check(checkup.machine, Findings(checkup.findings));
  rank(checkup);
  return checkup;
}

Result<Checkup> checkUp(const ModelSource& source, const LoadOptions& load,
                        const CompileOptions& options) {
  ENFOLD_TRY(Checkup checkup, checkUp(options));
  checkup.model = source.name;
  Findings findings(checkup.findings);
  auto model = loadModel(source, load);
  auto forecast = model ? forecastOf(*std::move(model), load, options, checkup.machine)
                        : Result<Forecast>(std::unexpected(std::move(model).error()));
  if (forecast) {
    check(*forecast, checkup.machine, findings);
    checkup.forecast = *std::move(forecast);
  } else if (forecast.error().kind == ErrorKind::Usage) {
    return std::unexpected(std::move(forecast).error());
  } else {
    for (const Diag& diag : forecast.error().diags) findings.problem("cannot-compile", diag.str());
  }
  rank(checkup);
  return checkup;
}

Json toJson(const MachineFacts& machine) {
  const kir::Machine& core = machine.target.machine;
  Json json = {{"cpu", machine.target.cpu},
               {"isa", name(machine.target.isa)},
               {"vector_bytes", core.vectorBytes},
               {"cache_bytes", {core.l1.bytes, core.l2.bytes, core.l3.bytes}},
               {"threads", machine.threads},
               {"affinity_cpus", machine.affinityCpus},
               {"quota_cpus", machine.quotaCpus},
               {"memory_bytes", machine.memoryBytes},
               {"available_bytes", machine.availableBytes},
               {"load", machine.load},
               {"clock_mhz", machine.megahertz},
               {"governor", machine.governor},
               {"cache_folder", machine.cacheFolder},
               {"environment", Json::object()}};
  for (const auto& [name, value] : machine.environment) json["environment"][name] = value;
  return json;
}

Json toJson(const Checkup& checkup) {
  Json json = {{"version", 1}, {"machine", toJson(checkup.machine)}, {"findings", Json::array()}};
  if (!checkup.model.empty()) json["model"] = checkup.model;
  if (const auto& forecast = checkup.forecast)
    json["forecast"] = {
        {"open_inputs", forecast->openInputs},     {"ops", forecast->ops},
        {"reference_ops", forecast->referenceOps}, {"flops", forecast->flops},
        {"least_ms", forecast->milliseconds},      {"compile_s", forecast->compileSeconds},
        {"peak_bytes", forecast->memory.peak()}};
  for (const Finding& finding : checkup.findings)
    json["findings"].push_back(
        {{"severity", finding.severity == Severity::Problem ? "problem" : "advice"},
         {"code", finding.code},
         {"text", finding.text}});
  return json;
}

} // namespace enfold::diagnose
