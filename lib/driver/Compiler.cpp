// The compiler driver.
#include "driver/Compiler.h"

#include "lower/Families.h"
#include "lower/Words.h"
#include "lower/conv/Candidates.h"
#include "onnx/RegularFile.h"
#include "passes/FoldError.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>

namespace enfold {
namespace {

/// Ends the pipeline before the next pass when the caller wants it.
class Interruption : public PassObserver {
public:
  explicit Interruption(const std::function<bool()>& interrupted) : interrupted_(interrupted) {}
  Result<> before(const PassInfo&, const Graph&) override {
    if (!interrupted_ || !interrupted_()) return {};
    return std::unexpected(Error(ErrorKind::Stopped, "compilation was interrupted"));
  }

private:
  const std::function<bool()>& interrupted_;
};

/// A machine file is a page of text.
constexpr int64_t kMostText = 1 << 20; // bytes

Result<std::string> readText(const std::string& path) {
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  if (file.size() > kMostText)
    return failure(ErrorCode::DamagedFile,
                   fmt::format("{}: too large for a description of a processor", path));
  if (file.size() == 0) return std::string();
  ENFOLD_TRY(const auto bytes, file.map());
  return std::string(reinterpret_cast<const char*>(bytes.get()), static_cast<size_t>(file.size()));
}

} // namespace

Result<Pipeline> pipelineOf(const CompileOptions& options) {
  Pipeline pipeline = defaultPipeline();
  if (!options.pipeline.empty()) {
    ENFOLD_TRY(pipeline, parsePipeline(options.pipeline));
  }
  for (const std::string& name : options.disabled)
    if (!findPass(name)) return failure(ErrorCode::UnknownName, "no pass is named '" + name + "'");
  pipeline = pipeline.without(options.disabled);
  return options.fuse ? pipeline : pipeline.withoutFusion();
}

static Result<codegen::Target> processorOf(const CompileOptions& options) {
  if (options.machine.empty()) return codegen::targetFor(options.cpu);
  if (options.cpu != "native")
    return failure(ErrorCode::OptionConflict,
                   "the file of --machine names the processor: leave out --target-cpu");
  ENFOLD_TRY(const std::string text, readText(options.machine));
  auto description = kir::parseMachine(text);
  auto target = description ? codegen::targetFor(*description)
                            : Result<codegen::Target>(std::unexpected(description.error()));
  if (!target)
    for (Diag& diag : target.error().diags)
      diag.message = fmt::format("{}: {}", options.machine, diag.message);
  return target;
}

Result<codegen::Target> targetOf(const CompileOptions& options) {
  for (const std::string& kernel : options.disabledKernels)
    if (!lower::isKernelName(kernel))
      return failure(ErrorCode::UnknownName,
                     fmt::format("no kernel is named '{}'; there are {}", kernel,
                                 fmt::join(lower::kernelNames(), ", ")));
  ENFOLD_TRY(codegen::Target target, processorOf(options));
  target.disabledKernels = options.disabledKernels;
  return target;
}

TargetFacts factsOf(const codegen::Target& target) {
  return {.layoutsOf = [target](const Op& op) { return lower::bestLayouts(op, target); },
          .hasKernel = [target](const Op& op) { return lower::hasKernel(op, target); },
          .multipliesBf16 = lower::hasDot(target.machine, lower::kHalves),
          .codes = lower::bytesFor(target.machine).pixel == kir::Scalar::U8 ? ElemType::U8
                                                                            : ElemType::I8};
}

Result<PipelineReport> optimize(Graph& graph, const CompileOptions& options,
                                const codegen::Target& target) {
  ENFOLD_TRY(const Pipeline pipeline, pipelineOf(options));
  PipelineOptions passes = options.passes;
  passes.passes.target = factsOf(target);
  if (options.pins)
    passes.passes.target.layoutsOf = [best = passes.passes.target.layoutsOf, pins = options.pins](
                                         const Op& op) { return pins->layoutsFor(op, best(op)); };
  if (options.tolerance) {
    ENFOLD_TRY(passes.passes.unfolded, foldsExceeding(*options.tolerance, graph, pipeline, passes));
    ENFOLD_TRY(passes.passes.unrounded,
               roundingsExceeding(*options.tolerance, graph, pipeline, passes));
  }
  Interruption interruption(options.interrupted);
  passes.observers.push_back(&interruption);
  ENFOLD_TRY(PipelineReport report, catchNoMemory("running the passes", [&] {
               return runPipeline(graph, pipeline, passes);
             }));
  ENFOLD_RETURN_IF_ERROR(lower::checkAlgorithms(graph, target));
  if (options.tune) {
    if (options.cpu != "native" || !options.machine.empty())
      return usageError("tuning is possible only for this machine");
    TuneOptions tune = *options.tune;
    tune.memory = options.memory;
    ENFOLD_RETURN_IF_ERROR(tuneAlgorithms(graph, target, tune));
  }
  if (options.pins) options.pins->apply(graph, target);
  return report;
}

Result<Compilation> compile(std::unique_ptr<Graph> graph, const CompileOptions& options) {
  ENFOLD_TRY(const codegen::Target target, targetOf(options));
  const auto start = std::chrono::steady_clock::now();
  ENFOLD_TRY(PipelineReport report, optimize(*graph, options, target));
  const std::chrono::duration<double, std::milli> passes = std::chrono::steady_clock::now() - start;
  ENFOLD_TRY(auto executable,
             Executable::build(std::move(graph), target,
                               {passes.count(), options.constants, options.kernels, options.observe,
                                options.memory, options.store, options.interrupted}));
  const std::shared_ptr<const Graph> optimized = executable->graph();
  return Compilation{std::move(executable), optimized, std::move(report)};
}

} // namespace enfold
