// The profile of a network: what each kernel takes, and how near it comes to the machine's limits.
#pragma once

#include "diagnose/MachineLimits.h"
#include "driver/Executable.h"

#include <nlohmann/json_fwd.hpp>

namespace enfold::tool {

struct KernelProfile {
  double seconds = 0; ///< the least of the runs
  double flops = 0, bytes = 0;
  std::string algorithm;
  std::string runnerUp; ///< what the cost model found second best, and how far behind
  std::string nodes;    ///< the ONNX nodes it computes
};

/// Profiles `run`, which runs the session, for `seconds`.
Result<std::vector<KernelProfile>> profileOf(Session& session, double seconds,
                                             const std::function<Result<>()>& run);

/// One line a kernel, and the limits below. Products that Winograd's algorithm saves count as done.
std::string profileTable(const std::vector<KernelProfile>& kernels,
                         const diagnose::MachineLimits& limits);
nlohmann::ordered_json profileJson(const std::vector<KernelProfile>& kernels,
                                   const diagnose::MachineLimits& limits);

/// One run as Chrome's trace event format, which Perfetto and chrome://tracing show: the stages of
/// compilation in one row, then the kernels in another.
nlohmann::ordered_json traceOf(const std::vector<KernelProfile>& kernels,
                               const CompileTimes& times);

} // namespace enfold::tool
