// A thread takes ops in their order, so that what it has moved already is what its next op refers
// to.
#include "lower/SideBySide.h"

#include "support/Parallel.h"

#include <atomic>

namespace enfold::lower {

struct SideBySide::Worker {
  Worker(const Graph& graph, const kir::Target& target) : lowering(plan, graph, target) {
    // Values have the same places in all plans of a graph.
    for (BufferId id = 0; id < plan.buffers.size(); ++id) buffers.push_back(id);
  }

  Plan plan;
  Lowering lowering;
  // Of what has been moved to another plan, where it is there.
  std::vector<BufferId> buffers;
  std::vector<size_t> kernels;
  size_t calls = 0;
};

namespace {

BufferRef moveBuffer(PlanBuffer& buffer, Lowering& to) {
  ENFOLD_CHECK(buffer.space == Space::Constant || buffer.space == Space::Arena,
               "an op adds no inputs and outputs");
  if (buffer.space == Space::Arena) return to.temporary(buffer.bytes);
  if (buffer.pack.pieces == 0) return to.constant(std::move(buffer.data), buffer.bytes);
  auto write = [write = std::move(buffer.pack.write)](const Tensor&, std::byte* bytes,
                                                      int64_t piece) { write(bytes, piece); };
  return to.packed<std::byte>(buffer.pack.source, buffer.pack.order, buffer.bytes, std::move(write),
                              buffer.pack.pieces);
}

} // namespace

SideBySide::SideBySide(std::span<const Op* const> ops, const Graph& graph,
                       const kir::Target& target, int threads,
                       const std::function<Result<>(const Op&, Lowering&)>& lower)
    : workers_(static_cast<size_t>(threads)), parts_(ops.size()) {
  std::atomic<size_t> next = 0;
  forEachInParallel(workers_.size(), threads, [&](size_t number) {
    workers_[number] = std::make_unique<Worker>(graph, target);
    Worker& worker = *workers_[number];
    for (size_t i; (i = next++) < ops.size();) {
      Result<> done = lower(*ops[i], worker.lowering);
      const Plan& plan = worker.plan;
      parts_[i] = {&worker, plan.buffers.size(), plan.kernels.size(), plan.calls.size(),
                   std::move(done)};
    }
  });
}

SideBySide::~SideBySide() = default;

Result<> SideBySide::moveTo(Plan& plan, Lowering& lowering, size_t i) {
  Part& part = parts_[i];
  Worker& from = *part.worker;
  while (from.buffers.size() < part.buffers)
    from.buffers.push_back(moveBuffer(from.plan.buffers[from.buffers.size()], lowering).buffer);
  while (from.kernels.size() < part.kernels)
    from.kernels.push_back(lowering.addKernel(std::move(from.plan.kernels[from.kernels.size()])));
  for (; from.calls < part.calls; ++from.calls) {
    Call& call = from.plan.calls[from.calls];
    if (!call.reference) call.kernel = from.kernels[call.kernel];
    for (BufferRef& ref : call.buffers) ref.buffer = from.buffers[ref.buffer];
    plan.calls.push_back(std::move(call));
  }
  return std::move(part.done);
}

} // namespace enfold::lower
