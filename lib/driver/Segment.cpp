// Deciding by estimates whether to compile.
#include "driver/Segment.h"

#include "reference/Reference.h"
#include "reference/Work.h"

namespace enfold {
namespace {

constexpr double kSecondsToCompile = 10e-3, kSecondsPerOp = 4e-3;

} // namespace

Segment::Segment(std::unique_ptr<Graph> graph, const Options& options)
    : graph_(std::move(graph)), options_(options), runSeconds_(reference::secondsOf(*graph_)),
      compileSeconds_(kSecondsToCompile + kSecondsPerOp * static_cast<double>(graph_->numOps())) {}

Result<std::shared_ptr<SessionPool>> Segment::sessions() {
  const std::lock_guard lock(mutex_);
  if (sessions_) return sessions_;
  if (options_.reference) return nullptr;
  spent_ += runSeconds_;
  if (spent_ <= compileSeconds_) return nullptr;
  CompileOptions how = options_.compile;
  how.tune = std::nullopt; // which would take longer than all runs
  ENFOLD_TRY(const Compilation compiled, compile(graph_->clone(), how));
  ENFOLD_TRY(sessions_, SessionPool::create(compiled.executable, options_.session));
  if (options_.compilations) ++*options_.compilations;
  graph_ = nullptr;
  return sessions_;
}

Result<std::vector<Tensor>> Segment::run(std::span<const Tensor> inputs, const RunLimits& limits) {
  const std::shared_ptr<const Graph> graph = [&] {
    const std::lock_guard lock(mutex_);
    return graph_;
  }();
  ENFOLD_TRY(const auto compiled, sessions());
  if (!compiled) return reference::run(*graph, inputs);
  const enfold_run_limits left = limits.left();
  return compiled->run(inputs, &left);
}

} // namespace enfold
