// Statistics of timing samples.
#pragma once

#include <cstddef>
#include <vector>

namespace enfold::diagnose {

struct Summary {
  double min = 0, p5 = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0, mean = 0;
  size_t samples = 0;
};

/// Quantiles by linear interpolation between order statistics. There must be a sample.
Summary summarize(std::vector<double> samples);

/// A ratio of medians with its 95% interval.
struct Ratio {
  double median = 1, low = 1, high = 1;
};

/// median(a) / median(b), with the percentile bootstrap interval (Efron and Tibshirani, "An
/// Introduction to the Bootstrap", chapter 13) over 1000 seeded resamplings.
Ratio medianRatio(const std::vector<double>& a, const std::vector<double>& b);

} // namespace enfold::diagnose
