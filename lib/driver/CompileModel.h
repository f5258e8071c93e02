// From a model's name to a program that is ready to run, through the cache if there is one.
#pragma once

#include "driver/CompileCache.h"
#include "driver/Compiler.h"
#include "driver/Model.h"

namespace enfold {

struct CompiledModel {
  /// Null for an open model (LoadOptions::onlyClosed), and if data decide all of it.
  std::shared_ptr<const Executable> executable;
  std::map<std::string, Tensor> inputDefaults, boundInputs; ///< see LoadedModel
  std::vector<std::string> notes;
  onnx::Remainder remainder; ///< what data decide, behind the program
  onnx::Signature signature; ///< see LoadedModel
  PipelineReport report;     ///< empty if the program comes from the cache
  bool cached = false;
};

/// Loads the model to be run on `inputs` (see loadModelFor()) and compiles it. With a cache, a
/// program that was made of the same bytes, for such inputs, with the same options, for this
/// machine, by this build of the compiler is linked instead. Programs that call reference functions
/// and models in text form are not stored, nor are those of which data decide a part: with
/// `staged`, the part in front of it is compiled.
Result<CompiledModel> compileModel(const ModelSource& model, std::span<const NamedTensor> inputs,
                                   const LoadOptions& load, const CompileOptions& options,
                                   const CompileCache* cache = nullptr, bool staged = false);

} // namespace enfold
