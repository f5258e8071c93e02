// Compiles both, and compares what the passes said and what the programs call.
#include "diagnose/Likeness.h"

#include <fmt/format.h>

#include <map>

namespace enfold::diagnose {
namespace {

/// How often each pass made each remark.
std::map<std::string, int64_t> remarksOf(const PipelineReport& report) {
  std::map<std::string, int64_t> counts;
  for (const Remark& remark : report.remarks.remarks())
    ++counts[fmt::format("{}: {} [{}]", remark.pass, name(remark.outcome),
                         info(remark.reason).code)];
  return counts;
}

void compareRemarks(const PipelineReport& first, const PipelineReport& second,
                    std::vector<std::string>& differences) {
  auto counts = remarksOf(first);
  std::map<std::string, std::pair<int64_t, int64_t>> both;
  for (const auto& [remark, count] : counts) both[remark].first = count;
  for (const auto& [remark, count] : remarksOf(second)) both[remark].second = count;
  for (const auto& [remark, count] : both)
    if (count.first != count.second)
      differences.push_back(fmt::format("{}: {} and {} times", remark, count.first, count.second));
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
  compareRemarks(first.report, second.report, likeness.differences);
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
