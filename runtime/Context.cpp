// Preparing and running. See the header for the plan.
#include "runtime/Context.h"

#include "runtime/Clock.h"
#include "runtime/CpuBudget.h"
#include "runtime/LastError.h"
#include "runtime/ProgramCheck.h"
#include "runtime/Verbose.h"

#include <cstdint>
#include <cstdlib>

namespace enfold::rt {
namespace {

constexpr int64_t kDefaultSpinMicroseconds = 100;

int64_t spinNanoseconds(int32_t microseconds) {
  if (microseconds < 0) return 0;
  return (microseconds == 0 ? kDefaultSpinMicroseconds : int64_t{microseconds}) * 1000;
}

} // namespace

// ---- Preparing ----------------------------------------------------------------------------------

enfold_status Context::prepare(const enfold_options& options) {
  if (const enfold_status status = checkProgram(program_)) return status;
  options_ = options;
  const int32_t lines = wantsLines();
  if (lines < 0)
    return fail(ENFOLD_INVALID_ARGUMENT, "ENFOLD_VERBOSE=%s: it is 0 or 1",
                getenv("ENFOLD_VERBOSE"));
  isVerbose_ = lines == 1;
  if (!arena_.allocate(static_cast<size_t>(program_.arena_bytes)))
    return fail(ENFOLD_NO_MEMORY, "no memory for an arena of %lld bytes",
                static_cast<long long>(program_.arena_bytes));
  if (!buildTables() || !profiler_.prepare(steps_.size()))
    return fail(ENFOLD_NO_MEMORY, "no memory for the tables of %d steps", program_.num_steps);
  return setThreads(options.threads);
}

enfold_status Context::setThreads(int32_t threads) {
  if (threads < 0 || threads > ENFOLD_MAX_THREADS)
    return fail(ENFOLD_INVALID_ARGUMENT, "%d threads: not 1 to %d, nor 0 for the default", threads,
                ENFOLD_MAX_THREADS);
  if (threads == 0) threads = defaultThreads();
  if (pool_ != nullptr && threads == pool_->threads()) return ENFOLD_OK;
  const int32_t pinning = wantsPinning();
  if (pinning < 0)
    return fail(ENFOLD_INVALID_ARGUMENT, "ENFOLD_PIN=%s: it is 0 or 1", getenv("ENFOLD_PIN"));
  ThreadPool::Options wanted;
  wanted.threads = threads;
  wanted.spinNanoseconds = spinNanoseconds(options_.spin_us);
  wanted.denormals = denormals();
  wanted.pinned = pinning == 1;
  wanted.scratchBytes = static_cast<size_t>(program_.scratch_bytes);
  ThreadPool* pool = create<ThreadPool>();
  const enfold_status status = pool != nullptr ? pool->start(wanted) : ENFOLD_NO_MEMORY;
  if (status != ENFOLD_OK) destroy(pool);
  if (status == ENFOLD_NO_MEMORY)
    return fail(status, "no memory for %d times %lld bytes of scratch", threads,
                static_cast<long long>(program_.scratch_bytes));
  if (status == ENFOLD_NO_THREADS)
    return fail(status, "the system cannot start %d threads", threads);
  if (isProfiling_ && !profiler_.prepareThreads(static_cast<size_t>(threads))) {
    isProfiling_ = false; // there is no room for the old threads either
    destroy(pool);
    return fail(ENFOLD_NO_MEMORY, "no memory for a profile of %d threads", threads);
  }
  destroy(pool_);
  pool_ = pool;
  chooseThreads();
  return ENFOLD_OK;
}

/// Never more threads than there are grains, so that no thread is woken for nothing.
void Context::chooseThreads() {
  for (int32_t i = 0; i < program_.num_steps; ++i) {
    const enfold_step& step = program_.steps[i];
    const int64_t grains = step.iterations / step.grain;
    const int64_t split = grains < threads() ? grains : threads();
    steps_[size_t(i)].threads = step.parallel != 0 && split > 1 ? static_cast<int32_t>(split) : 1;
  }
}

int32_t Context::tensorOf(const enfold_buffer_ref& buffer) const {
  if (buffer.space == ENFOLD_SPACE_INPUT) return buffer.index;
  if (buffer.space == ENFOLD_SPACE_OUTPUT) return program_.num_inputs + buffer.index;
  return -1;
}

bool Context::buildTables() {
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
        *entry = arena_.data() + buffer.offset;
      } else {
        // Kernels take all buffers alike; they never write constants.
        *entry = static_cast<std::byte*>(const_cast<void*>(program_.constants)) + buffer.offset;
      }
    }
  }
  return true;
}

void Context::countFollowers() {
  for (int32_t i = 0; i < program_.num_steps; ++i)
    for (int32_t b = 0; b < program_.steps[i].num_buffers; ++b)
      if (const int32_t tensor = tensorOf(program_.steps[i].buffers[b]); tensor >= 0)
        ++firstFollower_[size_t(tensor) + 1];
  for (size_t t = 1; t < firstFollower_.size(); ++t) firstFollower_[t] += firstFollower_[t - 1];
}

// ---- Running ------------------------------------------------------------------------------------

enfold_status Context::run(const void* const* inputs, void* const* outputs,
                           const enfold_run_limits* limits) {
  if (const enfold_status status = bind(inputs, outputs)) return status;
  const RunLimits within(limits);
  const FloatMode mode(denormals());
  return isProfiling_ || isVerbose_ ? runMeasured(within) : runSteps(within);
}

enfold_status Context::runSteps(const RunLimits& limits) {
  for (size_t i = 0; i < steps_.size(); ++i) {
    if (const enfold_status status = limits.check(program_.steps[i])) return status;
    runStep(steps_[i]);
    if (const enfold_status status = checkResult(steps_[i])) return status;
    i += skipped(steps_[i]);
  }
  return ENFOLD_OK;
}

size_t Context::skipped(const ReadyStep& step) {
  if (step.skip == 0 || *static_cast<const int32_t*>(*step.result) == 0) return 0;
  return static_cast<size_t>(step.skip);
}

enfold_status Context::checkResult(const ReadyStep& step) {
  if (step.check == nullptr || *static_cast<const int32_t*>(*step.result) == 0) return ENFOLD_OK;
  const char* message =
      *step.check != 0 ? step.check : static_cast<const enfold_check*>(*step.result)->message;
  return fail(ENFOLD_INVALID_DATA, "%s", message);
}

void Context::runStep(const ReadyStep& step) {
  const Task& task = step.task;
  if (step.threads > 1)
    pool_->run(task, step.threads);
  else if (task.iterations > 0)
    task.kernel(task.buffers, 0, task.iterations, pool_->scratch(0));
}

enfold_status Context::startProfile() {
  if (!profiler_.prepareThreads(static_cast<size_t>(threads())))
    return fail(ENFOLD_NO_MEMORY, "no memory for a profile of %d threads", threads());
  profiler_.reset();
  isProfiling_ = true;
  return ENFOLD_OK;
}

int64_t Context::recordShares(size_t step, int64_t runBegin, int64_t begin, int64_t end) {
  if (steps_[step].threads == 1) {
    profiler_.share(step, 0) = {begin - runBegin, end - runBegin, end - begin};
    return end - begin;
  }
  int64_t busy = 0;
  for (int32_t thread = 0; thread < threads(); ++thread) {
    const ThreadPool::Work work = pool_->workOf(thread);
    if (work.end == 0) continue;
    profiler_.share(step, static_cast<size_t>(thread)) = {work.begin - runBegin,
                                                          work.end - runBegin, work.busy};
    busy += work.busy;
  }
  return busy;
}

enfold_status Context::runMeasured(const RunLimits& limits) {
  pool_->measure(isProfiling_);
  profiler_.beginRun();
  if (isVerbose_) printRun(program_, threads());
  enfold_status status = ENFOLD_OK;
  const int64_t begin = nanoseconds();
  int64_t before = begin;
  for (size_t i = 0; i < steps_.size() && status == ENFOLD_OK; ++i) {
    status = limits.check(program_.steps[i]);
    if (status != ENFOLD_OK) break;
    runStep(steps_[i]);
    status = checkResult(steps_[i]);
    const int64_t after = nanoseconds();
    if (isProfiling_) profiler_.add(i, after - before, recordShares(i, begin, before, after));
    if (isVerbose_) printStep(program_.steps[i], steps_[i].threads, after - before);
    before = isVerbose_ ? nanoseconds() : after;
    i += skipped(steps_[i]);
  }
  pool_->measure(false);
  return status;
}

enfold_step_profile Context::profile(int32_t index) const {
  const enfold_step& step = program_.steps[index];
  const Profiler::Times& times = profiler_.times(static_cast<size_t>(index));
  const double second = 1e9;
  return {step.name != nullptr ? step.name : "",
          step.origin != nullptr ? step.origin : "",
          step.flops,
          step.bytes,
          times.runs,
          double(times.total) / second,
          double(times.least) / second,
          double(times.busy) / second};
}

enfold_thread_profile Context::threadProfile(int32_t step, int32_t thread) const {
  const Profiler::Share share =
      profiler_.shareOr(static_cast<size_t>(step), static_cast<size_t>(thread));
  const double second = 1e9;
  return {double(share.begin) / second, double(share.end) / second, double(share.busy) / second};
}

// ---- Inputs and outputs -------------------------------------------------------------------------

const enfold_tensor_info& Context::tensorInfo(int32_t tensor) const {
  return isInput(tensor) ? program_.inputs[tensor] : program_.outputs[tensor - program_.num_inputs];
}

enfold_status Context::bind(const void* const* inputs, void* const* outputs) {
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

enfold_status Context::checkBound() {
  for (int32_t t = 0; t < program_.num_inputs + program_.num_outputs; ++t)
    if (const enfold_status status = checkPointer(t)) return status;
  isBound_ = true;
  return ENFOLD_OK;
}

enfold_status Context::checkPointer(int32_t tensor) const {
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

void Context::bindTensor(int32_t tensor, std::byte* data) {
  bound_[size_t(tensor)] = data;
  const size_t begin = size_t(firstFollower_[size_t(tensor)]);
  const size_t end = size_t(firstFollower_[size_t(tensor) + 1]);
  for (size_t i = begin; i < end; ++i) *followers_[i].entry = data + followers_[i].offset;
}

} // namespace enfold::rt
