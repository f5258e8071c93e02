// From the ops of a graph to a plan.
#include "ir/Verifier.h"
#include "kernel/LooseRanges.h"
#include "kernel/Skeleton.h"
#include "lower/Guards.h"
#include "lower/SideBySide.h"
#include "support/Parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace enfold::lower {
namespace {

/// Fewer ops, weights among them, are not worth a thread of their own.
constexpr size_t kOpsOfThread = 16;

/// Appends calls that skip others, so that each op's run under its guard.
class OpenGuards {
public:
  explicit OpenGuards(Lowering& lowering) : lowering_(lowering) {}

  /// From here on calls are under this guard.
  void enter(const Guard& guard) {
    const auto common =
        static_cast<size_t>(std::ranges::mismatch(guards_, guard).in1 - guards_.begin());
    while (guards_.size() > common) {
      lowering_.endSkip(calls_.back());
      calls_.pop_back();
      guards_.pop_back();
    }
    for (size_t i = guards_.size(); i < guard.size(); ++i) {
      calls_.push_back(lowering_.beginSkip(guard[i].condition, guard[i].wanted));
      guards_.push_back(guard[i]);
    }
  }

private:
  Lowering& lowering_;
  Guard guards_;              ///< that are open
  std::vector<size_t> calls_; ///< the calls that began them
};

/// The names of kernels end in their numbers.
void numberKernels(Plan& plan) {
  for (size_t i = 0; i < plan.kernels.size(); ++i)
    plan.kernels[i].name = fmt::format("{}_{}", plan.kernels[i].name, i);
}

void setLifetimes(Plan& plan) {
  for (int64_t number = 0; number < std::ssize(plan.calls); ++number)
    for (const BufferRef& ref : plan.calls[static_cast<size_t>(number)].buffers) {
      PlanBuffer& buffer = plan.buffers[ref.buffer];
      if (buffer.firstCall < 0) buffer.firstCall = number;
      buffer.lastCall = number;
    }
}

} // namespace

Result<Plan> lowerGraph(const Graph& graph, const kir::Target& target, ForSizes sizes,
                        Kernels kernels, const std::set<const Op*>& whole) {
  const int useful = static_cast<int>(graph.numOps() / kOpsOfThread);
  return lowerGraph(graph, target, sizes, kernels, whole, std::min(hardwareThreads(), useful));
}

Result<Plan> lowerGraph(const Graph& graph, const kir::Target& target, ForSizes sizes,
                        Kernels kernels, const std::set<const Op*>& whole, int threads) {
  // What is outlined has been written out, and verified, for another size.
  if (kernels == Kernels::Whole || verifiesAlways()) ENFOLD_RETURN_IF_ERROR(verify(graph));
  const auto inForm = [&](const Op* op, auto&& work) {
    std::optional<kir::LooseRanges> loose;
    if (sizes == ForSizes::Any) loose.emplace();
    std::optional<kir::Outlines> outlines;
    if (kernels == Kernels::Outlined && !whole.contains(op)) outlines.emplace();
    return work();
  };
  const auto lower = [&](const Op& op, Lowering& lowering) {
    return inForm(&op, [&] { return lowering.lower(op); });
  };
  std::vector<const Op*> ops;
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) ops.push_back(op.get());
  std::optional<SideBySide> lowered;
  if (threads > 1) lowered.emplace(ops, graph, target, threads, lower);

  Plan plan;
  plan.name = graph.name();
  for (const auto& input : graph.inputs()) plan.inputs.push_back(input.get());
  plan.outputs.assign(graph.outputs().begin(), graph.outputs().end());
  plan.outputNames.assign(graph.outputNames().begin(), graph.outputNames().end());
  Lowering lowering(plan, graph, target);
  std::vector<Diag> problems;
  const Guards guards(graph);
  OpenGuards open(lowering);
  const auto enter = [&](const Guard& guard) { inForm(nullptr, [&] { open.enter(guard); }); };
  for (size_t i = 0; i < ops.size(); ++i) {
    enter(guards.of(*ops[i]));
    auto done = lowered ? lowered->moveTo(plan, lowering, i) : lower(*ops[i], lowering);
    if (!done) std::ranges::move(done.error().diags, std::back_inserter(problems));
  }
  enter({});
  if (!problems.empty()) return std::unexpected(Error(ErrorKind::Unsupported, std::move(problems)));
  inForm(nullptr, [&] {
    for (size_t i = 0; i < plan.outputs.size(); ++i) lowering.copyOutput(plan.outputs[i], i);
  });
  numberKernels(plan);
  setLifetimes(plan);
  assignOffsets(plan);
  return plan;
}

} // namespace enfold::lower
