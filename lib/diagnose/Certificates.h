// The certificates of folds: what was folded into what, and a bound on the rounding error this
// brings (docs/numerics.md). Compiled files carry them.
#pragma once

#include "diagnose/Json.h"
#include "passes/PassManager.h"

namespace enfold::diagnose {

/// One fold. For inputs of the folded op no larger than m, its result changes by at most
/// `boundPerInput` * m + `boundConstant`.
struct Certificate {
  std::string pass;               ///< "fold-batchnorm"
  std::string reason;             ///< the code of the remark: "folded"
  std::vector<std::string> nodes; ///< the ONNX nodes concerned, the folded one first
  std::string tensor;             ///< the tensor of the model that the folded op computes
  /// Everything the pass measured, by name: channels, denormals, bounds ...
  std::map<std::string, double> numbers;

  double boundPerInput() const { return numbers.at("bound_per_input"); }
  double boundConstant() const { return numbers.at("bound_constant"); } ///< in units of the tensor
};

/// One for each fold that was done.
std::vector<Certificate> certificatesOf(const PipelineReport& report);

Json toJson(std::span<const Certificate> certificates);
/// The inverse of toJson(). Throws the exceptions of the JSON library for other JSON.
std::vector<Certificate> certificatesFrom(const Json& json);

} // namespace enfold::diagnose
