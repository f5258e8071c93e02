// The compiler driver.
#include "driver/Compiler.h"

#include "lower/conv/Ways.h"
#include "passes/FoldError.h"

#include <chrono>

namespace enfold {

Result<Pipeline> pipelineOf(const CompileOptions& options) {
  Pipeline pipeline = defaultPipeline();
  if (!options.pipeline.empty()) {
    ENFOLD_TRY(pipeline, parsePipeline(options.pipeline));
  }
  for (const std::string& name : options.disabled)
    if (!findPass(name)) return usageError("no pass is named '" + name + "'");
  pipeline = pipeline.without(options.disabled);
  return options.fuse ? pipeline : pipeline.withoutFusion();
}

Result<PipelineReport> optimize(Graph& graph, const CompileOptions& options,
                                const codegen::Target& target) {
  ENFOLD_TRY(const Pipeline pipeline, pipelineOf(options));
  PipelineOptions passes = options.passes;
  passes.passes.target.channelBlock = target.lanes(kir::Scalar::F32);
  if (options.tolerance) {
    ENFOLD_TRY(passes.passes.unfolded, foldsBeyond(*options.tolerance, graph, pipeline, passes));
  }
  ENFOLD_TRY(PipelineReport report, runPipeline(graph, pipeline, passes));
  ENFOLD_RETURN_IF_ERROR(lower::checkAlgorithms(graph, target));
  if (options.tune) {
    if (options.cpu != "native") return usageError("tuning measures on this machine, for itself");
    ENFOLD_RETURN_IF_ERROR(tuneAlgorithms(graph, target, *options.tune));
  }
  return report;
}

Result<Compilation> compile(std::unique_ptr<Graph> graph, const CompileOptions& options) {
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor(options.cpu));
  const auto start = std::chrono::steady_clock::now();
  ENFOLD_TRY(PipelineReport report, optimize(*graph, options, target));
  const std::chrono::duration<double, std::milli> passes = std::chrono::steady_clock::now() - start;
  const std::shared_ptr<Graph> optimized = std::move(graph);
  ENFOLD_TRY(
      auto executable,
      Executable::build(optimized, target, {passes.count(), options.constants, options.store}));
  return Compilation{std::move(executable), optimized, std::move(report)};
}

} // namespace enfold
