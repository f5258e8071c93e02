// From plan to program description.
#include "driver/Program.h"

#include "reference/Reference.h"

#include <cstdlib>
#include <cstring>

namespace enfold {
namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The kernel of every reference step: views the buffers as tensors and copies the results back.
void runReference(void* const* buffers, int64_t, int64_t, void*) {
  auto* step = *static_cast<ReferenceStep* const*>(buffers[0]);
  const Op& op = *step->op;
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
  const auto results = reference::evaluate(op, pointers);
  for (size_t i = 0; i < op.numResults(); ++i) {
    const auto bytes = static_cast<size_t>(op.result(i)->type().numBytes());
    if (results && (*results)[i].shape() == op.result(i)->shape())
      std::memcpy(buffers[next++], (*results)[i].bytes(), bytes);
    else
      std::memset(buffers[next++], 0, bytes);
  }
  if (!results && !step->failed->exchange(true)) step->error = results.error().str();
}

codegen::TensorInfo tensorInfo(const Value* value, std::string name) {
  return {std::move(name), static_cast<enfold_elem>(value->elem()), value->shape(),
          value->type().numBytes()};
}

enfold_buffer_ref address(const lower::Plan& plan, const lower::BufferRef& ref) {
  const lower::PlanBuffer& buffer = plan.buffers[ref.buffer];
  constexpr enfold_space kSpaces[] = {ENFOLD_SPACE_INPUT, ENFOLD_SPACE_OUTPUT,
                                      ENFOLD_SPACE_CONSTANT, ENFOLD_SPACE_ARENA};
  return {kSpaces[static_cast<size_t>(buffer.space)], static_cast<int32_t>(buffer.index),
          buffer.offset + ref.offset};
}

/// All constants in one block, with `extra` bytes behind them.
std::shared_ptr<std::byte> layDown(const lower::Plan& plan, int64_t extra) {
  const auto bytes = static_cast<size_t>(aligned(plan.constantBytes + extra) + kAlignment);
  std::shared_ptr<std::byte> block(static_cast<std::byte*>(std::aligned_alloc(kAlignment, bytes)),
                                   [](std::byte* p) { std::free(p); });
  ENFOLD_CHECK(block != nullptr, "out of memory");
  for (const lower::PlanBuffer& buffer : plan.buffers)
    if (buffer.space == lower::Space::Constant && buffer.bytes > 0)
      std::memcpy(block.get() + buffer.offset, buffer.data.get(),
                  static_cast<size_t>(buffer.bytes));
  return block;
}

} // namespace

ProgramParts makeProgram(const lower::Plan& plan) {
  ProgramParts parts;
  codegen::ProgramDesc& desc = parts.desc;
  desc.name = plan.name;
  for (const Value* input : plan.inputs) desc.inputs.push_back(tensorInfo(input, input->name()));
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    desc.outputs.push_back(tensorInfo(plan.outputs[i], plan.outputNames[i]));
  desc.kernels = plan.kernels;
  desc.arenaBytes = plan.arenaBytes;

  // Addresses of reference steps are constants too: one slot each behind the others.
  const auto references = static_cast<int64_t>(plan.referenceOps().size());
  const int64_t slots = aligned(plan.constantBytes);
  const int64_t total = slots + references * static_cast<int64_t>(sizeof(void*));
  std::shared_ptr<std::byte> constants = layDown(plan, total - plan.constantBytes);
  for (const lower::Call& call : plan.calls) {
    codegen::Step step{.name = call.algorithm, .origin = call.origin};
    if (call.reference) {
      parts.references.push_back(std::make_unique<ReferenceStep>(
          ReferenceStep{call.reference->op, parts.failed.get(), {}}));
      const int64_t slot =
          slots + static_cast<int64_t>((parts.references.size() - 1) * sizeof(void*));
      ReferenceStep* pointer = parts.references.back().get();
      std::memcpy(constants.get() + slot, &pointer, sizeof pointer);
      step.function = runReference;
      step.name = "reference " + call.reference->op->info().name;
      step.buffers.push_back({ENFOLD_SPACE_CONSTANT, 0, slot});
    } else {
      step.kernel = static_cast<int>(call.kernel);
      step.parallel = plan.kernels[call.kernel].iterations > call.grain;
      step.grain = call.grain;
      step.flops = call.flops;
      step.bytes = call.bytes;
      step.fault = call.fault;
    }
    for (const lower::BufferRef& ref : call.buffers) step.buffers.push_back(address(plan, ref));
    desc.steps.push_back(std::move(step));
  }
  desc.constants = {constants.get(), static_cast<size_t>(total)};
  desc.constantsOwner = std::move(constants);
  return parts;
}

} // namespace enfold
