// One program made ready to run: its arena, its tables of steps, its threads. Everything that can
// be worked out before the first run is; a run patches the pointers of inputs and outputs that
// changed and then walks over the steps.
#pragma once

#include "runtime/Memory.h"
#include "runtime/Profiler.h"
#include "runtime/RunLimits.h"
#include "runtime/StepTables.h"
#include "runtime/ThreadPool.h"

#include <enfold/enfold.h>

#include <cstdint>

namespace enfold::rt {

class Context {
public:
  Context() = default;
  ~Context() {
    destroy(pool_);
    destroy(tables_);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Checks the program and prepares it; nothing else may be called unless this gave ENFOLD_OK.
  enfold_status prepare(const enfold_program& program, const enfold_options& options);
  /// Replaces the program; on failure the old one stays. Memory grows, and is never given back.
  enfold_status setProgram(const enfold_program& program);
  enfold_status setThreads(int32_t threads);

  /// Arrays of the program's numbers of inputs and outputs; `limits` may be null.
  enfold_status run(const void* const* inputs, void* const* outputs,
                    const enfold_run_limits* limits);

  enfold_status startProfile();
  void stopProfile() { isProfiling_ = false; }
  enfold_step_profile profile(int32_t step) const;
  enfold_thread_profile threadProfile(int32_t step, int32_t thread) const;

  const enfold_program& program() const { return tables_->program(); }
  int32_t threads() const { return pool_->threads(); }
  int64_t bytes() const { return static_cast<int64_t>(arena_.size()) + pool_->scratchBytes(); }

private:
  void runStep(const StepTables::ReadyStep& step);
  enfold_status runSteps(const RunLimits& limits);
  /// With times, for the profile and for lines.
  enfold_status runMeasured(const RunLimits& limits);
  /// Puts what threads did of the step, which ran from `begin` to `end`, into the profile; gives
  /// the nanoseconds that all of them spent inside its kernel.
  int64_t recordShares(size_t step, int64_t runBegin, int64_t begin, int64_t end);
  /// An error if the step, which has run, checks data and found it invalid.
  static enfold_status checkResult(const StepTables::ReadyStep& step);
  /// How many steps behind the step, which has run, are left out.
  static size_t skipped(const StepTables::ReadyStep& step);

  Denormals denormals() const {
    return options_.keep_denormals != 0 ? Denormals::Keep : Denormals::Flush;
  }

  enfold_options options_ = {};
  Memory arena_;
  StepTables* tables_ = nullptr;
  ThreadPool* pool_ = nullptr;
  Profiler profiler_;
  bool isProfiling_ = false;
  bool isVerbose_ = false;
};

} // namespace enfold::rt
