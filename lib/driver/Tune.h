// Chooses the algorithms of convolutions by measurement instead of by the cost model.
#pragma once

#include "driver/Executable.h"

#include <functional>

namespace enfold {

/// What tuning found, over all convolutions that can be computed in several ways.
struct TuneReport {
  int64_t convolutions = 0;
  int64_t changed = 0;         ///< that are faster another way than the cost model's
  double estimatedSeconds = 0; ///< of their kernels in one run, the cost model's way
  double tunedSeconds = 0;     ///< the way found
  std::string str() const;
};

struct TuneOptions {
  int threads = 0; ///< that will run the network; 0: as many as the process may use
  std::optional<MemoryLimit> memory = {};
  std::function<void(int round, int rounds)> progress = {};
  std::function<void(const TuneReport&)> done = {};
};

/// Sets the attribute `algorithm` of the convolutions of `graph`, which has been through the
/// passes. The whole network runs with each way of all its convolutions in turn, so that a kernel
/// is measured with the caches as it will find them. Convolutions with equal kernels are one case.
/// The target must be this machine's.
Result<> tuneAlgorithms(Graph& graph, const codegen::Target& target, const TuneOptions& options);

} // namespace enfold
