// Whether two tensors are the same, up to a tolerance.
#pragma once

#include "ir/Tensor.h"

#include <map>
#include <string>

namespace enfold {
enum class Precision : uint8_t;
}

namespace enfold::diagnose {

/// |a-b| <= atol * m + rtol * |b| + rounding with m = max(1, max|b|) over the tensor.
struct Tolerance {
  double rtol = 1e-4;
  double atol = 1e-5;
  double rounding = 0; ///< what integers rounded otherwise make of it
};

/// What such a tolerance is at least for a network computed so: operands of bf16 are off by 2^-8
/// each, and these errors add up from op to op.
Tolerance atPrecision(const Tolerance& standard, Precision precision);

/// Sound computations of a quantized network may be that many of its steps apart
/// (diagnose/QuantizationSteps.h).
inline constexpr double kSoundSteps = 2;

struct Comparison {
  double maxAbs = 0;                ///< largest |a-b|
  double maxRelative = 0;           ///< largest |a-b| / max(|b|, tiny)
  int64_t mismatches = 0;           ///< elements out of tolerance
  int64_t worst = 0;                ///< index of the element with the largest |a-b|
  double scale = 1;                 ///< m
  std::map<int64_t, int64_t> steps; ///< of integers: how many elements differ, by how much
  std::string problem;              ///< types that differ; then nothing else is meaningful

  bool same() const { return problem.empty() && mismatches == 0; }
  /// "of 1000 elements 3 differ by 1, 1 by 2"; empty for floats, and where none differs.
  std::string stepsText(int64_t elements) const;
};

/// `b` is the expected answer. NaN equals NaN, and infinities of one sign are equal.
Comparison compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance = {});

} // namespace enfold::diagnose
