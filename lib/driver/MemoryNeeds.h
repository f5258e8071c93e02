// How much memory a program will take, told when it has been lowered and before its constants are
// packed: for limits, and for whoever chooses a machine.
#pragma once

#include "support/Result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace enfold {

class Graph;

namespace lower {
struct Plan;
} // namespace lower

/// How much of its process a program may make resident, and the threads that will run it.
struct MemoryLimit {
  int64_t bytes;
  int threads = 0; ///< 0: as many as the process may use
};

/// All in bytes.
struct MemoryNeeds {
  int64_t reached = 0; ///< the most that was resident so far
  int64_t process = 0; ///< resident now, beside the weights
  int64_t weights = 0; ///< as the passes left them; let go one by one while they are packed
  int64_t packed = 0;  ///< constants as kernels read them
  int64_t packing = 0; ///< weights and packed constants at the most together
  int64_t code = 0;    ///< for generating code: an estimate
  int64_t arena = 0;   ///< intermediate results
  int64_t scratch = 0; ///< of all threads
  int64_t tensors = 0; ///< inputs and outputs

  int64_t peak() const;
  /// "1015.2 MB: the process 62.0 MB, weights 553.5 MB, …".
  std::string str() const;
};

/// Of a program in memory.
MemoryNeeds memoryNeeds(const Graph& graph, const lower::Plan& plan, int threads);
/// Of a file of native code, which is written and not run.
MemoryNeeds nativeMemoryNeeds(const Graph& graph, const lower::Plan& plan);
/// Of the reference functions, which hold every value from its op to its last user.
MemoryNeeds referenceMemoryNeeds(const Graph& graph);

/// An error of kind NoMemory with the figures where the peak is over the limit.
Result<> checkMemory(const MemoryNeeds& needs, const std::optional<MemoryLimit>& limit);

/// The same before a model is read of which only the size of its files is known.
Result<> checkModelBytes(int64_t bytes, const std::optional<MemoryLimit>& limit);

} // namespace enfold
