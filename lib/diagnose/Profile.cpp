// Takes profiles, and writes them as JSON and as traces.
#include "diagnose/Profile.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <limits>
#include <utility>

namespace enfold::diagnose {

double Profile::percentOfLimit(const KernelProfile& kernel) const {
  return kernel.seconds > 0 ? 100 * limits.seconds(kernel.work) / kernel.seconds : 0;
}

std::string_view Profile::boundOf(const KernelProfile& kernel) const {
  return limits.boundByArithmetic(kernel.work) ? "arithmetic" : "memory";
}

namespace {

/// Of the latest run.
Timeline timelineOf(enfold_context* context, size_t kernels) {
  Timeline timeline{.threads = enfold_get_threads(context)};
  for (size_t i = 0; i < kernels; ++i)
    for (int32_t thread = 0; thread < timeline.threads; ++thread) {
      enfold_thread_profile share;
      enfold_read_thread_profile(context, static_cast<int32_t>(i), thread, &share);
      if (share.end_seconds == 0) continue;
      timeline.spans.push_back(
          {i, thread, share.begin_seconds, share.end_seconds, share.busy_seconds});
      timeline.seconds = std::max(timeline.seconds, share.end_seconds);
    }
  return timeline;
}

} // namespace

Result<Profile> profileKernels(Session& session, double seconds,
                               const std::function<Result<>()>& run) {
  using Clock = std::chrono::steady_clock;
  constexpr size_t kMostSamples = 1000; // of each step
  enfold_context* context = session.context();
  const Executable& executable = session.executable();
  const auto count = static_cast<size_t>(executable.program().num_steps);
  Profile profile;
  double least = std::numeric_limits<double>::infinity(); // seconds of a run
  std::vector<std::vector<double>> samples(count);
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (size_t runs = 0; runs == 0 || (runs < kMostSamples && Clock::now() < end); ++runs) {
    enfold_start_profile(context);
    ENFOLD_RETURN_IF_ERROR(run());
    enfold_stop_profile(context);
    double all = 0;
    for (size_t i = 0; i < count; ++i) {
      enfold_step_profile step;
      enfold_read_profile(context, static_cast<int32_t>(i), &step);
      samples[i].push_back(step.min_seconds);
      all += step.min_seconds;
    }
    if (all >= least) continue;
    least = all;
    profile.timeline = timelineOf(context, count);
  }
  const auto steps = executable.steps();
  for (size_t i = 0; i < count; ++i) {
    enfold_step_profile step;
    enfold_read_profile(context, static_cast<int32_t>(i), &step);
    const Summary times = summarize(samples[i]);
    KernelProfile& kernel = profile.kernels.emplace_back();
    kernel = {.seconds = times.min,
              .times = times,
              .work = {.flops = step.flops, .bytes = step.bytes},
              .algorithm = step.name,
              .secondChoice = {},
              .nodes = step.origin};
    if (i >= steps.size()) continue;
    kernel.secondChoice = steps[i].secondChoice;
    kernel.work.multiplies = steps[i].multiplies;
  }
  return profile;
}

Result<Profile> profileOf(Session& session, double seconds, const std::function<Result<>()>& run) {
  ENFOLD_TRY(Profile profile, profileKernels(session, seconds, run));
  ENFOLD_TRY(const codegen::Target target, codegen::hostTarget());
  std::set<kir::Scalar> multiplied;
  for (const KernelProfile& kernel : profile.kernels) multiplied.insert(kernel.work.multiplies);
  ENFOLD_TRY(profile.limits,
             measureLimits(target, enfold_get_threads(session.context()), multiplied));
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
                    {"multiplies", kir::name(kernel.work.multiplies)},
                    {"algorithm", kernel.algorithm},
                    {"next_best", kernel.secondChoice},
                    {"nodes", kernel.nodes}});
  return json;
}

Json toJson(const MachineLimits& limits) {
  Json peaks = Json::object();
  for (const auto& [multiplies, peak] : limits.peaks)
    peaks[std::string(kir::name(multiplies))] = peak;
  return {{"gflops", limits.gflops()}, {"gbps", limits.gbps}, {"peaks", std::move(peaks)}};
}

Json toJson(const Timeline& timeline) {
  Json spans = Json::array();
  for (const Timeline::Span& span : timeline.spans)
    spans.push_back({{"kernel", span.kernel},
                     {"thread", span.thread},
                     {"begin_us", span.begin * 1e6},
                     {"end_us", span.end * 1e6},
                     {"busy_us", span.busy * 1e6}});
  return {
      {"threads", timeline.threads}, {"us", timeline.seconds * 1e6}, {"spans", std::move(spans)}};
}

Json traceOf(const Profile& profile, const CompileTimes& times) {
  constexpr int kCompiler = 1, kFirstThread = 2;
  Json events = Json::array();
  const auto name = [&](int row, const std::string& text) {
    events.push_back({{"name", "thread_name"},
                      {"ph", "M"},
                      {"pid", 1},
                      {"tid", row},
                      {"args", {{"name", text}}}});
  };
  const auto add = [&](int row, const std::string& what, double at, double us, Json args) {
    events.push_back({{"name", what},
                      {"ph", "X"},
                      {"pid", 1},
                      {"tid", row},
                      {"ts", at},
                      {"dur", us},
                      {"args", std::move(args)}});
  };
  name(kCompiler, "compilation");
  double at = 0; // microseconds
  for (const auto& [stage, milliseconds] : {std::pair{"passes", times.passes},
                                            {"lowering", times.lowering},
                                            {"code generation", times.codegen}}) {
    add(kCompiler, stage, at, milliseconds * 1e3, Json::object());
    at += milliseconds * 1e3;
  }
  for (int thread = 0; thread < profile.timeline.threads; ++thread)
    name(kFirstThread + thread, fmt::format("thread {}", thread));
  for (const Timeline::Span& span : profile.timeline.spans) {
    const KernelProfile& kernel = profile.kernels[span.kernel];
    add(kFirstThread + span.thread, kernel.nodes.empty() ? kernel.algorithm : kernel.nodes,
        at + span.begin * 1e6, (span.end - span.begin) * 1e6,
        {{"algorithm", kernel.algorithm},
         {"busy_us", span.busy * 1e6},
         {"gflops", kernel.gflops()},
         {"gbps", kernel.gbps()}});
  }
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

} // namespace enfold::diagnose
