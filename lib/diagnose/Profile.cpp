// Takes profiles, and writes them as JSON and as traces.
#include "diagnose/Profile.h"

#include <nlohmann/json.hpp>

#include <chrono>

namespace enfold::diagnose {

double Profile::percentOfLimit(const KernelProfile& kernel) const {
  return kernel.seconds > 0 ? 100 * limits.seconds(kernel.flops, kernel.bytes) / kernel.seconds : 0;
}

std::string_view Profile::boundOf(const KernelProfile& kernel) const {
  return limits.boundByArithmetic(kernel.flops, kernel.bytes) ? "arithmetic" : "memory";
}

Result<std::vector<KernelProfile>> profileKernels(Session& session, double seconds,
                                                  const std::function<Result<>()>& run) {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kMostSamples = 1000; // of each step
  enfold_context* context = session.context();
  const Executable& executable = session.executable();
  const auto count = static_cast<size_t>(executable.program().num_steps);
  std::vector<KernelProfile> kernels(count);
  std::vector<std::vector<double>> samples(count);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (size_t runs = 0; runs == 0 || (runs < kMostSamples && Clock::now() < end); ++runs) {
    enfold_start_profile(context);
    ENFOLD_RETURN_IF_ERROR(run());
    enfold_stop_profile(context);
    for (size_t i = 0; i < count; ++i) {
      enfold_step_profile step;
      enfold_read_profile(context, static_cast<int32_t>(i), &step);
      samples[i].push_back(step.min_seconds);
    }
  }
  const auto steps = executable.steps();
  for (size_t i = 0; i < count; ++i) {
    enfold_step_profile step;
    enfold_read_profile(context, static_cast<int32_t>(i), &step);
    const Summary times = summarize(samples[i]);
    kernels[i] = {.seconds = times.min,
                  .times = times,
                  .flops = step.flops,
                  .bytes = step.bytes,
                  .algorithm = step.name,
                  .secondChoice = i < steps.size() ? steps[i].secondChoice : "",
                  .nodes = step.origin};
  }
  return kernels;
}

Result<Profile> profileOf(Session& session, double seconds, const std::function<Result<>()>& run) {
  Profile profile;
  ENFOLD_TRY(profile.kernels, profileKernels(session, seconds, run));
  ENFOLD_TRY(const codegen::Target target, codegen::hostTarget());
  ENFOLD_TRY(profile.limits, measureLimits(target, enfold_get_threads(session.context())));
  return profile;
}

Json toJson(const Profile& profile) {
  Json json = Json::array();
  for (const KernelProfile& kernel : profile.kernels)
    json.push_back({{"kernel", json.size()},
                    {"us", kernel.seconds * 1e6},
                    {"us_p50", kernel.times.p50 * 1e6},
                    {"us_p90", kernel.times.p90 * 1e6},
                    {"gflops", kernel.gflops()},
                    {"gbps", kernel.gbps()},
                    {"percent_of_limit", profile.percentOfLimit(kernel)},
                    {"bound_by", profile.boundOf(kernel)},
                    {"algorithm", kernel.algorithm},
                    {"next_best", kernel.secondChoice},
                    {"nodes", kernel.nodes}});
  return json;
}

Json toJson(const MachineLimits& limits) {
  return {{"gflops", limits.gflops}, {"gbps", limits.gbps}};
}

Json traceOf(std::span<const KernelProfile> kernels, const CompileTimes& times) {
  constexpr int kCompiler = 1, kRun = 2;
  Json events = Json::array();
  const auto name = [&](int row, const char* text) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 1},
                      {"tid", row},
                      {"args", {{"name", text}}}});
  };
  double at = 0; // microseconds
  const auto add = [&](int row, const std::string& what, double us, Json args) {
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
  add(kCompiler, "passes", times.passes * 1e3, Json::object());
  add(kCompiler, "lowering", times.lowering * 1e3, Json::object());
  add(kCompiler, "code generation", times.codegen * 1e3, Json::object());
  name(kRun, "kernels");
  for (const KernelProfile& kernel : kernels)
    add(kRun, kernel.nodes.empty() ? kernel.algorithm : kernel.nodes, kernel.seconds * 1e6,
        {{"algorithm", kernel.algorithm}, {"gflops", kernel.gflops()}, {"gbps", kernel.gbps()}});
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

} // namespace enfold::diagnose
