// A compiled network in memory: immutable, shared by any number of sessions in any threads.
#pragma once

#include "codegen/Jit.h"
#include "codegen/TargetInfo.h"
#include "driver/Program.h"

#include <enfold/enfold.h>

#include <memory>
#include <span>

namespace enfold {

/// Times of the stages of compilation, in milliseconds.
struct CompileTimes {
  double passes = 0, lowering = 0, codegen = 0;
  double total() const { return passes + lowering + codegen; }
};

/// What a program is made with beside its graph.
struct BuildOptions {
  double passMilliseconds = 0;                  ///< what the passes took
  std::shared_ptr<ConstantPool> constants = {}; ///< to share constants with other programs
};

class Executable {
public:
  /// Lowers and generates `graph`, which has been through the passes.
  static Result<std::shared_ptr<const Executable>> build(std::unique_ptr<Graph> graph,
                                                         const codegen::Target& target,
                                                         const BuildOptions& options = {});

  /// The graph without the numbers of its large constants, which the program holds in its own form.
  const Graph& graph() const { return *graph_; }
  const lower::Plan& plan() const { return plan_; }
  const enfold_program& program() const { return *module_->program(); }
  const CompileTimes& times() const { return times_; }
  /// Ops run by their reference function, described.
  std::vector<std::string> referenceOps() const { return plan_.referenceOps(); }
  /// What a reference function complained about in a run; empty if none did. Clears it.
  std::string takeError() const;

private:
  Executable() = default;

  std::unique_ptr<const Graph> graph_;
  lower::Plan plan_;
  ProgramParts parts_;
  std::unique_ptr<codegen::JitModule> module_;
  CompileTimes times_;
};

/// Memory and threads to run an executable; one call at a time.
class Session {
public:
  struct Options {
    int threads = 0; ///< 0: as many as the process may use
    bool strictDenormals = false;
  };

  static Result<std::unique_ptr<Session>> create(std::shared_ptr<const Executable> executable,
                                                 const Options& options);

  /// Tensors in the order of the graph's inputs, of exactly their types.
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs);
  /// The same over memory of the caller's, for benchmarks: nothing is checked or allocated.
  Result<> runRaw(std::span<const void* const> inputs, std::span<void* const> outputs);
  enfold_context* context() { return context_.get(); }
  const Executable& executable() const { return *executable_; }

private:
  struct Destroy {
    void operator()(enfold_context* context) const { enfold_destroy_context(context); }
  };

  std::shared_ptr<const Executable> executable_;
  std::unique_ptr<enfold_context, Destroy> context_;
};

} // namespace enfold
