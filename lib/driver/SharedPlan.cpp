// Origins tell kernels of one node from those of others.
#include "driver/SharedPlan.h"

namespace enfold {

Result<SharedPlan> lowerShared(const Graph& graph, const codegen::Target& target,
                               lower::Kernels kernels) {
  SharedPlan shared;
  ENFOLD_TRY(shared.plan, lower::lowerGraph(graph, target, lower::ForSizes::Any, kernels));
  shared.wanted =
      codegen::KernelStore::wantedOf(shared.plan.kernels, shared.plan.originsOfKernels());
  return shared;
}

} // namespace enfold
