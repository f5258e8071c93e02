// Taps of any number, clamped at the borders, become windows of the same width.
#include "lower/resize/Windows.h"

#include <algorithm>
#include <numeric>

namespace enfold::lower {
namespace {

constexpr int64_t kMaxPeriod = 8;

bool repeats(const ResizeWindows& w, int64_t o, int64_t period, int64_t step) {
  const auto at = [](int64_t i) { return static_cast<size_t>(i); };
  if (w.first[at(o + period)] - w.first[at(o)] != step) return false;
  const auto begin = w.weights.begin() + o * w.taps;
  return std::equal(begin, begin + w.taps, begin + period * w.taps);
}

} // namespace

ResizeWindows windowsOf(const ResizeAxis& axis) {
  ResizeWindows w{.in = axis.in, .out = axis.out};
  const auto isUsed = [](const ResizeTap& tap) { return tap.weight != 0; };
  for (const auto& taps : axis.taps) {
    int64_t low = axis.in, high = 0;
    for (const ResizeTap& tap : taps) {
      if (!isUsed(tap)) continue;
      low = std::min(low, tap.at);
      high = std::max(high, tap.at);
    }
    low = std::min(low, high);
    w.first.push_back(static_cast<int32_t>(low));
    w.taps = std::max(w.taps, high - low + 1);
  }
  w.weights.assign(static_cast<size_t>(axis.out * w.taps), 0.0F);
  for (int64_t o = 0; o < axis.out; ++o) {
    int32_t& first = w.first[static_cast<size_t>(o)];
    first = std::min(first, static_cast<int32_t>(axis.in - w.taps));
    std::vector<double> sums(static_cast<size_t>(w.taps), 0.0);
    for (const ResizeTap& tap : axis.taps[static_cast<size_t>(o)])
      if (isUsed(tap)) sums[static_cast<size_t>(tap.at - first)] += tap.weight;
    std::ranges::transform(sums, w.weights.begin() + o * w.taps,
                           [](double sum) { return static_cast<float>(sum); });
  }
  return w;
}

ResizeWindows identityWindows(int64_t size) {
  ResizeWindows w{.in = size, .out = size};
  w.first.resize(static_cast<size_t>(size));
  std::iota(w.first.begin(), w.first.end(), 0);
  w.weights.assign(static_cast<size_t>(size), 1.0F);
  return w;
}

PeriodicRange periodicRange(const ResizeWindows& w) {
  PeriodicRange best;
  for (int64_t period = 1; period <= std::min(kMaxPeriod, w.out - 1); ++period) {
    // Borders are symmetric or nearly so: the middle tells the step.
    const auto middle = static_cast<size_t>((w.out - period) / 2);
    const int64_t step = w.first[middle + static_cast<size_t>(period)] - w.first[middle];
    for (int64_t begin = 0; begin + period < w.out;) {
      int64_t o = begin;
      while (o + period < w.out && repeats(w, o, period, step)) ++o;
      const int64_t periods = (o + period - begin) / period;
      if (periods > 1 && periods * period > best.periods * best.period)
        best = {begin, period, step, periods};
      begin = o + 1;
    }
  }
  return best;
}

} // namespace enfold::lower
