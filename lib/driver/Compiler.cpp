// The compiler driver.
#include "driver/Compiler.h"

#include <chrono>

namespace enfold {

const std::set<std::string>& fusionPasses() {
  static const std::set<std::string> names = {"fold-batchnorm", "fold-forward", "fold-pad",
                                              "fuse-epilogue"};
  return names;
}

Result<PipelineReport> optimize(Graph& graph, const CompileOptions& options,
                                const codegen::Target& target) {
  Pipeline pipeline = defaultPipeline();
  if (!options.pipeline.empty()) {
    ENFOLD_TRY(pipeline, parsePipeline(options.pipeline));
  }
  for (const std::string& name : options.disabled)
    if (!findPass(name)) return usageError("no pass is named '" + name + "'");
  pipeline = pipeline.without(options.disabled);
  if (!options.fuse) pipeline = pipeline.without(fusionPasses());
  PipelineOptions passes = options.passes;
  passes.passes.target.channelBlock = target.lanes(kir::Scalar::F32);
  return runPipeline(graph, pipeline, passes);
}

Result<Compilation> compile(std::unique_ptr<Graph> graph, const CompileOptions& options) {
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor(options.cpu));
  const auto start = std::chrono::steady_clock::now();
  ENFOLD_TRY(PipelineReport report, optimize(*graph, options, target));
  const std::chrono::duration<double, std::milli> passes = std::chrono::steady_clock::now() - start;
  ENFOLD_TRY(auto executable, Executable::build(std::move(graph), target, passes.count()));
  return Compilation{std::move(executable), std::move(report)};
}

} // namespace enfold
