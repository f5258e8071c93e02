// enfold bench: latency of a model, alone or against itself compiled otherwise and the reference.
#include "diagnose/Bench.h"

#include "diagnose/BenchStages.h"
#include "diagnose/ShapeBench.h"
#include "onnx/RegularFile.h"
#include "tools/Cache.h"
#include "tools/Commands.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <sstream>

namespace enfold::tool {
namespace {

using diagnose::BenchArm;
using diagnose::BenchReport;
using diagnose::KernelProfile;
using diagnose::Profile;

struct BenchOptions {
  ModelOptions model;
  CacheOptions cache;
  double seconds = 2;
  std::vector<std::string> compareWith;
  std::string json, trace, shapes;
  bool profile = false;
};

/// Lines of NAME=1x3x224x224, several words if there are several inputs. Empty lines and those that
/// begin with # say nothing.
Result<std::vector<std::vector<std::string>>> readSizes(const std::string& path) {
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  std::string text(static_cast<size_t>(file.size()), '\0');
  if (file.size() > 0) {
    ENFOLD_TRY(const auto bytes, file.map());
    std::memcpy(text.data(), bytes.get(), text.size());
  }
  std::vector<std::vector<std::string>> sizes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::vector<std::string> texts;
    for (std::string word; words >> word;) texts.push_back(std::move(word));
    if (!texts.empty() && !texts[0].starts_with('#')) sizes.push_back(std::move(texts));
  }
  if (sizes.empty()) return invalid(path + ": states no sizes");
  return sizes;
}

Result<> benchSizes(const BenchOptions& options) {
  ENFOLD_TRY(auto sizes, readSizes(options.shapes));
  ENFOLD_TRY(const LoadOptions load, options.model.loadOptions());
  ProgressLine line;
  ENFOLD_TRY(const auto report,
             diagnose::benchShapes({.model = options.model.model,
                                    .network = {.load = load,
                                                .compile = options.model.compileOptions(),
                                                .session = options.model.sessionOptions()},
                                    .sizes = std::move(sizes),
                                    .seconds = options.seconds,
                                    .progress = [&](size_t done, size_t total) {
                                      line.show(
                                          fmt::format("measured {} of {} sizes", done, total));
                                    }}));
  line.clear();
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", diagnose::print(report)));
  return options.json.empty() ? Result<>() : writeJson(options.json, diagnose::toJson(report));
}

std::string comparisonTable(const std::vector<BenchArm>& arms) {
  std::vector<std::vector<std::string>> rows = {
      {"arm", "median ms", "p5 ms", "runs", "ratio", "95% interval", "error"}};
  for (const BenchArm& arm : arms)
    rows.push_back({arm.name, fmt::format("{:.4f}", arm.latency.p50),
                    fmt::format("{:.4f}", arm.latency.p5), std::to_string(arm.latency.samples),
                    fmt::format("{:.3f}", arm.ratio.median),
                    fmt::format("[{:.3f}, {:.3f}]", arm.ratio.low, arm.ratio.high),
                    arm.error ? fmt::format("{:.2g}", *arm.error) : "-"});
  return table(rows) +
         fmt::format("ratio: time of the arm over that of {0}; error: the largest difference of an "
                     "output from that of {0}, over its largest magnitude or 1\n",
                     arms[0].name);
}

std::string profileTable(const Profile& profile) {
  double total = 0;
  for (const KernelProfile& kernel : profile.kernels) total += kernel.seconds;
  std::vector<std::vector<std::string>> rows = {{"kernel", "us", "%", "GFLOP/s", "GB/s", "of limit",
                                                 "bound by", "algorithm", "second choice",
                                                 "nodes"}};
  for (const KernelProfile& kernel : profile.kernels)
    rows.push_back({std::to_string(rows.size() - 1), fmt::format("{:.1f}", kernel.seconds * 1e6),
                    fmt::format("{:.1f}", total > 0 ? 100 * kernel.seconds / total : 0),
                    fmt::format("{:.1f}", kernel.gflops()), fmt::format("{:.1f}", kernel.gbps()),
                    fmt::format("{:.0f} %", profile.percentOfLimit(kernel)),
                    std::string(profile.boundOf(kernel)), kernel.algorithm, kernel.secondChoice,
                    kernel.nodes});
  return table(rows) + fmt::format("limits of this machine: {:.0f} GFLOP/s, {:.1f} GB/s from "
                                   "memory; kernels can exceed them in caches and with Winograd\n",
                                   profile.limits.gflops, profile.limits.gbps);
}

std::string text(const BenchReport& report, bool withProfile) {
  const diagnose::Summary& latency = report.arms.front().latency;
  std::string text =
      fmt::format("{}  {} thread{}  median {:.4f} ms  p5 {:.4f}  p90 {:.4f}  ({} runs, compiled in "
                  "{:.0f} ms)\n",
                  report.model, report.threads, report.threads == 1 ? "" : "s", latency.p50,
                  latency.p5, latency.p90, latency.samples, report.compileTimes.total());
  if (report.arms.size() > 1) text += comparisonTable(report.arms);
  if (withProfile) text += profileTable(*report.profile);
  return text;
}

Result<> benchInStages(const BenchOptions& options, CompiledModel compiled) {
  if (!options.compareWith.empty() || options.profile || !options.trace.empty())
    return usageError("data decide sizes of the model, which then is measured as a whole only");
  ENFOLD_TRY(const auto stage, stageOf(compiled.executable, std::move(compiled.remainder),
                                       {.compile = options.model.compileOptions(),
                                        .session = options.model.sessionOptions()}));
  ENFOLD_TRY(const BenchReport report,
             diagnose::benchStages(options.model.model, *stage, compiled.signature,
                                   compiled.inputDefaults, options.model.sessionOptions(),
                                   options.seconds));
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", text(report, false)));
  return options.json.empty() ? Result<>() : writeJson(options.json, toJson(report));
}

Result<> benchModel(const BenchOptions& options) {
  ENFOLD_TRY(CompiledModel compiled, compileFor(options.model, options.cache, {}, true));
  if (compiled.remainder.rest) return benchInStages(options, std::move(compiled));
  ProgressLine line;
  ENFOLD_TRY(const BenchReport report,
             diagnose::bench(
                 {.model = options.model.model,
                  .executable = compiled.executable,
                  .name = options.model.noFuse ? "unfused" : "fused",
                  .others = options.compareWith,
                  .load = [&]() -> Result<std::unique_ptr<Graph>> {
                    ENFOLD_TRY(LoadedModel model, load(options.model, ModelUse::WithDefaults));
                    return std::move(model.graph);
                  },
                  .compile = options.model.compileOptions(),
                  .session = options.model.sessionOptions(),
                  .seconds = options.seconds,
                  .profile = options.profile || !options.trace.empty(),
                  .progress =
                      [&](double seconds, double total) {
                        line.show(fmt::format("measuring: {:.0f} of {:.0f} s", seconds, total));
                      }}));
  line.clear();
  if (!options.trace.empty())
    ENFOLD_RETURN_IF_ERROR(
        writeJson(options.trace, diagnose::traceOf(report.profile->kernels, report.compileTimes)));
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", text(report, options.profile)));
  return options.json.empty() ? Result<>() : writeJson(options.json, toJson(report));
}

} // namespace

Action addBench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  options->model.add(app);
  options->model.addTune(app);
  options->cache.add(app);
  app.add_option("--seconds", options->seconds, "How long to measure each variant")
      ->check(CLI::Range(0.001, 86400.0));
  app.add_option("--compare", options->compareWith,
                 "Also measure the model folded (but not fused), unfused, in fp32 or bf16, or by "
                 "reference")
      ->type_name("WHAT")
      ->delimiter(',');
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout")
      ->type_name("FILE");
  app.add_flag("--profile", options->profile,
               "List the time of every kernel, and how close it is to the machine's limits");
  app.add_option("--trace", options->trace,
                 "Write the times of compilation and kernels to this file, to view in Perfetto")
      ->type_name("FILE");
  app.add_option("--shapes", options->shapes,
                 "Change the input's sizes as the lines of this file say, NAME=1x3x224x224 each, "
                 "and tell what a new size costs")
      ->type_name("FILE");
  return [options] {
    const auto done = options->shapes.empty() ? benchModel(*options) : benchSizes(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
