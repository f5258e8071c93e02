// The steps of a program with the addresses of their buffers: those in the arena and among the
// constants once and for all, those of inputs and outputs as the caller gives them.
#pragma once

#include "runtime/Memory.h"
#include "runtime/ThreadPool.h"

#include <enfold/enfold.h>

#include <cstdint>

namespace enfold::rt {

class StepTables {
public:
  /// A step that is ready to run; `threads` is how many threads it is split over.
  struct ReadyStep {
    Task task;
    int32_t threads;
    const char* check; ///< the message of a step that checks data, else null
    int64_t skip;      ///< steps behind this one that it may leave out
    void** result;     ///< the table entry where a step that checks or skips leaves its result
  };

  explicit StepTables(const enfold_program& program) : program_(program) {}

  /// Makes the tables, for an arena of the size that the program needs; false if there is no
  /// memory. Nothing else may be called before.
  [[nodiscard]] bool build(std::byte* arena);
  /// Splits steps over this many threads, but never over more than there are grains, so that no
  /// thread is woken for nothing.
  void chooseThreads(int32_t threads);
  /// Takes the addresses of all inputs and outputs; an error names the first that cannot be used.
  enfold_status bind(const void* const* inputs, void* const* outputs);

  const enfold_program& program() const { return program_; }
  size_t size() const { return steps_.size(); }
  const ReadyStep& operator[](size_t step) const { return steps_[step]; }

private:
  /// A table entry that follows the pointer of an input or output.
  struct Follower {
    void** entry;
    int64_t offset;
  };

  void countFollowers();
  int32_t tensorOf(const enfold_buffer_ref& buffer) const;
  void bindTensor(int32_t tensor, std::byte* data);
  enfold_status checkBound();
  enfold_status checkPointer(int32_t tensor) const;
  bool isInput(int32_t tensor) const { return tensor < program_.num_inputs; }
  const enfold_tensor_info& tensorInfo(int32_t tensor) const;

  const enfold_program& program_;
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
