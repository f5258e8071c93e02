// Everything known about one compiled network, gathered for one page: the graph in every stage,
// what the passes said, kernels in every form, the memory plan, and times.
#pragma once

#include "codegen/Listing.h"
#include "diagnose/Bench.h"
#include "diagnose/Explain.h"
#include "diagnose/GraphHistory.h"

namespace enfold::diagnose {

struct ReportProblem {
  std::string model; ///< as its user names it
  std::unique_ptr<Graph> graph;
  CompileOptions compile = {};
  Session::Options session = {};
  double seconds = 1;  ///< to measure; 0: nothing is run
  bool errors = false; ///< compare every tensor with the reference
  /// Told how many seconds of how many have passed.
  std::function<void(double seconds, double total)> progress = {};
};

/// A piece of memory of the plan.
struct BufferRecord {
  std::string space; ///< "input", "output", "constant", "arena"
  int64_t bytes = 0;
  int64_t offset = 0; ///< constant, arena: in their block
  int64_t firstStep = -1, lastStep = -1;
};

/// A call of a kernel.
struct StepRecord {
  int64_t op = -1;     ///< that it computes, or a part of; index into the history's ops
  int64_t kernel = -1; ///< index into the listings; -1: a reference function
  std::string algorithm, secondChoice;
  std::string nodes; ///< the ONNX nodes, for reading
  double flops = 0, bytes = 0;
  std::vector<int64_t> buffers;
};

/// How much a tensor differs from the reference.
struct TensorError {
  std::string value;
  double maxAbs = 0;
  double scale = 0; ///< the largest magnitude of the reference
};

struct Report {
  std::string model;
  std::string target; ///< the processor compiled for
  std::string isa;
  std::string pipeline; ///< as text
  std::vector<TensorSpec> inputs, outputs;
  int64_t parameters = 0, parameterBytes = 0; ///< of the model as imported
  std::shared_ptr<const GraphHistory> history;
  std::vector<std::string> idlePasses; ///< that changed nothing
  std::vector<BatchNormAccount> batchNorms;
  std::vector<Remark> remarks;
  std::vector<std::pair<int64_t, OpAccount>> ops; ///< of the last stage, by index of the record
  std::vector<BufferRecord> buffers;
  std::vector<StepRecord> steps;
  int64_t arenaBytes = 0, constantBytes = 0, scratchBytes = 0;
  codegen::Listings listings;
  std::optional<BenchReport> bench; ///< the network, then the same unfused
  std::vector<TensorError> errors;
  std::vector<std::string> notes; ///< why something is missing, a sentence each
};

Result<Report> makeReport(ReportProblem problem);

/// The number of the schema of toJson(): docs/schemas/report.json.
inline constexpr int kReportVersion = 1;

Json toJson(const Report& report);

} // namespace enfold::diagnose
