// Lowering the ops of a graph side by side, in several threads.
#pragma once

#include "lower/Lowering.h"

#include <functional>
#include <memory>

namespace enfold::lower {

/// Each thread lowers ops into a plan of its own. What an op gave there is moved into one plan, in
/// the order of the ops: that is the plan that lowering them one after the other gives.
class SideBySide {
public:
  /// Lowers the ops on at most `threads` threads; each is lowered by `lower`.
  SideBySide(std::span<const Op* const> ops, const Graph& graph, const kir::Target& target,
             int threads, const std::function<Result<>(const Op&, Lowering&)>& lower);
  ~SideBySide();

  /// Appends what number `i` of the ops gave to a plan, through its lowering. To be called for each
  /// of them, in their order.
  Result<> moveTo(Plan& plan, Lowering& lowering, size_t i);

private:
  struct Worker;
  /// What an op appended to the plan of its thread, up to these ends.
  struct Part {
    Worker* worker = nullptr;
    size_t buffers = 0, kernels = 0, calls = 0;
    Result<> done = {};
  };

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Part> parts_;
};

/// See Lowering.h. The plan is the same for any number of threads.
Result<Plan> lowerGraph(const Graph& graph, const kir::Target& target, ForSizes sizes,
                        Kernels kernels, const std::set<const Op*>& whole, int threads);

} // namespace enfold::lower
