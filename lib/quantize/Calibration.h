// What range of numbers each tensor of a network takes over the samples.
#pragma once

#include "quantize/Histogram.h"
#include "quantize/Runs.h"

#include <map>

namespace enfold::quantize {

struct TensorStatistics {
  Range range;
  std::vector<Range> channels; ///< along axis 1; empty for tensors without that axis
  std::optional<Histogram> histogram;
};

using Statistics = std::map<std::string, TensorStatistics>;

enum class Detail : uint8_t {
  Ranges,
  Histograms, ///< needs the samples twice
};

/// Statistics of tensors of the graph, by name. A number that is not finite is an error that names
/// its tensor.
Result<Statistics> calibrate(const Graph& graph, const std::vector<std::string>& names,
                             Detail detail, const Samples& samples, const RunOptions& options);

} // namespace enfold::quantize
