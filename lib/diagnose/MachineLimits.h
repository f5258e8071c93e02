// The most that this machine can do: multiply-adds, by the type of the numbers, and reads from
// memory. These are the two limits of the roofline model (Williams, Waterman and Patterson,
// "Roofline: an insightful visual performance model", CACM 52(4), 2009).
#pragma once

#include "codegen/TargetInfo.h"

#include <algorithm>
#include <map>
#include <set>

namespace enfold::diagnose {

/// What a kernel does at the least.
struct Work {
  double flops = 0;                          ///< multiplications and additions
  double bytes = 0;                          ///< from memory and to it
  kir::Scalar multiplies = kir::Scalar::F32; ///< what the products are of: lower::Call
};

struct MachineLimits {
  double gbps = 0; ///< bytes read, 10^9 a second
  /// Multiplications and additions, 10^9 a second, by the numbers multiplied. F32 is always there.
  std::map<kir::Scalar, double> peaks;

  double gflops() const { return peakOf(kir::Scalar::F32); }
  /// The peak of numbers that was not measured is that of F32.
  double peakOf(kir::Scalar multiplies) const {
    const auto peak = peaks.find(multiplies);
    return peak == peaks.end() ? peaks.at(kir::Scalar::F32) : peak->second;
  }
  /// The least time for the work, in seconds.
  double seconds(const Work& work) const {
    return std::max(work.flops / peakOf(work.multiplies), work.bytes / gbps) * 1e-9;
  }
  bool boundByArithmetic(const Work& work) const {
    return work.flops / peakOf(work.multiplies) >= work.bytes / gbps;
  }
};

/// Measures memory and arithmetic with `threads` threads, in about a quarter of a second.
Result<MachineLimits> measureLimits(const codegen::Target& target, int threads,
                                    const std::set<kir::Scalar>& multiplied = {});

} // namespace enfold::diagnose
