// Origins tell kernels of one node from those of others.
#include "driver/SharedPlan.h"

#include <algorithm>
#include <chrono>

namespace enfold {

std::set<const Op*> callersOf(const lower::Plan& plan, std::span<const size_t> kernels) {
  std::set<const Op*> callers;
  for (const lower::Call& call : plan.calls)
    if (!call.reference && std::ranges::find(kernels, call.kernel) != kernels.end())
      callers.insert(call.op);
  return callers;
}

Result<SharedPlan> lowerShared(const Graph& graph, const codegen::Target& target,
                               const std::set<const Op*>& whole) {
  SharedPlan shared;
  ENFOLD_TRY(shared.plan, lower::lowerGraph(graph, target, lower::ForSizes::Any,
                                            lower::Kernels::Outlined, whole));
  shared.wanted =
      codegen::KernelStore::wantedOf(shared.plan.kernels, shared.plan.originsOfKernels());
  return shared;
}

Result<BoundPlan>
bindShared(const Graph& graph, const codegen::Target& target, codegen::KernelStore& store,
           const codegen::JitOptions& options,
           const std::function<Result<>(std::span<const codegen::KernelStore::Wanted>)>& missing) {
  using Clock = std::chrono::steady_clock;
  ENFOLD_TRY(SharedPlan shared, lowerShared(graph, target));
  ENFOLD_TRY(codegen::KernelStore::Program program, store.bind(shared.wanted, target, options));
  if (!program.missing.empty() && missing) ENFOLD_RETURN_IF_ERROR(missing(shared.wanted));
  std::set<const Op*> whole;
  Clock::duration time{};
  // Meanwhile the store may have forgotten others.
  while (!program.missing.empty()) {
    whole.merge(callersOf(shared.plan, program.missing));
    ENFOLD_TRY(shared, lowerShared(graph, target, whole));
    const auto start = Clock::now();
    ENFOLD_TRY(program, store.bind(shared.wanted, target, options));
    time += Clock::now() - start;
  }
  return BoundPlan{std::move(shared.plan), std::move(program.kernels),
                   std::chrono::duration<double, std::milli>(time).count()};
}

} // namespace enfold
