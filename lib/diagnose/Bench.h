// Latency of a network, alone or against itself compiled otherwise.
#pragma once

#include "diagnose/Profile.h"
#include "diagnose/Samples.h"
#include "driver/Compiler.h"

namespace enfold::diagnose {

struct BenchProblem {
  std::string model;                            ///< as its user names it
  std::shared_ptr<const Executable> executable; ///< the network to measure, on random inputs
  std::string name = "fused";                   ///< of that network, among the others
  /// Other ways to compute the model: "folded" (not fused), "unfused", "fp32" (integers as floats,
  /// too), "bf16", "reference".
  std::vector<std::string> others = {};
  /// Loads the model again, for each of the others.
  std::function<Result<std::unique_ptr<Graph>>()> load = {};
  CompileOptions compile = {}; ///< of the others
  Session::Options session = {};
  double seconds = 2;   ///< to measure each of them
  bool profile = false; ///< every kernel of every arm
  /// Told how many seconds of how many have passed.
  std::function<void(double seconds, double total)> progress = {};
};

/// One way to compute the model.
struct BenchArm {
  std::string name;
  Summary latency; ///< milliseconds
  Ratio ratio;     ///< its median latency over that of the first
  /// Of compiled programs: the largest difference of an output from the first's, over its largest
  /// magnitude or 1.
  std::optional<double> error = {};
  std::vector<KernelProfile> kernels = {}; ///< of compiled programs, if profiles were asked for
};

struct BenchReport {
  std::string model;
  int threads = 0;
  CompileTimes compileTimes;
  std::vector<BenchArm> arms;     ///< the network itself first, then the others
  std::optional<Profile> profile; ///< of the first
};

/// Runs all arms in turn, a short burst of each, so that a slow spell of the machine hits all of
/// them alike.
Result<BenchReport> bench(const BenchProblem& problem);

Json toJson(const BenchReport& report);
Json toJson(const Summary& summary);

} // namespace enfold::diagnose
