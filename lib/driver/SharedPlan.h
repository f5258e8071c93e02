// Lowering for kernels that are shared between sizes, and what a plan wants of the store of their
// code.
#pragma once

#include "codegen/KernelStore.h"
#include "lower/Lowering.h"

namespace enfold {

/// What a graph is lowered to for any sizes.
struct SharedPlan {
  lower::Plan plan;
  std::vector<codegen::KernelStore::Wanted> wanted; ///< refers to the kernels of the plan
};

/// The plan of a graph, which must outlive it. Its kernels are outlines, but for those of the ops
/// in `whole` (see lower::lowerGraph()).
Result<SharedPlan> lowerShared(const Graph& graph, const codegen::Target& target,
                               const std::set<const Op*>& whole = {});

/// The ops that call these kernels; null for calls of none.
std::set<const Op*> callersOf(const lower::Plan& plan, std::span<const size_t> kernels);

/// A plan with code for its kernels.
struct BoundPlan {
  lower::Plan plan;
  std::vector<codegen::KernelStore::Bound> kernels;
  double compileMilliseconds = 0; ///< of kernels that the store did not have
};

/// Takes code from the store. Kernels that it has none for are written out, alone of all, and
/// compiled, after `missing` has been called with what the plan wants.
Result<BoundPlan> bindShared(
    const Graph& graph, const codegen::Target& target, codegen::KernelStore& store,
    const codegen::JitOptions& options = {},
    const std::function<Result<>(std::span<const codegen::KernelStore::Wanted>)>& missing = {});

} // namespace enfold
