// Every tensor that a compiled network computes, against the same tensor computed in another way.
// The first one that differs by more than rounding is where to look for the cause.
#pragma once

#include "diagnose/Compare.h"
#include "diagnose/Json.h"
#include "driver/Compiler.h"

namespace enfold::diagnose {

using Tensors = std::map<std::string, Tensor>; ///< by the name of the model's value

/// Tensors that ops of the model compute and something reads, in order.
std::vector<const Value*> computedValues(const Graph& model);

/// Those tensors by the reference functions, without passes.
Result<Tensors> referenceTensors(const Graph& model, std::span<const Tensor> inputs);
/// By the model compiled without fusion.
Result<Tensors> unfusedTensors(const Graph& model, std::span<const Tensor> inputs,
                               const CompileOptions& compile, const Session::Options& session);
/// By ONNX Runtime (diagnose/OnnxRuntime.h).
Result<Tensors> onnxRuntimeTensors(const Graph& model, std::span<const Tensor> inputs);

struct DiffProblem {
  std::string name; ///< of the model, as its user names it
  const Graph& model;
  std::span<const Tensor> inputs;
  std::string against;     ///< what gave the tensors expected: "reference"
  const Tensors& expected; ///< may be some of the model's only
  CompileOptions compile = {};
  Session::Options session = {};
  std::optional<double> rtol = {}, atol = {}; ///< instead of what rounding explains
  bool fusedAway = false;                     ///< compare tensors that fusion removed as well
};

/// One tensor, computed in both ways.
struct TensorDiff {
  std::string name;
  std::string nodes;    ///< the ONNX nodes that compute it, separated by ", "
  bool computed = true; ///< by the network itself; false: fused away, computed from its neighbours
  Comparison comparison;
  double ulp = 0; ///< largest distance, in units in the last place of the expected element

  /// "equal", "float noise", of integers "rounding", or "different" and perhaps why.
  std::string status() const;
};

struct Diff {
  std::string model, against;
  std::vector<TensorDiff> different, same; ///< each in the order of the model
  int64_t fusedAway = 0;                   ///< tensors left out because fusion removed them
};

Result<Diff> diff(const DiffProblem& problem);

Json toJson(const Diff& diff);

} // namespace enfold::diagnose
