// One run over the samples for the ranges, and one for the counts within them.
#include "quantize/Calibration.h"

#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::quantize {
namespace {

struct Extent {
  float low = 0, high = 0;
  bool isFinite = true;
};

Extent extentOf(std::span<const float> values) {
  Extent extent;
  float sum = 0; // of zeros, unless something is not finite
  for (const float value : values) {
    sum += value * 0.0f;
    extent.low = value < extent.low ? value : extent.low;
    extent.high = value > extent.high ? value : extent.high;
  }
  extent.isFinite = sum == 0;
  return extent;
}

Result<> addRanges(TensorStatistics& statistics, const Tensor& tensor, const std::string& name,
                   const Graph& graph, size_t sample) {
  const Shape& shape = tensor.shape();
  const bool hasChannels = shape.size() > 1 && tensor.numElements() > 0;
  const int64_t parts = hasChannels ? shape[0] * shape[1] : 1;
  const auto size = static_cast<size_t>(tensor.numElements() / parts);
  if (hasChannels) statistics.channels.resize(static_cast<size_t>(shape[1]));
  const std::span<const float> values = tensor.values<float>();
  for (int64_t part = 0; part < parts; ++part) {
    const Extent extent = extentOf(values.subspan(static_cast<size_t>(part) * size, size));
    if (!extent.isFinite) {
      const Op* producer = graph.find(name)->producer();
      return failure(ErrorCode::BadData,
                     fmt::format("tensor '{}' holds NaN or infinity in sample {}", name, sample),
                     producer ? producer->describe() : "");
    }
    const Range range{extent.low, extent.high};
    statistics.range.include(range);
    if (hasChannels) statistics.channels[static_cast<size_t>(part % shape[1])].include(range);
  }
  return {};
}

} // namespace

Result<Statistics> calibrate(const Graph& graph, const std::vector<std::string>& names,
                             Detail detail, const Samples& samples, const RunOptions& options) {
  ENFOLD_TRY(ObservedNetwork network, ObservedNetwork::create(graph, names, options));
  Statistics statistics;
  for (const std::string& name : names) statistics[name];
  ENFOLD_RETURN_IF_ERROR(
      forEachSample(samples, options, "measuring ranges", [&](size_t i, auto inputs) -> Result<> {
        ENFOLD_TRY(const ObservedNetwork::Run run, network.run(inputs));
        for (size_t k = 0; k < names.size(); ++k)
          ENFOLD_RETURN_IF_ERROR(
              addRanges(statistics[names[k]], run.tensors[k], names[k], graph, i));
        return {};
      }));
  if (detail == Detail::Ranges) return statistics;
  for (auto& [name, tensor] : statistics) tensor.histogram.emplace(tensor.range);
  ENFOLD_RETURN_IF_ERROR(
      forEachSample(samples, options, "counting", [&](size_t, auto inputs) -> Result<> {
        ENFOLD_TRY(const ObservedNetwork::Run run, network.run(inputs));
        for (size_t k = 0; k < names.size(); ++k)
          statistics[names[k]].histogram->add(run.tensors[k].template values<float>());
        return {};
      }));
  return statistics;
}

} // namespace enfold::quantize
