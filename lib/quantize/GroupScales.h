// The scale of each group of tensors, by one of several methods.
#pragma once

#include "quantize/Calibration.h"
#include "quantize/Plan.h"

#include <optional>
#include <string_view>

namespace enfold::quantize {

enum class Method : uint8_t {
  MinMax,     ///< all numbers of the samples have codes
  Percentile, ///< all but the outermost
  LeastError, ///< the least mean squared error
};
std::string_view name(Method method);
/// The method of that name, if there is one.
std::optional<Method> methodOf(std::string_view text);

struct GroupScale {
  Range range; ///< that has codes
  Scale scale;
};

/// One of each group of the plan, whose sources the statistics know.
Result<std::vector<GroupScale>> groupScales(const Plan& plan, const Statistics& statistics,
                                            Method method, double percent);

/// The tensors whose statistics decide the plan's scales.
std::vector<std::string> sourcesOf(const Plan& plan);

} // namespace enfold::quantize
