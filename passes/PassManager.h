// Runs a pipeline over a graph, with observers between the passes.
#pragma once

#include "passes/Pipeline.h"

#include <limits>

namespace enfold {

/// One run of one pass.
struct PassRun {
  const PassInfo* pass;
  double seconds;
  int64_t rewrites;
};

/// Looks at the graph between passes; an error ends the pipeline.
class PassObserver {
public:
  virtual ~PassObserver() = default;
  virtual Result<> before(const PassInfo&, const Graph&) { return {}; }
  virtual Result<> after(const PassRun&, const Graph&) { return {}; }
};

struct PipelineOptions {
  PassOptions passes;
  int64_t maxRewrites = std::numeric_limits<int64_t>::max();
  std::vector<PassObserver*> observers = {};
  bool verifyEach = false; ///< a pass that breaks the graph ends the pipeline; see verifiesAlways()
};

struct PipelineReport {
  RemarkStream remarks;
  Statistics statistics;
  std::vector<std::string> rewrites; ///< names of all rewrites, in order
  std::vector<PassRun> runs;
  bool settled = true; ///< groups that repeat ended because nothing changed any more
};

/// Runs the pipeline, at most up to the limit on rewrites. The graph is valid after any number of
/// them.
Result<PipelineReport> runPipeline(Graph& graph, const Pipeline& pipeline,
                                   const PipelineOptions& options = {});

} // namespace enfold
