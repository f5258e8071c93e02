// How often a tensor has which values, and the ranges that suit them.
#pragma once

#include "quantize/Scale.h"

#include <span>
#include <vector>

namespace enfold::quantize {

/// Counts of values in bins of equal width over their range. Zeros are counted apart: their code is
/// exact.
class Histogram {
public:
  explicit Histogram(const Range& range);

  void add(std::span<const float> values);

  const Range& range() const { return range_; }
  int64_t zeros() const { return zeros_; }
  int64_t total() const;
  std::span<const int64_t> bins() const { return bins_; }
  /// The middle of a bin.
  double center(size_t bin) const;

private:
  Range range_;
  double width_;
  int64_t zeros_ = 0;
  std::vector<int64_t> bins_;
};

/// The range without the lowest and the highest values, each `percent` below 100 of all.
Range percentileRange(std::span<const Histogram* const> histograms, double percent);

/// The range whose codes have the least mean squared error, of rounding within and of saturation
/// outside.
Range leastErrorRange(std::span<const Histogram* const> histograms);

} // namespace enfold::quantize
