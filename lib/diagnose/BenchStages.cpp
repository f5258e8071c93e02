// Measuring whole runs.
#include "diagnose/BenchStages.h"

#include "ir/ConstantText.h"

#include <enfold/enfold.h>

#include <chrono>

namespace enfold::diagnose {
namespace {

constexpr double kSecondsToSettle = 1;

} // namespace

Result<BenchReport> benchStages(const std::string& model, Stage& stage,
                                const onnx::Signature& signature,
                                const std::map<std::string, Tensor>& defaults,
                                const Session::Options& session, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto secondsSince = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::vector<NamedTensor> inputs;
  uint64_t seed = 1;
  for (const auto& [name, type] : stage.inputs())
    if (!defaults.contains(name)) inputs.push_back({name, randomTensor(type, seed++)});
  const auto run = [&]() -> Result<> {
    ENFOLD_TRY(const auto outputs, runStaged(stage, signature, inputs, defaults, RunLimits()));
    return {};
  };
  const auto start = Clock::now();
  do ENFOLD_RETURN_IF_ERROR(run());
  while (secondsSince(start) < kSecondsToSettle);
  std::vector<double> samples;
  const auto begin = Clock::now();
  do {
    const auto before = Clock::now();
    ENFOLD_RETURN_IF_ERROR(run());
    samples.push_back(secondsSince(before) * 1e3);
  } while (secondsSince(begin) < seconds);
  BenchReport report{.model = model, .threads = session.threads};
  if (report.threads == 0) report.threads = enfold_default_threads();
  report.arms.push_back({.name = "staged", .latency = summarize(std::move(samples)), .ratio = {}});
  return report;
}

} // namespace enfold::diagnose
