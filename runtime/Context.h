// One program made ready to run: its arena, its pointer tables, its threads. Everything that can be
// worked out before the first run is; a run patches the pointers of inputs and outputs that changed
// and then walks over the steps.
#pragma once

#include "runtime/Memory.h"
#include "runtime/Profiler.h"
#include "runtime/RunLimits.h"
#include "runtime/ThreadPool.h"

#include <enfold/enfold.h>

#include <cstdint>

namespace enfold::rt {

class Context {
public:
  explicit Context(const enfold_program& program) : program_(program) {}
  ~Context() { destroy(pool_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// Checks the program and prepares it; nothing else may be called unless this gave ENFOLD_OK.
  enfold_status prepare(const enfold_options& options);

  enfold_status setThreads(int32_t threads);

  /// Arrays of the program's numbers of inputs and outputs; `limits` may be null.
  enfold_status run(const void* const* inputs, void* const* outputs,
                    const enfold_run_limits* limits);

  enfold_status startProfile();
  void stopProfile() { isProfiling_ = false; }
  enfold_step_profile profile(int32_t step) const;
  enfold_thread_profile threadProfile(int32_t step, int32_t thread) const;

  const enfold_program& program() const { return program_; }
  int32_t threads() const { return pool_->threads(); }
  int64_t bytes() const { return static_cast<int64_t>(arena_.size()) + pool_->scratchBytes(); }

private:
  /// A step with its addresses; `threads` is how many threads it is split over.
  struct ReadyStep {
    Task task;
    int32_t threads;
    const char* check; ///< the message of a step that checks data, else null
    int64_t skip;      ///< steps behind this one that it may leave out
    void** result;     ///< the table entry where a step that checks or skips leaves its result
  };
  /// A table entry that follows the pointer of an input or output.
  struct Follower {
    void** entry;
    int64_t offset;
  };

  bool buildTables();
  void countFollowers();
  void chooseThreads();
  int32_t tensorOf(const enfold_buffer_ref& buffer) const;
  enfold_status bind(const void* const* inputs, void* const* outputs);
  void bindTensor(int32_t tensor, std::byte* data);
  enfold_status checkBound();
  enfold_status checkPointer(int32_t tensor) const;
  void runStep(const ReadyStep& step);
  enfold_status runSteps(const RunLimits& limits);
  /// With times, for the profile and for lines.
  enfold_status runMeasured(const RunLimits& limits);
  /// Puts what threads did of the step, which ran from `begin` to `end`, into the profile; gives
  /// the nanoseconds that all of them spent inside its kernel.
  int64_t recordShares(size_t step, int64_t runBegin, int64_t begin, int64_t end);
  /// An error if the step, which has run, checks data and found it invalid.
  static enfold_status checkResult(const ReadyStep& step);
  /// How many steps behind the step, which has run, are left out.
  static size_t skipped(const ReadyStep& step);

  bool isInput(int32_t tensor) const { return tensor < program_.num_inputs; }
  const enfold_tensor_info& tensorInfo(int32_t tensor) const;
  Denormals denormals() const {
    return options_.keep_denormals != 0 ? Denormals::Keep : Denormals::Flush;
  }

  const enfold_program& program_;
  enfold_options options_ = {};
  Memory arena_;
  ThreadPool* pool_ = nullptr;
  Profiler profiler_;
  bool isProfiling_ = false;
  bool isVerbose_ = false;

  Array<ReadyStep> steps_;
  Array<void*> entries_; ///< the steps' pointer tables, one after the other

  // Inputs and then outputs count as tensors 0, 1, ...; the followers of tensor t are those from
  // firstFollower_[t] up to firstFollower_[t + 1].
  Array<std::byte*> bound_;
  bool isBound_ = false; ///< bound_ has been checked
  Array<int64_t> firstFollower_;
  Array<Follower> followers_;
};

} // namespace enfold::rt
