// What a model takes, gives, holds and costs, found by compiling it up to the memory plan.
#pragma once

#include "diagnose/BatchNorms.h"
#include "diagnose/Certificates.h"
#include "diagnose/Scaling.h"
#include "driver/Compiler.h"
#include "onnx/Procedure.h"

namespace enfold::diagnose {

struct Inspection {
  std::string model; ///< as its user names it
  std::vector<TensorSpec> inputs, outputs;
  /// How many ops there are of each kind, constants left out.
  std::map<std::string, int64_t> ops, opsAfterPasses;
  int64_t parameters = 0;     ///< elements of the model's constants
  int64_t parameterBytes = 0; ///< their size in the model
  double flops = 0; ///< multiplications and additions in one run, counted as in direct convolution
  /// The same by the type of what is multiplied, or computed.
  std::map<std::string, double> flopsByType;
  /// Bytes of the tensors that ops compute after the passes, by element type.
  std::map<std::string, int64_t> tensorBytesByType;
  int64_t arenaBytes = 0;    ///< intermediate tensors
  int64_t constantBytes = 0; ///< weights as kernels read them
  int64_t calls = 0;         ///< kernel calls in one run
  int64_t kernels = 0;       ///< different ones among them
  int64_t generatedOps = 0;  ///< after the passes: ops with a generated kernel, or a part of one
  std::vector<std::string> referenceOps; ///< those without, described
  std::vector<BatchNormAccount> batchNorms;
  std::vector<Certificate> certificates;
  /// Nodes that data decide, with what is behind them no part of the rest of this.
  std::vector<onnx::Remainder::Decided> decided;
  std::optional<Scaling> scaling; ///< if numbers of threads were given
  std::string plan; ///< text of the memory plan: buffers with offsets and lifetimes, then calls
};

/// Compiles the graph up to its memory plan. `model` is only a name for the result; with numbers of
/// threads, it is predicted how well these share the work.
Result<Inspection> inspect(const std::string& model, std::unique_ptr<Graph> graph,
                           const CompileOptions& options, std::vector<int> threads = {});

Json toJson(const Inspection& inspection); ///< without the plan

} // namespace enfold::diagnose
