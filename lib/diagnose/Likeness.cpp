// Compiles both, and compares what the passes said and what the programs call.
#include "diagnose/Likeness.h"

#include <fmt/format.h>

#include <map>

namespace enfold::diagnose {
namespace {

/// How often each pass came to each verdict.
std::map<std::string, int64_t> verdicts(const PipelineReport& report) {
  std::map<std::string, int64_t> counts;
  for (const Remark& remark : report.remarks.remarks())
    ++counts[fmt::format("{}: {} [{}]", remark.pass, name(remark.outcome),
                         info(remark.reason).code)];
  return counts;
}

void compareVerdicts(const PipelineReport& first, const PipelineReport& second,
                     std::vector<std::string>& differences) {
  auto counts = verdicts(first);
  std::map<std::string, std::pair<int64_t, int64_t>> both;
  for (const auto& [verdict, count] : counts) both[verdict].first = count;
  for (const auto& [verdict, count] : verdicts(second)) both[verdict].second = count;
  for (const auto& [verdict, count] : both)
    if (count.first != count.second)
      differences.push_back(fmt::format("{}: {} and {} times", verdict, count.first, count.second));
}

void compareKernels(const Executable& first, const Executable& second,
                    std::vector<std::string>& differences) {
  const auto one = first.steps(), other = second.steps();
  if (one.size() != other.size())
    differences.push_back(fmt::format("{} and {} kernels", one.size(), other.size()));
  for (size_t i = 0; i < std::min(one.size(), other.size()); ++i)
    if (one[i].name != other[i].name)
      differences.push_back(
          fmt::format("kernel {} ({}): {} and {}", i, other[i].origin, one[i].name, other[i].name));
}

} // namespace

Result<Likeness> likeness(LikenessProblem problem) {
  ENFOLD_TRY(const Compilation first, compile(std::move(problem.first), problem.compile));
  ENFOLD_TRY(const Compilation second, compile(std::move(problem.second), problem.compile));
  Likeness likeness{.rewrites = first.report.remarks.remarks().size(),
                    .kernels = first.executable->steps().size()};
  compareVerdicts(first.report, second.report, likeness.differences);
  compareKernels(*first.executable, *second.executable, likeness.differences);
  if (problem.seconds <= 0) return likeness;
  ENFOLD_TRY(BenchReport report, bench({.executable = first.executable,
                                        .name = "model",
                                        .programs = {{"reduced", second.executable}},
                                        .session = problem.session,
                                        .seconds = problem.seconds,
                                        .progress = problem.progress}));
  likeness.times = std::move(report.arms);
  return likeness;
}

} // namespace enfold::diagnose
