// Times of kernels as a table, as JSON and as a trace.
#include "tools/Profile.h"

#include "tools/Common.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace enfold::tool {

using nlohmann::ordered_json;

Result<std::vector<KernelProfile>> profileOf(Session& session, double seconds,
                                             const std::function<Result<>()>& run) {
  using Clock = std::chrono::steady_clock;
  enfold_context* context = session.context();
  enfold_start_profile(context);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  do ENFOLD_RETURN_IF_ERROR(run());
  while (Clock::now() < end);
  enfold_stop_profile(context);
  const Executable& executable = session.executable();
  std::vector<KernelProfile> kernels;
  for (int32_t i = 0; i < executable.program().num_steps; ++i) {
    enfold_step_profile step;
    enfold_read_profile(context, i, &step);
    const codegen::Step& what = executable.steps()[static_cast<size_t>(i)];
    kernels.push_back({.seconds = step.min_seconds,
                       .flops = step.flops,
                       .bytes = step.bytes,
                       .algorithm = what.name,
                       .runnerUp = what.runnerUp,
                       .nodes = step.origin});
  }
  return kernels;
}

namespace {

double rate(double amount, double seconds) { return seconds > 0 ? amount * 1e-9 / seconds : 0; }

double percentOfLimit(const KernelProfile& k, const diagnose::MachineLimits& limits) {
  return k.seconds > 0 ? 100 * limits.seconds(k.flops, k.bytes) / k.seconds : 0;
}

const char* boundOf(const KernelProfile& k, const diagnose::MachineLimits& limits) {
  return limits.boundByArithmetic(k.flops, k.bytes) ? "arithmetic" : "memory";
}

} // namespace

std::string profileTable(const std::vector<KernelProfile>& kernels,
                         const diagnose::MachineLimits& limits) {
  double total = 0;
  for (const KernelProfile& k : kernels) total += k.seconds;
  std::vector<std::vector<std::string>> rows = {{"kernel", "us", "%", "GFLOP/s", "GB/s", "of limit",
                                                 "bound by", "algorithm", "next best", "nodes"}};
  for (size_t i = 0; i < kernels.size(); ++i) {
    const KernelProfile& k = kernels[i];
    rows.push_back({std::to_string(i), fmt::format("{:.1f}", k.seconds * 1e6),
                    fmt::format("{:.1f}", total > 0 ? 100 * k.seconds / total : 0),
                    fmt::format("{:.1f}", rate(k.flops, k.seconds)),
                    fmt::format("{:.1f}", rate(k.bytes, k.seconds)),
                    fmt::format("{:.0f} %", percentOfLimit(k, limits)), boundOf(k, limits),
                    k.algorithm, k.runnerUp, k.nodes});
  }
  return table(rows) + fmt::format("limits of this machine: {:.0f} GFLOP/s, {:.1f} GB/s from "
                                   "memory; in caches, and by Winograd's algorithm, kernels can "
                                   "be beyond\n",
                                   limits.gflops, limits.gbps);
}

ordered_json profileJson(const std::vector<KernelProfile>& kernels,
                         const diagnose::MachineLimits& limits) {
  ordered_json json = ordered_json::array();
  for (size_t i = 0; i < kernels.size(); ++i) {
    const KernelProfile& k = kernels[i];
    json.push_back({{"kernel", i},
                    {"us", k.seconds * 1e6},
                    {"gflops", rate(k.flops, k.seconds)},
                    {"gbps", rate(k.bytes, k.seconds)},
                    {"percent_of_limit", percentOfLimit(k, limits)},
                    {"bound_by", boundOf(k, limits)},
                    {"algorithm", k.algorithm},
                    {"next_best", k.runnerUp},
                    {"nodes", k.nodes}});
  }
  return json;
}

ordered_json traceOf(const std::vector<KernelProfile>& kernels, const CompileTimes& times) {
  constexpr int kCompiler = 1, kRun = 2;
  ordered_json events = ordered_json::array();
  const auto name = [&](int row, const char* text) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 1},
                      {"tid", row},
                      {"args", {{"name", text}}}});
  };
  double at = 0; // microseconds
  const auto add = [&](int row, const std::string& what, double us, ordered_json args) {
    events.push_back({{"name", what},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", row},
                      {"ts", at},
                      {"dur", us},
                      {"args", std::move(args)}});
    at += us;
  };
  name(kCompiler, "compilation");
  add(kCompiler, "passes", times.passes * 1e3, ordered_json::object());
  add(kCompiler, "lowering", times.lowering * 1e3, ordered_json::object());
  add(kCompiler, "code generation", times.codegen * 1e3, ordered_json::object());
  name(kRun, "kernels");
  for (const KernelProfile& k : kernels)
    add(kRun, k.nodes.empty() ? k.algorithm : k.nodes, k.seconds * 1e6,
        {{"algorithm", k.algorithm},
         {"gflops", rate(k.flops, k.seconds)},
         {"gbps", rate(k.bytes, k.seconds)}});
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

} // namespace enfold::tool
