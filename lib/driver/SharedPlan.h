// Lowering for kernels that are shared between sizes, and what a plan wants of the store of their
// code.
#pragma once

#include "codegen/KernelStore.h"
#include "lower/Lowering.h"

namespace enfold {

struct SharedPlan {
  lower::Plan plan;
  std::vector<codegen::KernelStore::Wanted> wanted; ///< refers to the kernels of the plan
};

/// The plan of a graph, which must outlive it, for any sizes.
Result<SharedPlan> lowerShared(const Graph& graph, const codegen::Target& target,
                               lower::Kernels kernels);

} // namespace enfold
