// A compiled network in memory: immutable, shared by any number of sessions in any threads.
#pragma once

#include "codegen/KernelStore.h"
#include "codegen/TargetInfo.h"
#include "driver/MemoryNeeds.h"
#include "driver/Program.h"

#include <enfold/enfold.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <span>

namespace enfold {

/// Times of the stages of compilation, in milliseconds.
struct CompileTimes {
  double passes = 0, lowering = 0, codegen = 0;
  double total() const { return passes + lowering + codegen; }
};

/// A program that can be linked again: all it is but its kernels, and their machine code.
struct StoredProgram {
  codegen::ProgramDesc desc; ///< without kernels
  codegen::MachineCode code;
};

/// What a program is made with beside its graph.
struct BuildOptions {
  double passMilliseconds = 0;                  ///< what the passes took
  std::shared_ptr<ConstantPool> constants = {}; ///< to share constants with other programs
  std::shared_ptr<codegen::KernelStore> kernels =
      {}; ///< to share code with them; needs `constants`
  /// Shows the store kernels for other sizes, before some for this one are compiled.
  std::function<Result<>()> observe = {};
  std::optional<MemoryLimit> memory = {};
  /// Is shown the program unless it holds addresses of this process.
  std::function<void(const StoredProgram&)> store = {};
  std::function<bool()> interrupted = {}; ///< see CompileOptions
};

/// An input or output.
struct TensorSpec {
  std::string name;
  Type type;
};

std::vector<TensorSpec> inputsOf(const Graph& graph);
std::vector<TensorSpec> outputsOf(const Graph& graph);

class Executable {
public:
  /// Lowers and generates a graph that has been through the passes. Its large constants are let go
  /// as the program gets them in its own form.
  static Result<std::shared_ptr<const Executable>> build(std::unique_ptr<Graph> graph,
                                                         const codegen::Target& target,
                                                         const BuildOptions& options = {});

  static Result<std::shared_ptr<const Executable>> link(const StoredProgram& stored,
                                                        const codegen::Target& target);

  /// The programs of a shared library that was compiled ahead of time, one for each of its sizes;
  /// its code is part of this process as long as one of them is.
  static Result<std::vector<std::shared_ptr<const Executable>>>
  open(const std::filesystem::path& library);

  std::vector<TensorSpec> inputs() const;
  std::vector<TensorSpec> outputs() const;
  const enfold_program& program() const { return *program_; }
  /// The steps of the program, in their order; none if it was compiled ahead of time.
  std::span<const codegen::Step> steps() const { return parts_.desc.steps; }
  /// That it was built from, without the numbers of large constants; null if it was linked again,
  /// or shares code and calls no reference function.
  const std::shared_ptr<const Graph>& graph() const { return graph_; }
  const CompileTimes& times() const { return times_; }
  /// What building and running it was expected to take; all zero if it was linked again.
  const MemoryNeeds& memoryNeeds() const { return memoryNeeds_; }
  /// Ops run by their reference function, described.
  const std::vector<std::string>& referenceOps() const { return referenceOps_; }

private:
  Executable() = default;
  Result<> fill(std::unique_ptr<Graph> graph, const codegen::Target& target,
                const BuildOptions& options);
  Result<> take(std::unique_ptr<Graph> graph, const lower::Plan& plan, const BuildOptions& options);
  Result<> share(std::unique_ptr<Graph> graph, const codegen::Target& target,
                 const BuildOptions& options);

  std::shared_ptr<const Graph> graph_; ///< whose ops the reference functions are given
  std::vector<std::string> referenceOps_;
  ProgramParts parts_;
  std::shared_ptr<const enfold_program> program_; ///< with the code, the tables and the constants
  CompileTimes times_;
  MemoryNeeds memoryNeeds_;
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
  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs,
                                  const enfold_run_limits* limits = nullptr);
  /// The same over memory of the caller's, for benchmarks: nothing is checked or allocated.
  Result<> runRaw(std::span<const void* const> inputs, std::span<void* const> outputs,
                  const enfold_run_limits* limits = nullptr);
  /// Goes on with another program. Its memory grows where that needs more.
  Result<> setExecutable(std::shared_ptr<const Executable> executable);
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
