// Why a model compiles as it does: the status of every batch normalization, every rewrite that was
// done or refused with its reason, and how each op runs.
#pragma once

#include "diagnose/BatchNorms.h"
#include "driver/Compiler.h"
#include "onnx/Procedure.h"
#include "passes/FoldError.h"

namespace enfold::diagnose {

/// How an op of the graph after the passes runs.
struct OpAccount {
  std::string op;                    ///< its kind: "conv"
  std::vector<std::string> epilogue; ///< the kinds of the ops fused into it, in order: "relu"
  Type type;                         ///< of its first result
  std::vector<std::string> nodes;    ///< the ONNX nodes whose work it does
  std::string runsAs;                ///< the kernel family, "view" or "reference"
  /// Families that were asked first, and why they cannot take it.
  std::vector<std::pair<std::string, std::string>> refused;
};

OpAccount accountOf(const Op& op, const codegen::Target& target);

struct Explanation {
  std::string model; ///< as its user names it
  std::vector<BatchNormAccount> batchNorms;
  std::vector<Remark> remarks;                 ///< in the order of the passes' candidates
  std::vector<OpAccount> ops;                  ///< in order, constants left out
  std::optional<std::vector<FoldError>> folds; ///< if they were to be measured
  /// Nodes that data decide, with what is behind them no part of the rest of this.
  std::vector<onnx::Remainder::Decided> decided;
};

struct ExplainOptions {
  /// Measure the error of each fold, by running the reference functions on random inputs.
  bool measureFolds = false;
};

/// `model` is only a name for the result.
Result<Explanation> explain(const std::string& model, std::unique_ptr<Graph> graph,
                            const CompileOptions& compile, const ExplainOptions& options = {});

/// What keeps a model from being fused as a gate demands: for fold-batchnorm, the normalizations
/// behind a convolution or matrix product that were not folded; for another pass, every refusal.
std::vector<Remark> missedBy(const Explanation& explanation, std::string_view pass);

Json toJson(const Explanation& explanation);
Json toJson(const std::vector<onnx::Remainder::Decided>& decided);
Json toJson(const Remark& remark);

} // namespace enfold::diagnose
