// Histograms and the choice of a range from them.
#include "quantize/Histogram.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace enfold::quantize {
namespace {

constexpr size_t kBins = 4096;

Range unionOf(std::span<const Histogram* const> histograms) {
  Range range;
  for (const Histogram* histogram : histograms) range.include(histogram->range());
  return range;
}

/// Sums over the bins up to each: of counts, of counts times values, and times their squares.
class Tails {
public:
  explicit Tails(const Histogram& histogram) : histogram_(&histogram) {
    sums_.resize(histogram.bins().size() + 1);
    for (size_t i = 0; i < histogram.bins().size(); ++i) {
      const auto count = static_cast<double>(histogram.bins()[i]);
      const double x = histogram.center(i);
      sums_[i + 1] = {sums_[i][0] + count, sums_[i][1] + count * x, sums_[i][2] + count * x * x};
    }
  }

  /// Squared error of the values, if those outside of the range go to its ends.
  double error(const Range& range) const {
    const size_t below = binsBelow(range.low), upTo = binsBelow(range.high);
    const double step = (range.high - range.low) / 255;
    const double within = sums_[upTo][0] - sums_[below][0];
    return within * step * step / 12 + distance({}, sums_[below], range.low) +
           distance(sums_[upTo], sums_.back(), range.high);
  }

private:
  using Sums = std::array<double, 3>;

  /// How many bins lie below `x`, by their centers.
  size_t binsBelow(double x) const {
    size_t low = 0, high = histogram_->bins().size();
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (histogram_->center(middle) < x)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  }

  static double distance(const Sums& from, const Sums& to, double end) {
    const double count = to[0] - from[0], sum = to[1] - from[1], squares = to[2] - from[2];
    return std::max(0.0, squares - 2 * end * sum + end * end * count);
  }

  const Histogram* histogram_;
  std::vector<Sums> sums_;
};

} // namespace

Histogram::Histogram(const Range& range)
    : range_(range), width_((range.high - range.low) / kBins), bins_(kBins, 0) {}

void Histogram::add(std::span<const float> values) {
  const double scale = width_ > 0 ? 1 / width_ : 0;
  for (const float value : values) {
    if (value == 0) {
      ++zeros_;
      continue;
    }
    const double at = std::clamp((value - range_.low) * scale, 0.0, double{kBins - 1});
    ++bins_[static_cast<size_t>(at)];
  }
}

int64_t Histogram::total() const { return std::accumulate(bins_.begin(), bins_.end(), zeros_); }

double Histogram::center(size_t bin) const {
  return range_.low + (static_cast<double>(bin) + 0.5) * width_;
}

Range percentileRange(std::span<const Histogram* const> histograms, double percent) {
  Range range;
  for (const Histogram* histogram : histograms) {
    const double cut = static_cast<double>(histogram->total()) * (1 - percent / 100);
    const auto bins = histogram->bins();
    // Zeros lie within every range, so that no more than the values of one sign are cut.
    double below = 0, above = 0;
    size_t first = 0, last = bins.size();
    while (first < bins.size() && below + static_cast<double>(bins[first]) <= cut)
      below += static_cast<double>(bins[first++]);
    while (last > 0 && above + static_cast<double>(bins[last - 1]) <= cut)
      above += static_cast<double>(bins[--last]);
    const double width = bins.size() > 1 ? histogram->center(1) - histogram->center(0) : 0;
    if (first < bins.size()) range.include(histogram->center(first) - width / 2);
    if (last > 0) range.include(histogram->center(last - 1) + width / 2);
  }
  const Range all = unionOf(histograms);
  return {std::max(range.low, all.low), std::min(range.high, all.high)};
}

Range leastErrorRange(std::span<const Histogram* const> histograms) {
  constexpr int kParts = 100; ///< into which each end is divided
  const Range all = unionOf(histograms);
  std::vector<Tails> tails;
  for (const Histogram* histogram : histograms) tails.emplace_back(*histogram);
  Range best = all;
  double least = INFINITY;
  for (int low = kParts; low >= (all.low < 0 ? 1 : kParts); --low)
    for (int high = kParts; high >= (all.high > 0 ? 1 : kParts); --high) {
      const Range range{all.low * low / kParts, all.high * high / kParts};
      double error = 0;
      for (const Tails& tail : tails) error += tail.error(range);
      if (error < least) {
        least = error;
        best = range;
      }
    }
  return best;
}

} // namespace enfold::quantize
