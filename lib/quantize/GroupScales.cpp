// From statistics to scales.
#include "quantize/GroupScales.h"

#include <fmt/format.h>

namespace enfold::quantize {
namespace {

Range rangeBy(Method method, double percent, std::span<const Histogram* const> histograms) {
  switch (method) {
  case Method::Percentile:
    return percentileRange(histograms, percent);
  case Method::LeastError:
    return leastErrorRange(histograms);
  case Method::MinMax:
    break;
  }
  Range range;
  for (const Histogram* histogram : histograms) range.include(histogram->range());
  return range;
}

} // namespace

std::string_view name(Method method) {
  switch (method) {
  case Method::MinMax:
    return "minmax";
  case Method::Percentile:
    return "percentile";
  case Method::LeastError:
    return "mse";
  }
  return "";
}

std::optional<Method> methodOf(std::string_view text) {
  for (const Method method : {Method::MinMax, Method::Percentile, Method::LeastError})
    if (name(method) == text) return method;
  return std::nullopt;
}

Result<std::vector<GroupScale>> groupScales(const Plan& plan, const Statistics& statistics,
                                            Method method, double percent) {
  std::vector<GroupScale> scales;
  for (const ScaleGroup& group : plan.groups) {
    if (group.known) {
      const Scale known = *group.known;
      scales.push_back({{known.rounded(-INFINITY), known.rounded(INFINITY)}, known});
      continue;
    }
    std::vector<const Histogram*> histograms;
    for (const Value* source : group.sources)
      histograms.push_back(&*statistics.at(source->name()).histogram);
    const Range range = rangeBy(method, percent, histograms);
    if (!canScale(range))
      return unsupported(
          fmt::format("tensor '{}' holds numbers from {:.3g} to {:.3g}, too large for "
                      "a scale: exclude the nodes that read it",
                      group.sources.front()->name(), range.low, range.high));
    scales.push_back({range, scaleFor(range)});
  }
  return scales;
}

std::vector<std::string> sourcesOf(const Plan& plan) {
  std::vector<std::string> names;
  for (const ScaleGroup& group : plan.groups)
    if (!group.known)
      for (const Value* source : group.sources) names.push_back(source->name());
  return names;
}

} // namespace enfold::quantize
