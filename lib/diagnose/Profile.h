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
  Work work;          ///< of the call; what Winograd's algorithm saves counts as done
  std::string algorithm;
  std::string secondChoice; ///< the cost model's, and how far behind it is; may be empty
  std::string nodes;        ///< the ONNX nodes it computes

  /// 10^9 operations a second.
  double gflops() const { return seconds > 0 ? work.flops * 1e-9 / seconds : 0; }
  /// 10^9 bytes a second.
  double gbps() const { return seconds > 0 ? work.bytes * 1e-9 / seconds : 0; }
};

/// When each thread worked on each kernel, in one run.
struct Timeline {
  /// From a thread's first piece of a kernel to its last, in seconds since the run began.
  struct Span {
    size_t kernel = 0;
    int thread = 0; ///< 0: the caller's
    double begin = 0, end = 0;
    double busy = 0; ///< inside the kernel, between the two
  };
  int threads = 0;
  double seconds = 0;      ///< of the run
  std::vector<Span> spans; ///< in the order of the kernels
};

struct Profile {
  std::vector<KernelProfile> kernels; ///< in the order of the calls
  Timeline timeline;                  ///< of the fastest run
  MachineLimits limits;               ///< of as many threads

  /// The share of the machine's limit that the kernel reaches, in percent; in caches, and with
  /// Winograd's algorithm, it can exceed 100.
  double percentOfLimit(const KernelProfile& kernel) const;
  /// "arithmetic" or "memory".
  std::string_view boundOf(const KernelProfile& kernel) const;
};

/// Calls `run`, which runs the session once, for `seconds`, and times every kernel. The limits are
/// left open.
Result<Profile> profileKernels(Session& session, double seconds,
                               const std::function<Result<>()>& run);
/// The same, then measures the machine.
Result<Profile> profileOf(Session& session, double seconds, const std::function<Result<>()>& run);

Json toJson(const Profile& profile); ///< the kernels
Json toJson(const Timeline& timeline);
Json toJson(const MachineLimits& limits);

/// One run in Chrome's trace event format, which Perfetto and chrome://tracing show: the stages of
/// compilation in one row, the kernels in a row for each thread.
Json traceOf(const Profile& profile, const CompileTimes& times);

} // namespace enfold::diagnose
