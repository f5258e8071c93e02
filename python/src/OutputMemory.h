// Memory of large outputs, kept for later runs. The system gives large arrays fresh pages, and
// takes as long to clear them as a network of few products takes to run.
#pragma once

#include "Network.h"

#include <cstdint>

namespace enfold::python {

/// Guarded by the interpreter's lock.
class OutputMemory {
public:
  /// Outputs of fewer bytes are not worth keeping: the C library keeps such memory itself.
  static constexpr size_t kLarge = 128 * 1024;

  /// Marks the beginning of a run. Memory that no run has used for a while is let go.
  void beginRun();

  /// A bytes-like object of at least so many bytes, which no array uses.
  nb::object take(size_t bytes);

private:
  /// Whoever views the memory refers to the object, so only we refer to one that is free.
  struct Block {
    nb::object object;
    size_t bytes;
    int64_t lastRun;
  };
  std::vector<Block> blocks_;
  int64_t run_ = 0;
};

} // namespace enfold::python
