// Sizes that a model leaves open, for those who write it anew.
#pragma once

#include "driver/Model.h"
#include "onnx/Signature.h"

#include <functional>

namespace enfold::quantize {

struct OpenSizes {
  /// Types of inputs and outputs, by name, with the sizes open that the model leaves open; empty if
  /// there is none, or if the model computes with its sizes.
  std::map<std::string, onnx::DeclaredType> types;
  bool computesWithThem = false;
};

/// How a model is loaded, and what of it is compared.
using Load = std::function<Result<LoadedModel>(const LoadOptions& options)>;
using Prepare = std::function<Result<std::unique_ptr<Graph>>(const Graph& graph)>;

/// A computation that is the same for two sizes is taken to be the same for any. `options` are
/// those that the model was loaded with.
OpenSizes openSizes(const LoadedModel& model, LoadOptions options, const Load& load,
                    const Prepare& prepare);

} // namespace enfold::quantize
