// Printing of plans, and the static memory plan.
#include "lower/Plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace enfold::lower {
namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string_view name(Space space) {
  constexpr std::string_view kNames[] = {"input", "output", "constant", "arena"};
  return kNames[static_cast<size_t>(space)];
}

/// The lowest offset where `buffer` overlaps none of `placed` that live at the same time.
int64_t firstFit(const PlanBuffer& buffer, const std::vector<const PlanBuffer*>& placed) {
  std::vector<std::pair<int64_t, int64_t>> taken;
  for (const PlanBuffer* other : placed)
    if (other->firstCall <= buffer.lastCall && buffer.firstCall <= other->lastCall)
      taken.emplace_back(other->offset, other->offset + aligned(other->bytes));
  std::sort(taken.begin(), taken.end());
  int64_t offset = 0;
  for (const auto& [begin, end] : taken) {
    if (offset + aligned(buffer.bytes) <= begin) break;
    offset = std::max(offset, end);
  }
  return offset;
}

} // namespace

std::vector<std::string> Plan::referenceOps() const {
  std::vector<std::string> ops;
  for (const Call& call : calls)
    if (call.reference) ops.push_back(call.reference->op->describe());
  return ops;
}

std::vector<std::string> Plan::originsOfKernels() const {
  std::vector<std::string> origins(kernels.size());
  std::unordered_map<std::string, int> seen;
  for (const Call& call : calls)
    if (!call.reference && origins[call.kernel].empty())
      origins[call.kernel] = fmt::format("{} {}", seen[call.origin]++, call.origin);
  return origins;
}

// Largest first, each at the lowest free place: within a few percent of the live maximum on CNNs.
void assignOffsets(Plan& plan) {
  plan.constantBytes = 0;
  std::vector<PlanBuffer*> arena;
  for (PlanBuffer& buffer : plan.buffers) {
    if (buffer.space == Space::Constant) {
      buffer.offset = plan.constantBytes;
      plan.constantBytes += aligned(buffer.bytes);
    } else if (buffer.space == Space::Arena && buffer.firstCall >= 0) {
      arena.push_back(&buffer);
    }
  }
  std::stable_sort(arena.begin(), arena.end(),
                   [](const PlanBuffer* a, const PlanBuffer* b) { return a->bytes > b->bytes; });
  std::vector<const PlanBuffer*> placed;
  plan.arenaBytes = 0;
  for (PlanBuffer* buffer : arena) {
    buffer->offset = firstFit(*buffer, placed);
    placed.push_back(buffer);
    plan.arenaBytes = std::max(plan.arenaBytes, buffer->offset + aligned(buffer->bytes));
  }
}

std::string print(const Plan& plan) {
  std::string text = fmt::format("plan @{}  arena {} bytes, constants {} bytes\n", plan.name,
                                 plan.arenaBytes, plan.constantBytes);
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const PlanBuffer& buffer = plan.buffers[i];
    if (buffer.space == Space::Arena && buffer.firstCall < 0) continue;
    text += fmt::format("  b{:<4} {:<8} {:>12} bytes", i, name(buffer.space), buffer.bytes);
    if (buffer.space == Space::Arena)
      text +=
          fmt::format(" at {:>12}  live {}..{}", buffer.offset, buffer.firstCall, buffer.lastCall);
    text += '\n';
  }
  for (size_t i = 0; i < plan.calls.size(); ++i) {
    const Call& call = plan.calls[i];
    text += fmt::format("  {:<4} {}(", i,
                        call.reference ? "reference " + call.reference->op->info().name
                                       : plan.kernels[call.kernel].name);
    for (size_t k = 0; k < call.buffers.size(); ++k)
      text += fmt::format("{}b{}{}", k ? ", " : "", call.buffers[k].buffer,
                          call.buffers[k].offset ? fmt::format("+{}", call.buffers[k].offset) : "");
    text += fmt::format(")  # {}{}  {}\n", call.algorithm,
                        call.skip ? fmt::format(" {} calls", call.skip) : "", call.origin);
  }
  return text;
}

} // namespace enfold::lower
