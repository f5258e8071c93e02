// Whether two tensors are the same, up to a tolerance.
#pragma once

#include "ir/Tensor.h"

namespace enfold::diagnose {

/// |a-b| <= atol * m + rtol * |b| with m = max(1, max|b|) over the tensor.
struct Tolerance {
  double rtol = 1e-4;
  double atol = 1e-5;
};

struct Comparison {
  double maxAbs = 0;      ///< largest |a-b|
  double maxRelative = 0; ///< largest |a-b| / max(|b|, tiny)
  int64_t mismatches = 0; ///< elements out of tolerance
  int64_t worst = 0;      ///< index of the element with the largest |a-b|
  double scale = 1;       ///< m
  std::string problem;    ///< types that differ; then nothing else is meaningful

  bool same() const { return problem.empty() && mismatches == 0; }
};

/// `b` is the expected answer. NaN equals NaN, and infinities of one sign are equal.
Comparison compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance = {});

} // namespace enfold::diagnose
