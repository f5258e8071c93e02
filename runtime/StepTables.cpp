// Tables are made once for a program; a run patches the entries of inputs and outputs that moved.
#include "runtime/StepTables.h"

#include "runtime/LastError.h"

namespace enfold::rt {

bool StepTables::build(std::byte* arena) {
  const size_t tensors = size_t(program_.num_inputs) + size_t(program_.num_outputs);
  size_t entryCount = 0;
  for (int32_t i = 0; i < program_.num_steps; ++i)
    entryCount += static_cast<size_t>(program_.steps[i].num_buffers);
  if (!steps_.allocate(static_cast<size_t>(program_.num_steps)) || !entries_.allocate(entryCount) ||
      !bound_.allocate(tensors) || !firstFollower_.allocate(tensors + 1))
    return false;
  countFollowers();
  if (!followers_.allocate(static_cast<size_t>(firstFollower_[tensors]))) return false;

  Array<int64_t> filled;
  if (!filled.allocate(tensors)) return false;
  void** entry = entries_.begin();
  for (int32_t i = 0; i < program_.num_steps; ++i) {
    const enfold_step& step = program_.steps[i];
    ReadyStep& ready = steps_[size_t(i)];
    ready.task = {step.kernel, entry, step.iterations, step.grain};
    ready.check = step.check;
    ready.skip = step.skip;
    const bool hasResult = step.check != nullptr || step.skip != 0;
    ready.result = hasResult ? entry + step.num_buffers - 1 : nullptr;
    for (int32_t b = 0; b < step.num_buffers; ++b, ++entry) {
      const enfold_buffer_ref& buffer = step.buffers[b];
      if (const int32_t tensor = tensorOf(buffer); tensor >= 0) {
        const int64_t place = firstFollower_[size_t(tensor)] + filled[size_t(tensor)]++;
        followers_[size_t(place)] = {entry, buffer.offset};
      } else if (buffer.space == ENFOLD_SPACE_ARENA) {
        *entry = arena + buffer.offset;
      } else {
        // Kernels take all buffers alike; they never write constants.
        *entry = static_cast<std::byte*>(const_cast<void*>(program_.constants)) + buffer.offset;
      }
    }
  }
  return true;
}

void StepTables::countFollowers() {
  for (int32_t i = 0; i < program_.num_steps; ++i)
    for (int32_t b = 0; b < program_.steps[i].num_buffers; ++b)
      if (const int32_t tensor = tensorOf(program_.steps[i].buffers[b]); tensor >= 0)
        ++firstFollower_[size_t(tensor) + 1];
  for (size_t t = 1; t < firstFollower_.size(); ++t) firstFollower_[t] += firstFollower_[t - 1];
}

int32_t StepTables::tensorOf(const enfold_buffer_ref& buffer) const {
  if (buffer.space == ENFOLD_SPACE_INPUT) return buffer.index;
  if (buffer.space == ENFOLD_SPACE_OUTPUT) return program_.num_inputs + buffer.index;
  return -1;
}

void StepTables::chooseThreads(int32_t threads) {
  for (int32_t i = 0; i < program_.num_steps; ++i) {
    const enfold_step& step = program_.steps[i];
    const int64_t grains = step.iterations / step.grain;
    const int64_t split = grains < threads ? grains : threads;
    steps_[size_t(i)].threads = step.parallel != 0 && split > 1 ? static_cast<int32_t>(split) : 1;
  }
}

const enfold_tensor_info& StepTables::tensorInfo(int32_t tensor) const {
  return isInput(tensor) ? program_.inputs[tensor] : program_.outputs[tensor - program_.num_inputs];
}

enfold_status StepTables::bind(const void* const* inputs, void* const* outputs) {
  const int32_t count = program_.num_inputs + program_.num_outputs;
  // Kernels take all buffers alike; they never write inputs.
  const auto given = [&](int32_t tensor) {
    return static_cast<std::byte*>(isInput(tensor) ? const_cast<void*>(inputs[tensor])
                                                   : outputs[tensor - program_.num_inputs]);
  };
  bool changed = false;
  for (int32_t t = 0; t < count; ++t) changed |= bound_[size_t(t)] != given(t);
  if (!changed) return isBound_ ? ENFOLD_OK : checkBound();
  isBound_ = false; // until these pointers are found good
  for (int32_t t = 0; t < count; ++t) bindTensor(t, given(t));
  return checkBound();
}

enfold_status StepTables::checkBound() {
  for (int32_t t = 0; t < program_.num_inputs + program_.num_outputs; ++t)
    if (const enfold_status status = checkPointer(t)) return status;
  isBound_ = true;
  return ENFOLD_OK;
}

enfold_status StepTables::checkPointer(int32_t tensor) const {
  const enfold_tensor_info& info = tensorInfo(tensor);
  const char* role = isInput(tensor) ? "input" : "output";
  const auto begin = reinterpret_cast<uintptr_t>(bound_[size_t(tensor)]);
  if (info.bytes == 0) return ENFOLD_OK;
  if (begin == 0) return fail(ENFOLD_INVALID_ARGUMENT, "%s '%s' is null", role, info.name);
  if (begin % static_cast<uintptr_t>(enfold_elem_bytes(info.elem)) != 0)
    return fail(ENFOLD_INVALID_ARGUMENT, "%s '%s' is not aligned to its %d-byte elements", role,
                info.name, static_cast<int>(enfold_elem_bytes(info.elem)));
  if (isInput(tensor)) return ENFOLD_OK;
  for (int32_t other = 0; other < tensor; ++other) {
    const enfold_tensor_info& otherInfo = tensorInfo(other);
    const auto otherBegin = reinterpret_cast<uintptr_t>(bound_[size_t(other)]);
    if (begin < otherBegin + static_cast<uintptr_t>(otherInfo.bytes) &&
        otherBegin < begin + static_cast<uintptr_t>(info.bytes))
      return fail(ENFOLD_INVALID_ARGUMENT, "output '%s' overlaps '%s'", info.name, otherInfo.name);
  }
  return ENFOLD_OK;
}

void StepTables::bindTensor(int32_t tensor, std::byte* data) {
  bound_[size_t(tensor)] = data;
  const size_t begin = size_t(firstFollower_[size_t(tensor)]);
  const size_t end = size_t(firstFollower_[size_t(tensor) + 1]);
  for (size_t i = begin; i < end; ++i) *followers_[i].entry = data + followers_[i].offset;
}

} // namespace enfold::rt
