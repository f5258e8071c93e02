// Finding the rewrite that breaks a network: a binary search over how many rewrites the pipeline
// may do. Each time, the compiled network's answer is compared with the expected one.
#pragma once

#include "diagnose/Compare.h"
#include "diagnose/Json.h"
#include "driver/Compiler.h"

#include <functional>

namespace enfold::diagnose {

/// What to compile, run and compare. The model must outlive the search.
struct BisectProblem {
  const Graph& model;
  Pipeline pipeline;
  PipelineOptions passes;
  codegen::Target target;
  std::span<const Tensor> inputs;
  std::vector<Tensor> expected = {}; ///< outputs; may be fewer than the model has
  Tolerance tolerance = {};
  Session::Options session = {};
  std::optional<MemoryLimit> memory = {};
  /// Called before each network that is tried, with the number of rewrites still suspected: 0
  /// before the first one, which counts them.
  std::function<void(int tries, int64_t suspects)> progress = {};
};

/// The network after some number of rewrites.
struct BisectStep {
  int64_t rewrites = 0;         ///< done, at most as many as were allowed
  std::unique_ptr<Graph> graph; ///< after them
  PipelineReport report;
  Comparison worst; ///< of the output that is farthest off
  bool wrong = false;
};

enum class BisectStatus : uint8_t {
  Right,        ///< with all rewrites
  WrongAnyway,  ///< without any: either the generated code or the expected answer is wrong
  WrongRewrite, ///< `after` is wrong, and `before`, one rewrite less, is not
};

struct Bisection {
  BisectStatus status = BisectStatus::Right;
  int64_t total = 0; ///< rewrites of the whole pipeline
  int tries = 0;     ///< networks compiled and run
  BisectStep before, after;
  std::string pass;             ///< of the rewrite
  std::string name;             ///< of the rewrite, as in PipelineReport::rewrites
  std::optional<Remark> remark; ///< of the pass on the rewrite, if it made one
  /// The reference functions find `after` wrong as well. Otherwise the rewrite is right, and the
  /// code generated for its result is wrong.
  bool wrongByReference = false;
};

/// A network and a pipeline that show a wrong answer.
struct Replay {
  std::unique_ptr<Graph> graph;
  std::string passes;
  int64_t maxRewrites = PipelineOptions{}.maxRewrites;
  std::vector<Tensor> inputs, expected;
};

/// Compiles and runs the model after at most that many rewrites.
Result<BisectStep> tryRewrites(const BisectProblem& problem, int64_t rewrites);

Result<Bisection> bisect(const BisectProblem& problem);

/// The part of the graph that a rewrite changed, as it was before; null when it cannot be cut out.
std::unique_ptr<Graph> changedPart(const Graph& before, const Graph& after);

/// The smallest network known to show what bisect() found: only the ops that the rewrite changed,
/// or the whole model up to the rewrite if those alone do not show it.
Result<Replay> smallestReplay(const BisectProblem& problem, const Bisection& found);

Json toJson(const Bisection& found); ///< of a wrong rewrite

} // namespace enfold::diagnose
