// How well a network's kernels can share the work of many threads, predicted from the memory plan
// and the description of the processor.
#pragma once

#include "diagnose/Json.h"
#include "driver/Compiler.h"
#include "lower/Plan.h"

namespace enfold::diagnose {

/// A kernel call on some number of threads.
struct KernelOnThreads {
  int64_t used = 1;      ///< threads that get a share: never more than there are grains
  double imbalance = 1;  ///< the longest share over the mean of those used
  double efficiency = 1; ///< time on one thread over the time on all of them, summed
};

/// What keeps a kernel from sharing its work.
enum class ScalingLimit : uint8_t {
  None,
  Serial,     ///< its work is not shared
  Iterations, ///< there are fewer grains than threads, or they do not divide evenly
  Barrier,    ///< starting and joining the threads takes too long for so little work
};
std::string_view name(ScalingLimit limit);

struct KernelScaling {
  std::string algorithm, nodes;
  int64_t iterations = 0, grain = 0;
  double cycles = 0;                       ///< on one thread
  std::vector<KernelOnThreads> onThreads;  ///< for each number of threads
  ScalingLimit limit = ScalingLimit::None; ///< on the most threads, if a tenth or more is lost
};

struct Scaling {
  std::vector<int> threads;
  std::vector<KernelScaling> kernels; ///< in the order of the calls
  std::vector<double> efficiency;     ///< of the network, for each number of threads
};

/// The least time of a kernel is that of its arithmetic at the processor's peak, or of its traffic
/// through the cache that holds a thread's share of it. Joining takes longer with the logarithm of
/// the number of threads. That all cores share one memory is not considered, as its bandwidth is no
/// part of the description.
Scaling predictScaling(const lower::Plan& plan, const kir::Machine& machine,
                       std::vector<int> threads);

Json toJson(const Scaling& scaling);

} // namespace enfold::diagnose
