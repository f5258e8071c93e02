// Quantiles and bootstrap intervals.
#include "diagnose/Samples.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace enfold::diagnose {
namespace {

/// Resampling more than this many of them would only cost time.
constexpr size_t kResampled = 2000;

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (at - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

double medianOf(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<double> thinned(const std::vector<double>& samples) {
  if (samples.size() <= kResampled) return samples;
  std::vector<double> kept(kResampled);
  for (size_t i = 0; i < kResampled; ++i) kept[i] = samples[i * samples.size() / kResampled];
  return kept;
}

} // namespace

Summary summarize(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const double sum = std::accumulate(samples.begin(), samples.end(), 0.0);
  return {.min = samples.front(),
          .p5 = quantile(samples, 0.05),
          .p50 = quantile(samples, 0.5),
          .p90 = quantile(samples, 0.9),
          .p95 = quantile(samples, 0.95),
          .p99 = quantile(samples, 0.99),
          .max = samples.back(),
          .mean = sum / static_cast<double>(samples.size()),
          .samples = samples.size()};
}

Ratio medianRatio(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr int kRounds = 1000;
  const std::vector<double> from[] = {thinned(a), thinned(b)};
  std::mt19937_64 random(1);
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    double medians[2];
    for (int side = 0; side < 2; ++side) {
      std::uniform_int_distribution<size_t> pick(0, from[side].size() - 1);
      std::vector<double> drawn(from[side].size());
      for (double& value : drawn) value = from[side][pick(random)];
      medians[side] = medianOf(drawn);
    }
    ratios.push_back(medians[0] / medians[1]);
  }
  std::sort(ratios.begin(), ratios.end());
  return {summarize(a).p50 / summarize(b).p50, quantile(ratios, 0.025), quantile(ratios, 0.975)};
}

} // namespace enfold::diagnose
