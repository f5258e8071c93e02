// Choosing among the blocks that are free.
#include "OutputMemory.h"

#include "Arrays.h"

namespace enfold::python {
namespace {

/// Runs after which a block that none of them used is let go: other runs may be under way, and
/// callers often hold the results of one run until the next has ended.
constexpr int64_t kRuns = 4;

bool isFree(const nb::object& block) { return Py_REFCNT(block.ptr()) == 1; }

} // namespace

void OutputMemory::beginRun() {
  ++run_;
  std::erase_if(blocks_, [&](const Block& block) {
    return block.lastRun + kRuns < run_ && isFree(block.object);
  });
}

nb::object OutputMemory::take(size_t bytes) {
  Block* best = nullptr;
  for (Block& block : blocks_) {
    const bool fits = block.bytes >= bytes && block.bytes / 2 <= bytes;
    if (fits && isFree(block.object) && (!best || block.bytes < best->bytes)) best = &block;
  }
  if (!best) best = &blocks_.emplace_back(makeBlock(bytes), bytes, 0);
  best->lastRun = run_;
  return best->object;
}

} // namespace enfold::python
