// Measures all arms in turn, in short bursts.
#include "diagnose/Bench.h"

#include "diagnose/Compare.h"
#include "diagnose/PeerProcess.h"
#include "diagnose/Steadiness.h"
#include "ir/ConstantText.h"
#include "reference/Reference.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <ranges>
#include <thread>

namespace enfold::diagnose {
namespace {

constexpr double kProfileSeconds = 0.5;
constexpr double kLongestBurst = 50; ///< milliseconds
constexpr size_t kFewestRuns = 3;

using Clock = std::chrono::steady_clock;

double elapsedMs(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Clock::duration durationOf(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
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
  std::shared_ptr<Bound> bound = {};      ///< of a compiled program
  std::shared_ptr<PeerProcess> peer = {}; ///< of another runtime, which times its runs itself
  std::vector<double> samples = {};
};

Result<std::shared_ptr<Bound>> bind(const std::shared_ptr<const Executable>& executable,
                                    const BenchProblem& problem) {
  auto bound = std::make_shared<Bound>();
  ENFOLD_TRY(bound->session, Session::create(executable, problem.session));
  bound->inputs = problem.inputs.empty() ? randomInputs(*executable) : problem.inputs;
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
  ENFOLD_TRY(auto bound, bind(compiled.executable, problem));
  return runsOf(std::string(variant.name), std::move(bound));
}

Result<Runs> byReference(const BenchProblem& problem, const Bound& compiled) {
  ENFOLD_TRY(std::shared_ptr<Graph> graph, problem.load());
  return Runs{"reference", [graph, inputs = compiled.inputs]() -> Result<> {
                ENFOLD_TRY([[maybe_unused]] auto outputs, reference::run(*graph, inputs));
                return {};
              }};
}

Result<Runs> byPeer(const BenchProblem& problem, const std::string& name, const Bound& compiled) {
  ENFOLD_TRY(const std::unique_ptr<Graph> graph, problem.load());
  ENFOLD_TRY(std::shared_ptr<PeerProcess> peer,
             PeerProcess::start(name, *graph, compiled.inputs,
                                enfold_get_threads(compiled.session->context())));
  const auto run = [peer]() -> Result<> {
    std::vector<double> samples;
    return peer->run(0, samples);
  };
  return Runs{peer->title(), run, nullptr, peer};
}

Result<Runs> otherRuns(const BenchProblem& problem, const std::string& name,
                       const Bound& compiled) {
  for (const Variant& variant : kVariants)
    if (variant.name == name) return runsOf(problem, variant);
  if (name == "reference") return byReference(problem, compiled);
  if (isPeer(name)) return byPeer(problem, name, compiled);
  return failure(ErrorCode::BadValue,
                 fmt::format("--compare {}: known are {}, reference, onnxruntime and openvino",
                             name,
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

/// Fills the caches with other bytes.
class CacheFlood {
public:
  explicit CacheFlood(const codegen::Target& target)
      : bytes_(static_cast<size_t>(
            2 * std::max({target.machine.l2.bytes, target.machine.l3.bytes, int64_t{1} << 22}))) {}
  void pour() {
    constexpr size_t kLine = 64;
    for (size_t i = 0; i < bytes_.size(); i += kLine) ++bytes_[i];
    asm volatile("" : : "r"(bytes_.data()) : "memory"); // that nobody reads them is not seen
  }

private:
  std::vector<char> bytes_;
};

Result<> addRun(Runs& arm) {
  const auto start = Clock::now();
  ENFOLD_RETURN_IF_ERROR(arm.run());
  arm.samples.push_back(elapsedMs(start));
  return {};
}

class Measurement {
public:
  explicit Measurement(const BenchProblem& problem) : problem_(problem) {}

  Result<> run(std::vector<Runs>& arms) {
    for (Runs& arm : arms)
      for (int i = 0; i < problem_.warmUpRuns; ++i) ENFOLD_RETURN_IF_ERROR(arm.run());
    if (problem_.cold) {
      ENFOLD_TRY(const codegen::Target target, targetOf(problem_.compile));
      flood_.emplace(target);
    }
    start_ = Clock::now();
    return problem_.rate > 0 ? runPaced(arms.front()) : runInTurn(arms);
  }

private:
  double total(size_t arms) const { return problem_.seconds * 1e3 * static_cast<double>(arms); }

  bool isDone(const Runs& first, size_t arms) const {
    const size_t runs = first.samples.size();
    if (problem_.iterations > 0) return runs >= static_cast<size_t>(problem_.iterations);
    return elapsedMs(start_) >= total(arms) && runs >= kFewestRuns;
  }

  void tell(size_t arms) const {
    if (problem_.progress) problem_.progress(elapsedMs(start_) / 1e3, total(arms) / 1e3);
  }

  Result<> runInTurn(std::vector<Runs>& arms) {
    const double burst =
        problem_.iterations > 0 ? 0 : std::min(kLongestBurst, problem_.seconds * 1e3 / 4);
    do {
      for (Runs& arm : arms) {
        ENFOLD_RETURN_IF_ERROR(runBurst(arm, burst));
        tell(arms.size());
      }
    } while (!isDone(arms[0], arms.size()));
    return {};
  }

  Result<> runBurst(Runs& arm, double milliseconds) {
    if (arm.peer && !flood_) return arm.peer->run(milliseconds, arm.samples);
    const auto start = Clock::now();
    do {
      if (flood_) flood_->pour();
      // Another process times itself.
      ENFOLD_RETURN_IF_ERROR(arm.peer ? arm.peer->run(0, arm.samples) : addRun(arm));
    } while (elapsedMs(start) < milliseconds);
    return {};
  }

  Result<> runPaced(Runs& arm) {
    const auto step = durationOf(1 / problem_.rate);
    for (auto due = start_; !isDone(arm, 1); due += step) {
      std::this_thread::sleep_until(due);
      if (flood_) flood_->pour();
      ENFOLD_RETURN_IF_ERROR(arm.run());
      arm.samples.push_back(elapsedMs(due));
      tell(1);
    }
    return {};
  }

  const BenchProblem& problem_;
  std::optional<CacheFlood> flood_;
  Clock::time_point start_;
};

Result<> check(const BenchProblem& problem) {
  if (problem.rate > 0 && !(problem.others.empty() && problem.programs.empty()))
    return failure(ErrorCode::OptionConflict, "runs at a rate are measured alone, not compared");
  return {};
}

} // namespace

std::vector<Tensor> randomInputs(const Executable& executable) {
  std::vector<Tensor> inputs;
  for (const auto& [name, type] : executable.inputs())
    inputs.push_back(randomTensor(type, inputs.size() + 1));
  return inputs;
}

int64_t batchOf(const Executable& executable) {
  const std::vector<TensorSpec> inputs = executable.inputs();
  return inputs.empty() || inputs[0].type.shape.empty() ? 1 : inputs[0].type.shape[0];
}

Result<BenchReport> bench(const BenchProblem& problem) {
  ENFOLD_RETURN_IF_ERROR(check(problem));
  ENFOLD_TRY(auto bound, bind(problem.executable, problem));
  std::vector<Runs> arms = {runsOf(problem.name, bound)};
  for (const std::string& name : problem.others) {
    ENFOLD_TRY(arms.emplace_back(), otherRuns(problem, name, *bound));
  }
  for (const auto& [name, executable] : problem.programs) {
    ENFOLD_TRY(auto other, bind(executable, problem));
    arms.push_back(runsOf(name, std::move(other)));
  }
  std::vector<int> processes;
  for (const Runs& arm : arms)
    if (arm.peer) processes.push_back(arm.peer->process());
  const SteadinessWatch watch(std::move(processes));
  ENFOLD_RETURN_IF_ERROR(Measurement(problem).run(arms));
  BenchReport report{.model = problem.model,
                     .threads = enfold_get_threads(bound->session->context()),
                     .batch = batchOf(*problem.executable),
                     .compileTimes = problem.executable->times(),
                     .complaints = watch.complaints(arms[0].samples)};
  ENFOLD_TRY(const codegen::Target target, targetOf(problem.compile));
  report.machine = machineFacts(target);
  for (const Runs& arm : arms) {
    report.arms.push_back(
        {arm.name, summarize(arm.samples), medianRatio(arm.samples, arms[0].samples), arm.samples});
    if (arm.bound) report.arms.back().error = errorOf(*arm.bound, *bound);
  }
  if (!problem.profile) return report;
  ENFOLD_TRY(report.profile, profileOf(*bound->session, kProfileSeconds, arms[0].run));
  report.arms[0].kernels = report.profile->kernels;
  for (size_t i = 1; i < arms.size(); ++i)
    if (arms[i].bound) {
      ENFOLD_TRY(Profile profile,
                 profileKernels(*arms[i].bound->session, kProfileSeconds, arms[i].run));
      report.arms[i].kernels = std::move(profile.kernels);
    }
  return report;
}

Json toJson(const Summary& summary) {
  return {{"min", summary.min}, {"p5", summary.p5},   {"p50", summary.p50}, {"p90", summary.p90},
          {"p95", summary.p95}, {"p99", summary.p99}, {"max", summary.max}, {"mean", summary.mean}};
}

Json toJson(const BenchReport& report) {
  const BenchArm& first = report.arms.front();
  Json json = {{"version", 1},
               {"model", report.model},
               {"threads", report.threads},
               {"batch", report.batch},
               {"latency_ms", toJson(first.latency)},
               {"samples", first.latency.samples},
               {"images_per_second", first.imagesPerSecond(report.batch)},
               {"compile_ms", report.compileTimes.total()},
               {"complaints", report.complaints}};
  if (report.machine) json["machine"] = toJson(*report.machine);
  if (report.arms.size() > 1)
    for (const BenchArm& arm : report.arms) {
      Json& entry = json["compare"][arm.name];
      entry = {{"latency_ms", toJson(arm.latency)},
               {"samples", arm.latency.samples},
               {"images_per_second", arm.imagesPerSecond(report.batch)},
               {"ratio",
                {{"median", arm.ratio.median}, {"low", arm.ratio.low}, {"high", arm.ratio.high}}}};
      if (arm.error) entry["error"] = *arm.error;
    }
  if (!report.profile) return json;
  json["limits"] = toJson(report.profile->limits);
  json["profile"] = toJson(*report.profile);
  json["timeline"] = toJson(report.profile->timeline);
  return json;
}

} // namespace enfold::diagnose
