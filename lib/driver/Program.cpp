// From plan to program description.
#include "driver/Program.h"

#include "ir/Verifier.h"
#include "reference/Reference.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"
#include "support/Pages.h"
#include "support/Parallel.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>

namespace enfold {
namespace {

/// Evaluates the op and copies its results to `buffers`; their types must be those compiled for.
Result<> evaluateInto(const Op& op, std::span<const Tensor* const> operands, void* const* buffers) {
  ENFOLD_TRY(const std::vector<Tensor> results, reference::evaluate(op, operands));
  for (size_t i = 0; i < op.numResults(); ++i) {
    const Type& type = op.result(i)->type();
    if (results[i].type() != type)
      return failure(ErrorCode::BadData,
                     fmt::format("its result '{}' is {} for this data, but was compiled as {}",
                                 op.result(i)->name(), results[i].type().str(), type.str()),
                     op.describe());
    if (results[i].numBytes() > 0)
      std::memcpy(buffers[i], results[i].bytes(), results[i].numBytes());
  }
  return {};
}

/// The kernel of every reference step: views the buffers as tensors. The first one holds the
/// address of the op, then come the present operands, the results and an enfold_check.
void runReference(void* const* buffers, int64_t, int64_t, void*) {
  const Op& op = **static_cast<const Op* const*>(buffers[0]);
  size_t next = 1;
  std::vector<Tensor> operands;
  std::vector<const Tensor*> pointers;
  operands.reserve(op.operands().size());
  for (const Value* value : op.operands()) {
    if (!value) {
      pointers.push_back(nullptr);
      continue;
    }
    const auto* bytes = static_cast<const std::byte*>(buffers[next++]);
    operands.emplace_back(value->elem(), value->shape(),
                          std::shared_ptr<const std::byte>(std::shared_ptr<void>(), bytes));
    pointers.push_back(&operands.back());
  }
  const auto done = catchNoMemory("computing " + op.describe(),
                                  [&] { return evaluateInto(op, pointers, buffers + next); });
  auto* check = static_cast<enfold_check*>(buffers[next + op.numResults()]);
  check->failed = !done;
  if (!done) {
    const std::string message = done.error().str().substr(0, sizeof check->message - 1);
    std::memcpy(check->message, message.c_str(), message.size() + 1);
  }
}

codegen::TensorInfo tensorInfo(const Value* value, std::string name) {
  return {std::move(name), static_cast<enfold_elem>(value->elem()), value->shape(),
          value->type().numBytes()};
}

/// Where the constants of a program are.
struct Constants {
  std::vector<int64_t> offsets; ///< of each buffer of the plan, from the start of the block
  std::vector<int64_t> slots;   ///< of each pointer
  std::span<const std::byte> block;
  std::shared_ptr<const void> owner;
};

enfold_buffer_ref address(const lower::Plan& plan, const Constants& constants,
                          const lower::BufferRef& ref) {
  const lower::PlanBuffer& buffer = plan.buffers[ref.buffer];
  constexpr enfold_space kSpaces[] = {ENFOLD_SPACE_INPUT, ENFOLD_SPACE_OUTPUT,
                                      ENFOLD_SPACE_CONSTANT, ENFOLD_SPACE_ARENA};
  const int64_t offset =
      buffer.space == lower::Space::Constant ? constants.offsets[ref.buffer] : buffer.offset;
  return {kSpaces[static_cast<size_t>(buffer.space)], static_cast<int32_t>(buffer.index),
          offset + ref.offset};
}

int64_t pieces(const lower::PlanBuffer& constant) {
  return std::max<int64_t>(constant.pack.pieces, 1);
}

/// Writes a piece of a constant over zeros.
void write(const lower::PlanBuffer& constant, int64_t piece, std::byte* to) {
  if (constant.pack.pieces > 0)
    constant.pack.write(to, piece);
  else if (constant.bytes > 0)
    std::memcpy(to, constant.data.get(), static_cast<size_t>(constant.bytes));
}

/// Releases what a constant is made from.
void release(lower::PlanBuffer& constant) {
  constant.pack = {};
  constant.data.reset();
}

/// All constants in one block, the pointers behind them. The largest are written first, while the
/// block is still empty, and no more of them at a time than needed to keep all threads busy.
Result<Constants> materialize(lower::Plan& plan, std::span<const Op* const> ops) {
  const int64_t slots = plan.constantBytes;
  const auto total = static_cast<size_t>(slots) + ops.size_bytes();
  std::shared_ptr<std::byte> block = allocatePages(std::max<size_t>(total, 1));
  if (!block) return noMemory(total, "the packed constants");
  Constants constants{.block = {block.get(), total}};
  struct Remaining {
    lower::PlanBuffer* constant;
    std::atomic<int64_t> pieces;
  };
  std::deque<Remaining> all;
  for (lower::PlanBuffer& buffer : plan.buffers) {
    constants.offsets.push_back(buffer.offset);
    if (buffer.space == lower::Space::Constant) all.emplace_back(&buffer, pieces(buffer));
  }
  std::vector<std::pair<Remaining*, int64_t>> work;
  for (Remaining& one : all)
    for (int64_t piece = 0; piece < one.pieces; ++piece) work.emplace_back(&one, piece);
  std::ranges::stable_sort(work, std::greater{},
                           [](const auto& item) { return item.first->constant->bytes; });
  forEachInParallel(work.size(), hardwareThreads(), [&](size_t i) {
    const auto [one, piece] = work[i];
    write(*one->constant, piece, block.get() + one->constant->offset);
    if (--one->pieces == 0) release(*one->constant);
  });
  for (size_t i = 0; i < ops.size(); ++i) {
    constants.slots.push_back(slots + static_cast<int64_t>(i * sizeof(void*)));
    std::memcpy(block.get() + constants.slots.back(), &ops[i], sizeof(void*));
  }
  constants.owner = std::move(block);
  return constants;
}

/// The same for packings that give the same bytes: by what is packed and how.
std::string packingKey(const lower::PlanBuffer& buffer, TensorHashes& hashes) {
  return fmt::format("{} {} {}", hashes.of(buffer.pack.source), buffer.bytes, buffer.pack.order);
}

/// Each constant and pointer in the pool.
Result<Constants> addTo(ConstantPool& pool, lower::Plan& plan, std::span<const Op* const> ops,
                        std::vector<ConstantPool::Lease>& leases) {
  Constants constants;
  const auto add = [&](const std::byte* data, int64_t bytes,
                       const std::string& key = {}) -> Result<int64_t> {
    ENFOLD_TRY(ConstantPool::Lease lease, pool.add({data, static_cast<size_t>(bytes)}, key));
    leases.push_back(std::move(lease));
    return leases.back().offset();
  };
  for (lower::PlanBuffer& buffer : plan.buffers) {
    constants.offsets.push_back(0);
    if (buffer.space != lower::Space::Constant) continue;
    if (buffer.pack.pieces == 0) {
      ENFOLD_TRY(constants.offsets.back(), add(buffer.data.get(), buffer.bytes));
      release(buffer);
      continue;
    }
    const std::string key = packingKey(buffer, pool.hashes());
    const auto packed = [&]() -> std::unique_ptr<std::byte[]> {
      std::unique_ptr<std::byte[]> bytes(new (std::nothrow)
                                             std::byte[static_cast<size_t>(buffer.bytes)]());
      for (int64_t piece = 0; bytes && piece < pieces(buffer); ++piece)
        write(buffer, piece, bytes.get());
      return bytes;
    };
    if (auto known = pool.find(key)) {
      if (const auto again = verifiesAlways() ? packed() : nullptr)
        ENFOLD_CHECK(std::memcmp(again.get(), pool.block().data() + known->offset(),
                                 static_cast<size_t>(buffer.bytes)) == 0,
                     "'" + buffer.pack.order + "' does not tell what is packed");
      constants.offsets.back() = known->offset();
      leases.push_back(*std::move(known));
      release(buffer);
      continue;
    }
    const auto bytes = packed();
    if (!bytes) return noMemory(static_cast<size_t>(buffer.bytes), "a packed constant");
    release(buffer);
    ENFOLD_TRY(constants.offsets.back(), add(bytes.get(), buffer.bytes, key));
  }
  for (const Op* const& op : ops) {
    ENFOLD_TRY(const int64_t slot, add(reinterpret_cast<const std::byte*>(&op), sizeof op));
    constants.slots.push_back(slot);
  }
  constants.block = pool.block();
  return constants;
}

} // namespace

Result<ProgramParts> makeProgram(lower::Plan& plan, ConstantPool* pool) {
  ProgramParts parts;
  codegen::ProgramDesc& desc = parts.desc;
  desc.name = plan.name;
  for (const Value* input : plan.inputs) desc.inputs.push_back(tensorInfo(input, input->name()));
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    desc.outputs.push_back(tensorInfo(plan.outputs[i], plan.outputNames[i]));
  desc.arenaBytes = plan.arenaBytes;

  // Addresses of ops run by their reference functions are constants too.
  std::vector<const Op*> ops;
  for (const lower::Call& call : plan.calls)
    if (call.reference) ops.push_back(call.reference->op);
  Constants constants;
  if (pool) {
    ENFOLD_TRY(constants, addTo(*pool, plan, ops, parts.leases));
  } else {
    ENFOLD_TRY(constants, materialize(plan, ops));
  }
  size_t references = 0;
  for (const lower::Call& call : plan.calls) {
    codegen::Step step{
        .name = call.algorithm, .origin = call.origin, .secondChoice = call.secondChoice};
    if (call.reference) {
      step.function = runReference;
      step.check = ""; // in the words of the op
      step.name = "reference " + call.reference->op->info().name;
      step.buffers.push_back({ENFOLD_SPACE_CONSTANT, 0, constants.slots[references++]});
    } else {
      step.kernel = static_cast<int>(call.kernel);
      step.parallel = plan.kernels[call.kernel].iterations > call.grain;
      step.grain = call.grain;
      step.flops = call.flops;
      step.bytes = call.bytes;
      step.multiplies = call.multiplies;
      if (!call.check.empty()) step.check = call.check;
      step.skip = call.skip;
    }
    for (const lower::BufferRef& ref : call.buffers)
      step.buffers.push_back(address(plan, constants, ref));
    desc.steps.push_back(std::move(step));
  }
  desc.kernels = std::move(plan.kernels);
  desc.constants = constants.block;
  desc.constantsOwner = std::move(constants.owner);
  return parts;
}

} // namespace enfold
