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

/// Of the bytes of the file, or of those in memory.
Result<uint64_t> hashOf(const ModelSource& model);

/// All that the kernels which programs of the model share depend on; empty if they cannot be
/// stored.
Result<std::string> keyOfTemplates(const ModelSource& model, const LoadOptions& load,
                                   const CompileOptions& options);

/// The program that compileModel() would take from the cache, if there is one. A damaged one is
/// removed, and told in `notes`.
Result<std::optional<CompiledModel>>
findModel(const ModelSource& model, std::span<const NamedTensor> inputs, const LoadOptions& load,
          const CompileOptions& options, const CompileCache& cache,
          std::vector<std::string>& notes);

/// Loads the model to be run on `inputs` (see loadModelFor()) and compiles it. With a cache, a
/// program that was made of the same bytes, for such inputs, with the same options, for this
/// machine, by this build of the compiler is linked instead. Programs that call reference functions
/// and models in text form are not stored, nor are those of which data decide a part: with
/// `staged`, the part in front of it is compiled. Where algorithms are pinned, programs are taken
/// from the cache only when it is known which.
Result<CompiledModel> compileModel(const ModelSource& model, std::span<const NamedTensor> inputs,
                                   const LoadOptions& load, const CompileOptions& options,
                                   const CompileCache* cache = nullptr, bool staged = false);

} // namespace enfold
