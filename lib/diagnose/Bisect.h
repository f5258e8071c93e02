// Finding the rewrite that breaks a network: the pipeline is cut after ever other numbers of
// rewrites, and each time the compiled network's answer is compared with what is expected.
#pragma once

#include "diagnose/Compare.h"
#include "driver/Compiler.h"

#include <functional>

namespace enfold::diagnose {

/// What is compiled, run and compared. The model must outlive the search.
struct BisectProblem {
  const Graph& model;
  Pipeline pipeline;
  PipelineOptions passes;
  codegen::Target target;
  std::span<const Tensor> inputs;
  std::vector<Tensor> expected = {}; ///< outputs; may be fewer than the model has
  Tolerance tolerance = {};
  Session::Options session = {};
  /// Told before each network that is tried, with the number of rewrites that may be to blame: 0
  /// before the first, which counts them.
  std::function<void(int tries, int64_t suspects)> progress = {};
};

/// The network after some number of rewrites.
struct Cut {
  int64_t rewrites = 0;         ///< done, at most as many as were allowed
  std::unique_ptr<Graph> graph; ///< after them
  PipelineReport report;
  Comparison worst; ///< of the output that is farthest off
  bool wrong = false;
};

enum class Verdict : uint8_t {
  Right,        ///< with all rewrites
  WrongAnyway,  ///< without any: the code generated is wrong, or what is expected
  WrongRewrite, ///< `after` is wrong, and `before`, one rewrite less, is not
};

struct Bisection {
  Verdict verdict = Verdict::Right;
  int64_t total = 0; ///< rewrites of the whole pipeline
  int tries = 0;     ///< networks compiled and run
  Cut before, after;
  std::string pass; ///< of the rewrite
  std::string name; ///< of the rewrite, as in PipelineReport::rewrites
  /// What the pass said about it; null if nothing.
  const Remark* remark = nullptr;
  /// The reference, too, finds `after` wrong; otherwise the rewrite is right, and code generation
  /// is what fails on its result.
  bool wrongByReference = false;
};

/// Compiles and runs the model after at most that many rewrites.
Result<Cut> tryCut(const BisectProblem& problem, int64_t rewrites);

Result<Bisection> bisect(const BisectProblem& problem);

/// The part of the graph in front of a rewrite that the rewrite changed, with all that a reader
/// needs to see it happen again; null when it cannot be cut out.
std::unique_ptr<Graph> changedPart(const Graph& before, const Graph& after);

} // namespace enfold::diagnose
