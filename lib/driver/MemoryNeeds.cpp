// Adding up. What the process has is asked of the system (proc(5)).
#include "driver/MemoryNeeds.h"

#include "ir/Graph.h"
#include "lower/Plan.h"
#include "support/ErrorCodes.h"

#include <enfold/enfold.h>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <unistd.h>

namespace enfold {
namespace {

/// Of code generation, estimated from what networks of the zoo had resident: LLVM, and a kernel.
constexpr int64_t kCodeBytes = 24 << 20;
constexpr int64_t kKernelBytes = 512 << 10;
/// Of constants that go to a file: in the module, in the section, in the object, in the file.
constexpr int64_t kCopies = 4;

int64_t residentBytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// Not getrusage(2)'s, which counts what ran before exec(2), too.
int64_t mostResidentBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (int64_t kibibytes = 0; word == "VmHWM:" && status >> kibibytes) return kibibytes << 10;
  return residentBytes();
}

int64_t weightBytes(const Graph& graph) {
  int64_t bytes = 0;
  std::set<const std::byte*> seen; // tensors share their numbers
  for (const auto& op : graph.ops())
    for (size_t i = 0; i < op->numResults(); ++i)
      if (const Tensor* tensor = op->result(i)->constant())
        if (tensor->bytes() && seen.insert(tensor->bytes()).second)
          bytes += static_cast<int64_t>(tensor->numBytes());
  return bytes;
}

/// Constants are packed the largest first; packing makes none smaller than what it is made of, so
/// those to come were made of no more than their own size.
int64_t mostWhilePacking(const lower::Plan& plan, int64_t weights) {
  std::vector<int64_t> sizes;
  for (const lower::PlanBuffer& buffer : plan.buffers)
    if (buffer.space == lower::Space::Constant) sizes.push_back(buffer.bytes);
  std::ranges::sort(sizes, std::greater());
  int64_t written = 0, toCome = 0, most = weights;
  for (const int64_t size : sizes) toCome += size;
  for (const int64_t size : sizes) {
    written += size;
    most = std::max(most, written + std::min(weights, toCome));
    toCome -= size;
  }
  return most;
}

MemoryNeeds needsSoFar(const Graph& graph) {
  MemoryNeeds needs;
  needs.reached = mostResidentBytes();
  needs.weights = weightBytes(graph);
  const int64_t resident = residentBytes();
  // Weights that are mapped from files may not be resident yet.
  needs.process = resident > needs.weights ? resident - needs.weights : resident;
  return needs;
}

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

} // namespace

int64_t MemoryNeeds::peak() const {
  return std::max(reached,
                  process + std::max({packing, packed + code, packed + arena + scratch + tensors}));
}

std::string MemoryNeeds::str() const {
  return fmt::format("{}: the process {}, weights {}, packed constants {}, both while packing at "
                     "most {}, code generation {}, intermediate results {}, scratch {}, inputs and "
                     "outputs {}",
                     megabytes(peak()), megabytes(process), megabytes(weights), megabytes(packed),
                     megabytes(packing), megabytes(code), megabytes(arena), megabytes(scratch),
                     megabytes(tensors));
}

MemoryNeeds memoryNeeds(const Graph& graph, const lower::Plan& plan, int threads) {
  MemoryNeeds needs = needsSoFar(graph);
  needs.packed = plan.constantBytes;
  needs.packing = mostWhilePacking(plan, needs.weights);
  needs.code = kCodeBytes + kKernelBytes * std::ssize(plan.kernels);
  needs.arena = plan.arenaBytes;
  needs.scratch = plan.scratchBytes * (threads > 0 ? threads : enfold_default_threads());
  for (const auto* values : {&plan.inputs, &plan.outputs})
    for (const Value* value : *values) needs.tensors += value->type().numBytes();
  return needs;
}

MemoryNeeds nativeMemoryNeeds(const Graph& graph, const lower::Plan& plan) {
  MemoryNeeds needs = needsSoFar(graph);
  needs.packed = plan.constantBytes;
  needs.packing = mostWhilePacking(plan, needs.weights);
  needs.code = kCodeBytes + kKernelBytes * std::ssize(plan.kernels) + kCopies * needs.packed;
  return needs;
}

MemoryNeeds referenceMemoryNeeds(const Graph& graph) {
  MemoryNeeds needs = needsSoFar(graph);
  std::map<const Value*, size_t> uses; // to come, of values that exist
  int64_t live = 0;
  const auto begin = [&](const Value* value) {
    if (!value->constant() && uses.emplace(value, value->numUses()).second)
      live += value->type().numBytes();
  };
  for (const auto& input : graph.inputs()) begin(input.get());
  for (const auto& op : graph.ops()) {
    for (size_t i = 0; i < op->numResults(); ++i) begin(op->result(i));
    needs.arena = std::max(needs.arena, live);
    for (const Value* operand : op->operands())
      if (const auto it = uses.find(operand); it != uses.end() && --it->second == 0)
        live -= operand->type().numBytes();
  }
  needs.packing = needs.weights + needs.arena;
  return needs;
}

Result<> checkMemory(const MemoryNeeds& needs, const std::optional<MemoryLimit>& limit) {
  if (!limit || needs.peak() <= limit->bytes) return {};
  return failure(ErrorCode::MemoryLimit, fmt::format("over the memory limit of {} at its peak, {}",
                                                     megabytes(limit->bytes), needs.str()));
}

Result<> checkModelBytes(int64_t bytes, const std::optional<MemoryLimit>& limit) {
  if (!limit) return {};
  const int64_t process = residentBytes();
  if (process + bytes <= limit->bytes) return {};
  return failure(
      ErrorCode::MemoryLimit,
      fmt::format("over the memory limit of {}: the model's weights take {}, the process {}",
                  megabytes(limit->bytes), megabytes(bytes), megabytes(process)));
}

} // namespace enfold
