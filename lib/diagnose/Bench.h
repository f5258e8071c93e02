// Latency of a network, alone or against itself compiled otherwise, other programs and other
// runtimes.
#pragma once

#include "diagnose/Checkup.h"
#include "diagnose/Profile.h"
#include "diagnose/Samples.h"
#include "driver/Compiler.h"

namespace enfold::diagnose {

struct BenchProblem {
  std::string model;                            ///< as its user names it
  std::shared_ptr<const Executable> executable; ///< the network to measure
  std::vector<Tensor> inputs = {};              ///< none: random ones
  std::string name = "fused";                   ///< of that network, among the others
  /// Other ways to compute the model: "folded" (not fused), "unfused", "fp32" (integers as floats,
  /// too), "bf16", "reference", "onnxruntime", "openvino".
  std::vector<std::string> others = {};
  /// Other programs, by name, measured like the first.
  std::vector<std::pair<std::string, std::shared_ptr<const Executable>>> programs = {};
  /// Loads the model again, for each of the others.
  std::function<Result<std::unique_ptr<Graph>>()> load = {};
  CompileOptions compile = {}; ///< of the others
  Session::Options session = {};
  int warmUpRuns = 2;     ///< of each, before it is measured
  double seconds = 2;     ///< to measure each of them, or
  int64_t iterations = 0; ///< how many runs of each; 0: as many as the seconds allow
  bool cold = false;      ///< caches hold nothing of the network when a run starts
  double rate = 0;        ///< runs a second, started by the clock; 0: one behind the other
  bool profile = false;   ///< every kernel of every arm
  /// Told how many seconds of how many have passed.
  std::function<void(double seconds, double total)> progress = {};
};

/// One way to compute the model.
struct BenchArm {
  std::string name;
  Summary latency;                  ///< milliseconds
  Ratio ratio;                      ///< its median latency over that of the first
  std::vector<double> samples = {}; ///< in the order of the runs
  /// Of compiled programs: the largest difference of an output from the first's, over its largest
  /// magnitude or 1.
  std::optional<double> error = {};
  std::vector<KernelProfile> kernels = {}; ///< of compiled programs, if profiles were asked for

  /// Run one behind the other.
  double imagesPerSecond(int64_t batch) const {
    return static_cast<double>(batch) * 1e3 / latency.mean;
  }
};

struct BenchReport {
  std::string model;
  int threads = 0;
  int64_t batch = 1; ///< the first size of the first input, which counts images
  CompileTimes compileTimes;
  std::vector<BenchArm> arms;          ///< the network itself first, then the others
  std::optional<Profile> profile;      ///< of the first
  std::vector<std::string> complaints; ///< why the times are not to be trusted, a sentence each
  std::optional<MachineFacts> machine; ///< that measured
};

/// Runs all arms in turn, a short burst of each, so that a slow spell of the machine hits all of
/// them alike. With a rate, latency counts from when a run should have started, late or not.
Result<BenchReport> bench(const BenchProblem& problem);

/// Random inputs of a program, the same each time.
std::vector<Tensor> randomInputs(const Executable& executable);

/// How many images a run takes: the first size of the first input.
int64_t batchOf(const Executable& executable);

Json toJson(const BenchReport& report);
Json toJson(const Summary& summary);

} // namespace enfold::diagnose
