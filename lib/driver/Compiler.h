// From a loaded graph to an executable: passes, lowering, code generation.
#pragma once

#include "driver/Algorithms.h"
#include "driver/Tune.h"
#include "passes/PassManager.h"

#include <optional>
#include <set>

namespace enfold {

struct CompileOptions {
  std::string pipeline;           ///< text of a pipeline; empty: the default one
  std::set<std::string> disabled; ///< passes left out
  std::set<std::string, std::less<>> disabledKernels = {}; ///< see kir::Target
  bool fuse = true; ///< false: leave out every pass that folds or fuses
  /// Folds, and rounding of operands, that cost more accuracy than this, relative to max(1, largest
  /// magnitude), are not done.
  std::optional<double> tolerance = {};
  std::string cpu = "native"; ///< LLVM's name of the processor to compile for
  std::string machine;        ///< file that describes another (kernel/MachineText.h); or empty
  PipelineOptions passes;     ///< target facts are filled in
  std::shared_ptr<ConstantPool> constants = {};         ///< where programs share constants
  std::shared_ptr<codegen::KernelStore> kernels = {};   ///< where they share code
  std::shared_ptr<AlgorithmPins> pins = {};             ///< what they compute with
  std::function<Result<>()> observe = {};               ///< see BuildOptions
  std::function<void(const StoredProgram&)> store = {}; ///< see BuildOptions
  std::optional<MemoryLimit> memory = {};
  /// Asked between passes and between kernels, on the calling thread, whether to stop: compilation
  /// then fails as Stopped.
  std::function<bool()> interrupted = {};
  std::optional<TuneOptions> tune = {}; ///< measure which algorithms are fastest on this machine
};

/// The passes that the options ask for, in their order.
Result<Pipeline> pipelineOf(const CompileOptions& options);

/// The processor to compile for. Errors name the file that describes it, and its line.
Result<codegen::Target> targetOf(const CompileOptions& options);

/// What passes may know of it.
TargetFacts factsOf(const codegen::Target& target);

/// Runs the passes over the graph; then every convolution has an algorithm that there is.
Result<PipelineReport> optimize(Graph& graph, const CompileOptions& options,
                                const codegen::Target& target);

/// What compile() made, and what the passes said on the way.
struct Compilation {
  std::shared_ptr<const Executable> executable;
  std::shared_ptr<const Graph> graph; ///< see Executable::graph()
  PipelineReport report;
};

Result<Compilation> compile(std::unique_ptr<Graph> graph, const CompileOptions& options = {});

} // namespace enfold
