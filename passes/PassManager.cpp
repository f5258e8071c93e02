// Running pipelines.
#include "passes/PassManager.h"

#include "ir/Verifier.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>

#include <chrono>

namespace enfold {
namespace {

/// A group that still changes after this many rounds undoes its own work; the graph is as good as
/// after any other round, so it just ends.
constexpr int kMaxRounds = 64;

bool isPlain(const Graph& graph) {
  for (const auto& op : graph.ops())
    for (size_t i = 0; i < op->numResults(); ++i)
      if (!op->result(i)->type().layout.isPlain()) return false;
  return true;
}

class Run {
public:
  Run(Graph& graph, const PipelineOptions& options)
      : options_(options), rewriter_(graph, options.maxRewrites) {}

  Result<> step(const PipelineStep& step) {
    for (int round = 0; round < (step.repeat ? kMaxRounds : 1); ++round) {
      const int64_t before = rewriter_.count();
      for (const PassInfo* pass : step.passes) ENFOLD_RETURN_IF_ERROR(run(*pass));
      if (rewriter_.count() == before) return {};
    }
    report_.settled &= !step.repeat;
    return {};
  }

  PipelineReport finish() {
    report_.rewrites.assign(rewriter_.log().begin(), rewriter_.log().end());
    return std::move(report_);
  }

private:
  Result<> run(const PassInfo& pass) {
    using Clock = std::chrono::steady_clock;
    for (PassObserver* observer : options_.observers)
      ENFOLD_RETURN_IF_ERROR(observer->before(pass, rewriter_.graph()));
    if (pass.layouts == Layouts::Plain && !isPlain(rewriter_.graph()))
      return failure(ErrorCode::OptionConflict,
                     fmt::format("pass {} works on plain layouts only: the graph has blocked "
                                 "ones, which assign-layout makes",
                                 pass.name));
    PassContext context(pass.name, rewriter_, options_.passes, report_.remarks, report_.statistics);
    const int64_t rewrites = rewriter_.count();
    const auto start = Clock::now();
    const auto done = catchNoMemory("rewriting the graph", [&] { return pass.run(context); });
    if (!done) {
      Error error = done.error();
      for (Diag& diag : error.diags)
        diag.message = fmt::format("pass {}: {}", pass.name, diag.message);
      return std::unexpected(std::move(error));
    }
    const std::chrono::duration<double> time = Clock::now() - start;
    report_.runs.push_back({&pass, time.count(), rewriter_.count() - rewrites});
    if (options_.verifyEach || verifiesAlways()) ENFOLD_RETURN_IF_ERROR(verifyAfter(pass));
    for (PassObserver* observer : options_.observers)
      ENFOLD_RETURN_IF_ERROR(observer->after(report_.runs.back(), rewriter_.graph()));
    return {};
  }

  Result<> verifyAfter(const PassInfo& pass) {
    auto valid = verify(rewriter_.graph());
    if (!valid)
      valid.error().diags.insert(valid.error().diags.begin(),
                                 {fmt::format("the graph is broken after pass {}", pass.name), ""});
    return valid;
  }

  const PipelineOptions& options_;
  Rewriter rewriter_;
  PipelineReport report_;
};

} // namespace

Result<PipelineReport> runPipeline(Graph& graph, const Pipeline& pipeline,
                                   const PipelineOptions& options) {
  Run run(graph, options);
  for (const PipelineStep& step : pipeline.steps) ENFOLD_RETURN_IF_ERROR(run.step(step));
  return run.finish();
}

} // namespace enfold
