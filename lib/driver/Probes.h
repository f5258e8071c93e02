// What varies with the size of a network's inputs, found out by lowering it for a few sizes more.
#pragma once

#include "driver/Compiler.h"
#include "driver/Model.h"

namespace enfold {

/// Whether observeSizes() has sizes to vary: not if the model leaves open small ones only.
bool areSizesVaried(const onnx::Signature& signature, std::span<const NamedTensor> inputs,
                    const LoadOptions& load);

/// Lowers the model for sizes beside those of `inputs`, where it leaves them open, and shows the
/// plans to the store of the options. With `compiles`, these are a few more and those of `inputs`,
/// and what the store then has no code for is compiled. A size that the model does not allow is
/// passed over.
Result<> observeSizes(const ModelSource& model, const onnx::Signature& signature,
                      std::span<const NamedTensor> inputs, const LoadOptions& load,
                      const CompileOptions& options, bool compiles);

} // namespace enfold
