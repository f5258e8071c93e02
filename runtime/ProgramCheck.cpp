// The rules of include/enfold/program.h, one function for each structure.
#include "runtime/ProgramCheck.h"

#include "runtime/CpuFeatures.h"
#include "runtime/LastError.h"

#include <cstdint>

namespace enfold::rt {
namespace {

constexpr int64_t kAlignment = 64;

const char* orUnnamed(const char* name) { return name != nullptr ? name : "(unnamed)"; }

enfold_status checkTensor(const enfold_tensor_info& tensor, const char* role, int32_t index) {
  if (tensor.name == nullptr) return fail(ENFOLD_INVALID_PROGRAM, "%s %d has no name", role, index);
  const int64_t elementSize = enfold_elem_bytes(tensor.elem);
  if (elementSize == 0)
    return fail(ENFOLD_INVALID_PROGRAM, "%s '%s' has unknown element type %d", role, tensor.name,
                tensor.elem);
  if (tensor.rank < 0 || tensor.rank > ENFOLD_MAX_RANK)
    return fail(ENFOLD_INVALID_PROGRAM, "%s '%s' has rank %d, not 0 to %d", role, tensor.name,
                tensor.rank, ENFOLD_MAX_RANK);
  int64_t bytes = elementSize;
  for (int32_t i = 0; i < tensor.rank; ++i)
    if (tensor.dims[i] < 0 || __builtin_mul_overflow(bytes, tensor.dims[i], &bytes))
      return fail(ENFOLD_INVALID_PROGRAM, "%s '%s' has dimension %d of %lld, out of range", role,
                  tensor.name, i, static_cast<long long>(tensor.dims[i]));
  if (tensor.bytes != bytes)
    return fail(ENFOLD_INVALID_PROGRAM, "%s '%s' has %lld bytes, but its shape takes %lld", role,
                tensor.name, static_cast<long long>(tensor.bytes), static_cast<long long>(bytes));
  return ENFOLD_OK;
}

/// The bytes of the space a buffer lies in, or -1 if there is no such space.
int64_t spaceBytes(const enfold_program& program, const enfold_buffer_ref& buffer) {
  switch (buffer.space) {
  case ENFOLD_SPACE_INPUT:
    if (buffer.index < 0 || buffer.index >= program.num_inputs) return -1;
    return program.inputs[buffer.index].bytes;
  case ENFOLD_SPACE_OUTPUT:
    if (buffer.index < 0 || buffer.index >= program.num_outputs) return -1;
    return program.outputs[buffer.index].bytes;
  case ENFOLD_SPACE_ARENA:
    return program.arena_bytes;
  case ENFOLD_SPACE_CONSTANT:
    return program.constants_bytes;
  default:
    return -1;
  }
}

/// The last buffer is an int32_t in the arena, or an enfold_check if the step writes its message.
bool endsInResult(const enfold_program& program, const enfold_step& step) {
  if (step.num_buffers < 1) return false;
  const bool writesMessage = step.check != nullptr && *step.check == 0;
  const int64_t size = writesMessage ? sizeof(enfold_check) : sizeof(int32_t);
  const enfold_buffer_ref& last = step.buffers[step.num_buffers - 1];
  return last.space == ENFOLD_SPACE_ARENA && last.offset % int64_t{sizeof(int32_t)} == 0 &&
         last.offset <= program.arena_bytes - size;
}

enfold_status checkStep(const enfold_program& program, int32_t index) {
  const enfold_step& step = program.steps[index];
  const char* name = orUnnamed(step.name);
  if (step.kernel == nullptr)
    return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s' has no kernel", index, name);
  if (step.iterations < 0 || step.grain < 1)
    return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s' has %lld iterations in grains of %lld", index,
                name, static_cast<long long>(step.iterations), static_cast<long long>(step.grain));
  if (step.num_buffers < 0 || (step.num_buffers > 0 && step.buffers == nullptr))
    return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s' has %d buffers%s", index, name,
                step.num_buffers, step.num_buffers > 0 ? " but no list of them" : "");
  for (int32_t i = 0; i < step.num_buffers; ++i) {
    const enfold_buffer_ref& buffer = step.buffers[i];
    const int64_t bytes = spaceBytes(program, buffer);
    if (bytes < 0)
      return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s': buffer %d is in space %d, index %d", index,
                  name, i, buffer.space, buffer.index);
    if (buffer.offset < 0 || buffer.offset > bytes)
      return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s': buffer %d begins at %lld of %lld bytes",
                  index, name, i, static_cast<long long>(buffer.offset),
                  static_cast<long long>(bytes));
  }
  if (step.check != nullptr && !endsInResult(program, step))
    return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s' checks data, but has no result in the arena",
                index, name);
  if (step.skip < 0 || step.skip >= program.num_steps - index)
    return fail(ENFOLD_INVALID_PROGRAM, "step %d '%s' skips %lld steps of %d", index, name,
                static_cast<long long>(step.skip), program.num_steps);
  if (step.skip != 0 && (step.check != nullptr || !endsInResult(program, step)))
    return fail(ENFOLD_INVALID_PROGRAM,
                "step %d '%s' skips steps, but has no result for that alone "
                "in the arena",
                index, name);
  return ENFOLD_OK;
}

enfold_status checkSizes(const enfold_program& program) {
  if (program.num_inputs < 0 || program.num_outputs < 0 || program.num_steps < 0 ||
      program.constants_bytes < 0 || program.arena_bytes < 0 || program.scratch_bytes < 0)
    return fail(ENFOLD_INVALID_PROGRAM, "a count or size is negative");
  if ((program.num_inputs > 0 && program.inputs == nullptr) ||
      (program.num_outputs > 0 && program.outputs == nullptr) ||
      (program.num_steps > 0 && program.steps == nullptr) ||
      (program.constants_bytes > 0 && program.constants == nullptr))
    return fail(ENFOLD_INVALID_PROGRAM, "inputs, outputs, steps or constants are counted but null");
  if (reinterpret_cast<uintptr_t>(program.constants) % kAlignment != 0)
    return fail(ENFOLD_INVALID_PROGRAM, "constants are not aligned to %d bytes",
                static_cast<int>(kAlignment));
  return ENFOLD_OK;
}

} // namespace

enfold_status checkProgram(const enfold_program& program) {
  // First, because a program of another version may be laid out differently.
  if (program.version != ENFOLD_PROGRAM_VERSION)
    return fail(ENFOLD_WRONG_VERSION, "the program has version %d, this runtime runs version %d",
                program.version, ENFOLD_PROGRAM_VERSION);
  if (const enfold_status status = checkSizes(program)) return status;
  for (int32_t i = 0; i < program.num_inputs; ++i)
    if (const enfold_status status = checkTensor(program.inputs[i], "input", i)) return status;
  for (int32_t i = 0; i < program.num_outputs; ++i)
    if (const enfold_status status = checkTensor(program.outputs[i], "output", i)) return status;
  for (int32_t i = 0; i < program.num_steps; ++i)
    if (const enfold_status status = checkStep(program, i)) return status;
  if (const char* missing = firstMissingFeature(program.isa != nullptr ? program.isa : ""))
    return fail(ENFOLD_WRONG_CPU, "the program needs '%s', which this CPU lacks at '%s'",
                program.isa, missing);
  return ENFOLD_OK;
}

} // namespace enfold::rt
