// How many runs a second several streams reach together: contexts that share the program and its
// weights, each run again and again by a caller of its own.
#pragma once

#include "diagnose/Json.h"
#include "diagnose/Samples.h"

namespace enfold::diagnose {

struct ThroughputProblem {
  std::shared_ptr<const Executable> executable;
  std::vector<Tensor> inputs = {}; ///< of every run; none: random ones
  Session::Options session = {};
  int streams = 1;
  int threadsPerStream = 1;
  int warmUpRuns = 2; ///< of each stream
  double seconds = 2;
  std::function<void(double seconds, double total)> progress = {};
};

struct ThroughputReport {
  int streams = 0, threadsPerStream = 0;
  bool isPinned = false; ///< every stream has CPUs of its own
  double seconds = 0;    ///< from the first start of a run to the last end
  Summary latency;       ///< milliseconds, of all streams
  std::vector<double> samples;

  double runsPerSecond() const { return static_cast<double>(samples.size()) / seconds; }
};

/// Streams get CPUs apart, cores before their second threads, where there are enough for all.
Result<ThroughputReport> throughput(const ThroughputProblem& problem);

/// `batch` is how many images a run takes.
Json toJson(const std::string& model, int64_t batch, const ThroughputReport& report);

} // namespace enfold::diagnose
