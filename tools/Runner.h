// What `enfold run` runs: a model by its executable or by the reference functions, in stages where
// data decide sizes.
#pragma once

#include "driver/Stage.h"
#include "tools/Cache.h"
#include "tools/Inputs.h"

namespace enfold::tool {

enum class Engine : uint8_t { Compiled, Reference };

class Runner {
public:
  /// Ready to run on inputs like these.
  static Result<Runner> make(const ModelOptions& model, const CacheOptions& cache, Engine engine,
                             std::span<const NamedTensor> inputs);

  std::vector<TensorSpec> inputs() const;
  /// Of a model that runs in stages, types are known behind a run only.
  std::vector<TensorSpec> outputs() const;
  bool isStaged() const { return stage_ != nullptr; }
  const OptionalInputs& optional() const { return optional_; }
  /// Keeps those of `given` that are sequences and optional values for the runs to come, and
  /// returns the others.
  std::vector<NamedTensor> keepCollections(std::vector<NamedTensor> given);
  /// The outputs; the tensors of a sequence `q` are named `q[0]` and so on.
  Result<std::vector<NamedTensor>> run(std::span<const Tensor> inputs);

private:
  Result<> interpret(const ModelOptions& model, std::span<const NamedTensor> inputs);

  std::unique_ptr<Graph> graph_;
  std::unique_ptr<Session> session_;
  std::shared_ptr<Stage> stage_;
  onnx::Signature signature_; ///< of a model that runs in stages
  std::vector<NamedTensor> collections_;
  OptionalInputs optional_;
};

/// Runs a batch of any size through a network compiled for another, piece by piece.
Result<std::vector<NamedTensor>> runInPieces(Runner& runner, std::vector<Tensor> inputs);

} // namespace enfold::tool
