// enfold bench: latency of a model, alone or against itself folded only, unfused and the reference.
#include "diagnose/Samples.h"
#include "reference/Reference.h"
#include "tools/Cache.h"
#include "tools/Commands.h"
#include "tools/Profile.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace enfold::tool {
namespace {

using nlohmann::ordered_json;

constexpr double kProfileSeconds = 0.5;

struct BenchOptions {
  ModelOptions model;
  CacheOptions cache;
  double seconds = 2;
  std::vector<std::string> compareWith;
  std::string json, trace;
  bool profile = false;
};

/// One way to run the network, with its samples in milliseconds.
struct Arm {
  std::string name;
  std::function<Result<>()> run;
  std::vector<double> samples;
};

double elapsedMs(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// A session with its inputs and outputs in place.
struct Bound {
  std::unique_ptr<Session> session;
  std::vector<Tensor> inputs, outputs;
  std::vector<const void*> from;
  std::vector<void*> to;
};

Result<std::shared_ptr<Bound>> bind(const std::shared_ptr<const Executable>& executable,
                                    const ModelOptions& options) {
  auto bound = std::make_shared<Bound>();
  ENFOLD_TRY(bound->session, Session::create(executable, options.sessionOptions()));
  uint64_t seed = 1;
  for (const auto& [name, type] : executable->inputs())
    bound->inputs.push_back(randomTensor(type, seed++));
  for (const auto& [name, type] : executable->outputs())
    bound->outputs.emplace_back(type.elem, type.shape);
  for (const Tensor& input : bound->inputs) bound->from.push_back(input.bytes());
  for (Tensor& output : bound->outputs) bound->to.push_back(output.mutableBytes());
  return bound;
}

Result<Arm> compiledArm(std::string name, std::shared_ptr<Bound> bound) {
  return Arm{
      std::move(name), [bound] { return bound->session->runRaw(bound->from, bound->to); }, {}};
}

/// Runs the arms in turn, a short burst each, until the time is used up: a slow spell of the
/// machine hits all of them alike.
Result<> measure(std::vector<Arm>& arms, double seconds) {
  for (Arm& arm : arms)
    for (int i = 0; i < 2; ++i) ENFOLD_RETURN_IF_ERROR(arm.run());
  const double total = seconds * 1e3 * static_cast<double>(arms.size());
  const double burst = std::min(50.0, seconds * 1e3 / 4);
  ProgressLine progress;
  const auto start = std::chrono::steady_clock::now();
  do {
    for (Arm& arm : arms) {
      const auto burstStart = std::chrono::steady_clock::now();
      do {
        const auto runStart = std::chrono::steady_clock::now();
        ENFOLD_RETURN_IF_ERROR(arm.run());
        arm.samples.push_back(elapsedMs(runStart));
      } while (elapsedMs(burstStart) < burst);
      progress.show(
          fmt::format("measuring: {:.0f} of {:.0f} s", elapsedMs(start) / 1e3, total / 1e3));
    }
  } while (elapsedMs(start) < total || arms[0].samples.size() < 3);
  return {};
}

ordered_json latencyJson(const diagnose::Summary& s) {
  return {{"min", s.min}, {"p5", s.p5},   {"p50", s.p50},
          {"p90", s.p90}, {"p99", s.p99}, {"mean", s.mean}};
}

/// A model compiled with fewer passes.
Result<Arm> partlyFusedArm(const BenchOptions& options, const std::string& name) {
  ENFOLD_TRY(LoadedModel model, load(options.model, ModelUse::WithDefaults));
  CompileOptions how = options.model.compileOptions();
  if (name == "folded")
    how.disabled.insert("fuse-epilogue");
  else
    how.fuse = false;
  ENFOLD_TRY(const Compilation compiled, compile(std::move(model.graph), how));
  ENFOLD_TRY(auto bound, bind(compiled.executable, options.model));
  return compiledArm(name, std::move(bound));
}

Result<Arm> referenceArm(const BenchOptions& options, const Bound& fused) {
  ENFOLD_TRY(LoadedModel model, load(options.model, ModelUse::WithDefaults));
  std::shared_ptr<Graph> graph = std::move(model.graph);
  return Arm{"reference",
             [graph, inputs = fused.inputs]() -> Result<> {
               ENFOLD_TRY([[maybe_unused]] auto outputs, reference::run(*graph, inputs));
               return {};
             },
             {}};
}

Result<Arm> otherArm(const BenchOptions& options, const std::string& name, const Bound& fused) {
  if (name == "folded" || name == "unfused") return partlyFusedArm(options, name);
  if (name == "reference") return referenceArm(options, fused);
  return usageError(fmt::format("--compare {}: known are folded, unfused and reference", name));
}

std::string comparisonTable(const std::vector<Arm>& arms, ordered_json& json) {
  std::vector<std::vector<std::string>> rows = {
      {"arm", "median ms", "p5 ms", "runs", "ratio", "95% interval"}};
  for (const Arm& arm : arms) {
    const diagnose::Summary s = diagnose::summarize(arm.samples);
    const diagnose::Ratio ratio = diagnose::medianRatio(arm.samples, arms[0].samples);
    rows.push_back({arm.name, fmt::format("{:.4f}", s.p50), fmt::format("{:.4f}", s.p5),
                    std::to_string(s.samples), fmt::format("{:.3f}", ratio.median),
                    fmt::format("[{:.3f}, {:.3f}]", ratio.low, ratio.high)});
    json[arm.name] = {
        {"latency_ms", latencyJson(s)},
        {"samples", s.samples},
        {"ratio", {{"median", ratio.median}, {"low", ratio.low}, {"high", ratio.high}}}};
  }
  return table(rows) + "ratio: time of the arm over that of " + arms[0].name + "\n";
}

Result<> bench(const BenchOptions& options) {
  ENFOLD_TRY(const CompiledModel compiled, compileFor(options.model, options.cache, {}));
  ENFOLD_TRY(auto bound, bind(compiled.executable, options.model));
  std::vector<Arm> arms;
  ENFOLD_TRY(Arm fused, compiledArm(options.model.noFuse ? "unfused" : "fused", bound));
  arms.push_back(std::move(fused));
  for (const std::string& name : options.compareWith) {
    ENFOLD_TRY(Arm arm, otherArm(options, name, *bound));
    arms.push_back(std::move(arm));
  }
  ENFOLD_RETURN_IF_ERROR(measure(arms, options.seconds));

  const diagnose::Summary summary = diagnose::summarize(arms[0].samples);
  const int threads = enfold_get_threads(bound->session->context());
  const double compileMs = compiled.executable->times().total();
  ordered_json json = {{"model", options.model.model},
                       {"threads", threads},
                       {"latency_ms", latencyJson(summary)},
                       {"samples", summary.samples},
                       {"compile_ms", compileMs}};
  std::string text = fmt::format("{}  {} thread{}  median {:.4f} ms  p5 {:.4f}  p90 {:.4f}  ({} "
                                 "runs, compiled in {:.0f} ms)\n",
                                 options.model.model, threads, threads == 1 ? "" : "s", summary.p50,
                                 summary.p5, summary.p90, summary.samples, compileMs);
  if (arms.size() > 1) text += comparisonTable(arms, json["compare"]);
  if (options.profile || !options.trace.empty()) {
    ENFOLD_TRY(const std::vector<KernelProfile> kernels,
               profileOf(*bound->session, kProfileSeconds, arms[0].run));
    if (options.profile) {
      ENFOLD_TRY(const codegen::Target target, codegen::hostTarget());
      ENFOLD_TRY(const diagnose::MachineLimits limits, diagnose::measureLimits(target, threads));
      text += profileTable(kernels, limits);
      json["limits"] = {{"gflops", limits.gflops}, {"gbps", limits.gbps}};
      json["profile"] = profileJson(kernels, limits);
    }
    if (!options.trace.empty())
      ENFOLD_RETURN_IF_ERROR(
          writeJson(options.trace, traceOf(kernels, compiled.executable->times())));
  }
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", text));
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, json));
  return {};
}

} // namespace

Action addBench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  options->model.add(app);
  options->model.addTune(app);
  options->cache.add(app);
  app.add_option("--seconds", options->seconds, "How long to measure each arm")
      ->check(CLI::Range(0.001, 86400.0));
  app.add_option("--compare", options->compareWith,
                 "Also measure: folded (but not fused), unfused, reference")
      ->delimiter(',');
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  app.add_flag("--profile", options->profile,
               "List the time of every kernel, and how near it is to the machine's limits");
  app.add_option("--trace", options->trace,
                 "Write the times of compilation and kernels to this file, for Perfetto");
  return [options] {
    const auto done = bench(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
