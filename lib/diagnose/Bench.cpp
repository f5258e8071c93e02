// Measures all arms in turn, in short bursts.
#include "diagnose/Bench.h"

#include "diagnose/Compare.h"
#include "ir/ConstantText.h"
#include "reference/Reference.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <ranges>

namespace enfold::diagnose {
namespace {

constexpr double kProfileSeconds = 0.5;
constexpr double kLongestBurst = 50; ///< milliseconds
constexpr int kWarmUpRuns = 2;
constexpr size_t kFewestRuns = 3;

using Clock = std::chrono::steady_clock;

double elapsedMs(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A session with its inputs and outputs in place.
struct Bound {
  std::unique_ptr<Session> session;
  std::vector<Tensor> inputs, outputs;
  std::vector<const void*> from;
  std::vector<void*> to;
};

/// Something to run, and how long each run took, in milliseconds.
struct Runs {
  std::string name;
  std::function<Result<>()> run;
  std::shared_ptr<Bound> bound = {}; ///< of a compiled program
  std::vector<double> samples = {};
};

Result<std::shared_ptr<Bound>> bind(const std::shared_ptr<const Executable>& executable,
                                    const Session::Options& options) {
  auto bound = std::make_shared<Bound>();
  ENFOLD_TRY(bound->session, Session::create(executable, options));
  uint64_t seed = 1;
  for (const auto& [name, type] : executable->inputs())
    bound->inputs.push_back(randomTensor(type, seed++));
  for (const auto& [name, type] : executable->outputs())
    bound->outputs.emplace_back(type.elem, type.shape);
  for (const Tensor& input : bound->inputs) bound->from.push_back(input.bytes());
  for (Tensor& output : bound->outputs) bound->to.push_back(output.mutableBytes());
  return bound;
}

Runs runsOf(std::string name, std::shared_ptr<Bound> bound) {
  return {std::move(name), [bound] { return bound->session->runRaw(bound->from, bound->to); },
          bound};
}

/// The model compiled otherwise.
struct Variant {
  std::string_view name;
  void (*change)(CompileOptions& options);
};
constexpr Variant kVariants[] = {
    {"folded", [](CompileOptions& options) { options.disabled.insert("fuse-epilogue"); }},
    {"unfused", [](CompileOptions& options) { options.fuse = false; }},
    {"fp32",
     [](CompileOptions& options) {
       options.disabled.insert("integer-arithmetic");
       options.passes.passes.precision = Precision::Fp32;
     }},
    {"bf16", [](CompileOptions& options) { options.passes.passes.precision = Precision::Bf16; }},
};

Result<Runs> runsOf(const BenchProblem& problem, const Variant& variant) {
  ENFOLD_TRY(std::unique_ptr<Graph> graph, problem.load());
  CompileOptions options = problem.compile;
  variant.change(options);
  ENFOLD_TRY(const Compilation compiled, compile(std::move(graph), options));
  ENFOLD_TRY(auto bound, bind(compiled.executable, problem.session));
  return runsOf(std::string(variant.name), std::move(bound));
}

Result<Runs> byReference(const BenchProblem& problem, const Bound& compiled) {
  ENFOLD_TRY(std::shared_ptr<Graph> graph, problem.load());
  return Runs{"reference", [graph, inputs = compiled.inputs]() -> Result<> {
                ENFOLD_TRY([[maybe_unused]] auto outputs, reference::run(*graph, inputs));
                return {};
              }};
}

Result<Runs> otherRuns(const BenchProblem& problem, const std::string& name,
                       const Bound& compiled) {
  for (const Variant& variant : kVariants)
    if (variant.name == name) return runsOf(problem, variant);
  if (name == "reference") return byReference(problem, compiled);
  return usageError(
      fmt::format("--compare {}: known are {} and reference", name,
                  fmt::join(kVariants | std::views::transform(&Variant::name), ", ")));
}

double errorOf(const Bound& arm, const Bound& first) {
  double error = 0;
  for (size_t i = 0; i < first.outputs.size(); ++i) {
    const Comparison comparison = compare(arm.outputs[i], first.outputs[i]);
    error = std::max(error, comparison.maxAbs / comparison.scale);
  }
  return error;
}

Result<> measure(std::vector<Runs>& arms, const BenchProblem& problem) {
  for (Runs& arm : arms)
    for (int i = 0; i < kWarmUpRuns; ++i) ENFOLD_RETURN_IF_ERROR(arm.run());
  const double total = problem.seconds * 1e3 * static_cast<double>(arms.size());
  const double burst = std::min(kLongestBurst, problem.seconds * 1e3 / 4);
  const auto start = Clock::now();
  do {
    for (Runs& arm : arms) {
      const auto burstStart = Clock::now();
      do {
        const auto runStart = Clock::now();
        ENFOLD_RETURN_IF_ERROR(arm.run());
        arm.samples.push_back(elapsedMs(runStart));
      } while (elapsedMs(burstStart) < burst);
      if (problem.progress) problem.progress(elapsedMs(start) / 1e3, total / 1e3);
    }
  } while (elapsedMs(start) < total || arms[0].samples.size() < kFewestRuns);
  return {};
}

} // namespace

Result<BenchReport> bench(const BenchProblem& problem) {
  ENFOLD_TRY(auto bound, bind(problem.executable, problem.session));
  std::vector<Runs> arms = {runsOf(problem.name, bound)};
  for (const std::string& name : problem.others) {
    ENFOLD_TRY(arms.emplace_back(), otherRuns(problem, name, *bound));
  }
  ENFOLD_RETURN_IF_ERROR(measure(arms, problem));
  BenchReport report{.model = problem.model,
                     .threads = enfold_get_threads(bound->session->context()),
                     .compileTimes = problem.executable->times()};
  for (const Runs& arm : arms) {
    report.arms.push_back(
        {arm.name, summarize(arm.samples), medianRatio(arm.samples, arms[0].samples)});
    if (arm.bound) report.arms.back().error = errorOf(*arm.bound, *bound);
  }
  if (!problem.profile) return report;
  ENFOLD_TRY(report.profile, profileOf(*bound->session, kProfileSeconds, arms[0].run));
  report.arms[0].kernels = report.profile->kernels;
  for (size_t i = 1; i < arms.size(); ++i)
    if (arms[i].bound) {
      ENFOLD_TRY(report.arms[i].kernels,
                 profileKernels(*arms[i].bound->session, kProfileSeconds, arms[i].run));
    }
  return report;
}

Json toJson(const Summary& summary) {
  return {{"min", summary.min}, {"p5", summary.p5},   {"p50", summary.p50},
          {"p90", summary.p90}, {"p99", summary.p99}, {"mean", summary.mean}};
}

Json toJson(const BenchReport& report) {
  const BenchArm& first = report.arms.front();
  Json json = {{"version", 1},
               {"model", report.model},
               {"threads", report.threads},
               {"latency_ms", toJson(first.latency)},
               {"samples", first.latency.samples},
               {"compile_ms", report.compileTimes.total()}};
  if (report.arms.size() > 1)
    for (const BenchArm& arm : report.arms) {
      Json& entry = json["compare"][arm.name];
      entry = {{"latency_ms", toJson(arm.latency)},
               {"samples", arm.latency.samples},
               {"ratio",
                {{"median", arm.ratio.median}, {"low", arm.ratio.low}, {"high", arm.ratio.high}}}};
      if (arm.error) entry["error"] = *arm.error;
    }
  if (!report.profile) return json;
  json["limits"] = toJson(report.profile->limits);
  json["profile"] = toJson(*report.profile);
  return json;
}

} // namespace enfold::diagnose
