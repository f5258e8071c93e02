// Reading tensors inside a network without changing its outputs.
//
// The outputs come from the unchanged program. Tensors that it computes are read from a second
// program, which has the same ops after the same passes and stores these tensors as well. Tensors
// that were fused away are computed by a third, unfused program from the nearest ones of the
// second.
#pragma once

#include "driver/Compiler.h"

#include <map>

namespace enfold::diagnose {

struct TappedRun {
  std::vector<Tensor> outputs;        ///< with the bits of a run without taps
  std::map<std::string, Tensor> taps; ///< by the name asked for
  bool sameProgram = true;            ///< the second program had the same outputs bit for bit
};

class TappedNetwork {
public:
  /// Names are of tensors or nodes of the model; a node stands for its first result.
  static Result<std::unique_ptr<TappedNetwork>> create(std::unique_ptr<const Graph> model,
                                                       const CompileOptions& options,
                                                       const Session::Options& session,
                                                       const std::vector<std::string>& names);

  const Graph& graph() const { return *optimized_; }
  const PipelineReport& report() const { return report_; }
  /// Whether the compiled network itself computes the tensor of that name.
  bool isComputed(const std::string& name) const { return computed_.contains(name); }
  Result<TappedRun> run(std::span<const Tensor> inputs);

private:
  TappedNetwork() = default;
  Result<> buildReplay(const std::vector<const Value*>& fused, const CompileOptions& options,
                       const Session::Options& session);

  std::unique_ptr<const Graph> model_;
  std::shared_ptr<const Graph> optimized_;
  PipelineReport report_;
  std::unique_ptr<Session> main_, second_, replay_;
  std::map<std::string, const Value*> wanted_; ///< values of the model by the name asked for
  std::map<std::string, size_t> computed_; ///< by value name: which output of the second program
  std::map<std::string, Tensor> folded_;   ///< by value name: what the passes made a constant
};

/// The value of the model that the name is of: a tensor, an output, or a node's first result; null
/// if there is none.
const Value* findTensor(const Graph& model, const std::string& name);

} // namespace enfold::diagnose
