// The most that this machine can do: multiply-adds from registers, and reads from memory. These are
// the two limits of the roofline model (Williams, Waterman and Patterson, "Roofline: an insightful
// visual performance model", CACM 52(4), 2009).
#pragma once

#include "codegen/TargetInfo.h"

#include <algorithm>

namespace enfold::diagnose {

struct MachineLimits {
  double gflops = 0; ///< f32 multiplications and additions, 10^9 a second
  double gbps = 0;   ///< bytes read, 10^9 a second

  /// The least time for so much arithmetic and traffic, in seconds.
  double seconds(double flops, double bytes) const {
    return std::max(flops / gflops, bytes / gbps) * 1e-9;
  }
  bool boundByArithmetic(double flops, double bytes) const {
    return flops / gflops >= bytes / gbps;
  }
};

/// Measures both with `threads` threads, in about a quarter of a second.
Result<MachineLimits> measureLimits(const codegen::Target& target, int threads);

} // namespace enfold::diagnose
