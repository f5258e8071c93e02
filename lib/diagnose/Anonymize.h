// A model that tells nothing of the one it was made from but its structure: the same ops, shapes
// and attributes, with neutral names, and with constants replaced by random ones of like
// statistics.
#pragma once

#include "ir/Graph.h"
#include "onnx/Signature.h"

#include <map>

namespace enfold::diagnose {

/// Why a constant keeps its numbers.
enum class Kept : uint8_t {
  Scalar,        ///< it has one element, or none
  OneValue,      ///< all its elements are the same
  DecidesTypes,  ///< element types or shapes depend on it
  SmallIntegers, ///< 64-bit integers or booleans, 64 of them at most
};

/// "scalars", "of one value", ...
std::string_view name(Kept why);

struct Anonymized {
  std::unique_ptr<Graph> graph;
  std::map<std::string, Tensor> inputDefaults;         ///< by neutral name
  std::map<std::string, onnx::DeclaredType> openTypes; ///< by neutral name, with neutral symbols
  std::map<Kept, size_t> kept;                         ///< constants, by reason
  size_t replaced = 0;                                 ///< constants
  int64_t replacedBytes = 0;
};

/// `model` is as imported. `openTypes` are of its inputs and outputs; equal constants stay equal.
Anonymized anonymize(const Graph& model, const std::map<std::string, Tensor>& inputDefaults = {},
                     const std::map<std::string, onnx::DeclaredType>& openTypes = {});

} // namespace enfold::diagnose
