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

enfold_status failScratch(int32_t threads, int64_t bytes) {
  return fail(ENFOLD_NO_MEMORY, "no memory for %d times %lld bytes of scratch", threads,
              static_cast<long long>(bytes));
}

} // namespace

// ---- Preparing ----------------------------------------------------------------------------------

enfold_status Context::prepare(const enfold_program& program, const enfold_options& options) {
  options_ = options;
  const int32_t lines = wantsLines();
  if (lines < 0)
    return fail(ENFOLD_INVALID_ARGUMENT, "ENFOLD_VERBOSE=%s: it is 0 or 1",
                getenv("ENFOLD_VERBOSE"));
  isVerbose_ = lines == 1;
  if (const enfold_status status = setProgram(program)) return status;
  return setThreads(options.threads);
}

// Nothing is changed before everything that may fail has been done.
enfold_status Context::setProgram(const enfold_program& program) {
  if (const enfold_status status = checkProgram(program)) return status;
  Memory arena;
  const bool grows = static_cast<size_t>(program.arena_bytes) > arena_.size();
  if (grows && !arena.allocate(static_cast<size_t>(program.arena_bytes)))
    return fail(ENFOLD_NO_MEMORY, "no memory for an arena of %lld bytes",
                static_cast<long long>(program.arena_bytes));
  auto* tables = create<StepTables>(program);
  Profiler profiler;
  enfold_status status = ENFOLD_OK;
  if (tables == nullptr || !tables->build(grows ? arena.data() : arena_.data()) ||
      !profiler.prepare(tables->size()))
    status = fail(ENFOLD_NO_MEMORY, "no memory for the tables of %d steps", program.num_steps);
  else if (pool_ != nullptr && !pool_->reserveScratch(static_cast<size_t>(program.scratch_bytes)))
    status = failScratch(threads(), program.scratch_bytes);
  if (status != ENFOLD_OK) {
    destroy(tables);
    return status;
  }
  if (grows) arena_.swap(arena);
  profiler_.swap(profiler);
  isProfiling_ = false;
  destroy(tables_);
  tables_ = tables;
  if (pool_ != nullptr) tables_->chooseThreads(threads());
  return ENFOLD_OK;
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
  const size_t scratch = static_cast<size_t>(program().scratch_bytes);
  const size_t reserved = pool_ != nullptr ? pool_->scratchStride() : 0;
  wanted.scratchBytes = scratch > reserved ? scratch : reserved;
  ThreadPool* pool = create<ThreadPool>();
  const enfold_status status = pool != nullptr ? pool->start(wanted) : ENFOLD_NO_MEMORY;
  if (status != ENFOLD_OK) destroy(pool);
  if (status == ENFOLD_NO_MEMORY)
    return failScratch(threads, static_cast<int64_t>(wanted.scratchBytes));
  if (status == ENFOLD_NO_THREADS)
    return fail(status, "the system cannot start %d threads", threads);
  if (isProfiling_ && !profiler_.prepareThreads(static_cast<size_t>(threads))) {
    isProfiling_ = false; // there is no room for the old threads either
    destroy(pool);
    return fail(ENFOLD_NO_MEMORY, "no memory for a profile of %d threads", threads);
  }
  destroy(pool_);
  pool_ = pool;
  tables_->chooseThreads(threads);
  return ENFOLD_OK;
}

// ---- Running ------------------------------------------------------------------------------------

enfold_status Context::run(const void* const* inputs, void* const* outputs,
                           const enfold_run_limits* limits) {
  if (const enfold_status status = tables_->bind(inputs, outputs)) return status;
  const RunLimits within(limits);
  const FloatMode mode(denormals());
  return isProfiling_ || isVerbose_ ? runMeasured(within) : runSteps(within);
}

enfold_status Context::runSteps(const RunLimits& limits) {
  const StepTables& steps = *tables_;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (const enfold_status status = limits.check(program().steps[i])) return status;
    runStep(steps[i]);
    if (const enfold_status status = checkResult(steps[i])) return status;
    i += skipped(steps[i]);
  }
  return ENFOLD_OK;
}

size_t Context::skipped(const StepTables::ReadyStep& step) {
  if (step.skip == 0 || *static_cast<const int32_t*>(*step.result) == 0) return 0;
  return static_cast<size_t>(step.skip);
}

enfold_status Context::checkResult(const StepTables::ReadyStep& step) {
  if (step.check == nullptr || *static_cast<const int32_t*>(*step.result) == 0) return ENFOLD_OK;
  const char* message =
      *step.check != 0 ? step.check : static_cast<const enfold_check*>(*step.result)->message;
  return fail(ENFOLD_INVALID_DATA, "%s", message);
}

void Context::runStep(const StepTables::ReadyStep& step) {
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
  if ((*tables_)[step].threads == 1) {
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
  const StepTables& steps = *tables_;
  pool_->measure(isProfiling_);
  profiler_.beginRun();
  if (isVerbose_) printRun(program(), threads());
  enfold_status status = ENFOLD_OK;
  const int64_t begin = nanoseconds();
  int64_t before = begin;
  for (size_t i = 0; i < steps.size() && status == ENFOLD_OK; ++i) {
    status = limits.check(program().steps[i]);
    if (status != ENFOLD_OK) break;
    runStep(steps[i]);
    status = checkResult(steps[i]);
    const int64_t after = nanoseconds();
    if (isProfiling_) profiler_.add(i, after - before, recordShares(i, begin, before, after));
    if (isVerbose_) printStep(program().steps[i], steps[i].threads, after - before);
    before = isVerbose_ ? nanoseconds() : after;
    i += skipped(steps[i]);
  }
  pool_->measure(false);
  return status;
}

enfold_step_profile Context::profile(int32_t index) const {
  const enfold_step& step = program().steps[index];
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

} // namespace enfold::rt
