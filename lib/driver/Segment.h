// A graph that is met again and again with data of one type: the reference functions run it until
// compiling it pays.
#pragma once

#include "driver/Compiler.h"
#include "driver/RunLimits.h"
#include "driver/SessionPool.h"

#include <atomic>
#include <mutex>

namespace enfold {

class Segment {
public:
  struct Options {
    CompileOptions compile;
    Session::Options session;
    std::shared_ptr<std::atomic<int64_t>> compilations = {}; ///< to be counted
    bool reference = false;                                  ///< never compile
  };

  Segment(std::unique_ptr<Graph> graph, const Options& options);
  /// Compiled already.
  explicit Segment(std::shared_ptr<SessionPool> sessions) : sessions_(std::move(sessions)) {}

  /// Tensors in the order of the graph's inputs, of exactly their types.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs, const RunLimits& limits);

private:
  /// The compiled graph, or null as long as it does not pay.
  Result<std::shared_ptr<SessionPool>> sessions();

  std::mutex mutex_;
  std::shared_ptr<const Graph> graph_; ///< null once compiled
  Options options_;
  double runSeconds_ = 0, compileSeconds_ = 0; ///< estimates: of one run, of compiling
  double spent_ = 0;                           ///< by the reference functions so far
  std::shared_ptr<SessionPool> sessions_;
};

} // namespace enfold
