// Where a network's time goes: how long each kernel takes, and how close it is to the machine's
// limits.
#pragma once

#include "diagnose/Json.h"
#include "diagnose/MachineLimits.h"
#include "diagnose/Samples.h"

namespace enfold::diagnose {

/// One kernel call of a network.
struct KernelProfile {
  double seconds = 0; ///< the least over the runs
  Summary times;      ///< over the runs, in seconds
  double flops = 0;   ///< arithmetic of the call; what Winograd's algorithm saves counts as done
  double bytes = 0;   ///< least memory traffic of the call
  std::string algorithm;
  std::string secondChoice; ///< the cost model's, and how far behind it is; may be empty
  std::string nodes;        ///< the ONNX nodes it computes

  double gflops() const { return seconds > 0 ? flops * 1e-9 / seconds : 0; } ///< 10^9 a second
  double gbps() const { return seconds > 0 ? bytes * 1e-9 / seconds : 0; } ///< 10^9 bytes a second
};

struct Profile {
  std::vector<KernelProfile> kernels; ///< in the order of the calls
  MachineLimits limits;               ///< of as many threads

  /// The share of the machine's limit that the kernel reaches, in percent; in caches, and with
  /// Winograd's algorithm, it can exceed 100.
  double percentOfLimit(const KernelProfile& kernel) const;
  /// "arithmetic" or "memory".
  std::string_view boundOf(const KernelProfile& kernel) const;
};

/// Calls `run`, which runs the session once, for `seconds`, and times every kernel.
Result<std::vector<KernelProfile>> profileKernels(Session& session, double seconds,
                                                  const std::function<Result<>()>& run);
/// The same, then measures the machine.
Result<Profile> profileOf(Session& session, double seconds, const std::function<Result<>()>& run);

Json toJson(const Profile& profile); ///< the kernels
Json toJson(const MachineLimits& limits);

/// One run in Chrome's trace event format, which Perfetto and chrome://tracing show: the stages of
/// compilation in one row, the kernels in another.
Json traceOf(std::span<const KernelProfile> kernels, const CompileTimes& times);

} // namespace enfold::diagnose
