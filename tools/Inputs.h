// What a command runs a model on: tensors from files, folders of test data, or random numbers.
#pragma once

#include "diagnose/Compare.h"
#include "onnx/TensorFile.h"
#include "tools/Common.h"
#include "tools/Pixels.h"

namespace CLI {
class Option;
}

namespace enfold::tool {

struct InputOptions {
  std::vector<std::string> files; ///< see tools/InputFiles.h
  PixelOptions pixels;
  std::vector<uint64_t> seeds;
  CLI::Option* random = nullptr; ///< --random, with a seed or without

  bool isRandom() const;
  uint64_t seed() const { return seeds.empty() ? 1 : seeds.front(); }

  void add(CLI::App& app);
};

/// Tolerances that a user states.
struct ToleranceOptions {
  std::optional<double> rtol, atol;

  void add(CLI::App& app);
  diagnose::Tolerance over(const diagnose::Tolerance& standard) const {
    return {rtol.value_or(standard.rtol), atol.value_or(standard.atol),
            isStated() ? 0 : standard.rounding};
  }
  bool isStated() const { return rtol || atol; }
};

/// Inputs of a loaded model that need not be given, or no longer can be.
struct OptionalInputs {
  std::map<std::string, Tensor> defaults, bound;

  /// Whether the model has that input, possibly compiled in.
  bool has(std::span<const TensorSpec> inputs, const std::string& name) const;
};

/// The tensors of --input.
Result<std::vector<NamedTensor>> readInputs(const InputOptions& options, const ModelOptions& model);

/// The tensors in the order of the model's inputs.
Result<std::vector<Tensor>> arrange(const InputOptions& options, std::span<const TensorSpec> inputs,
                                    const OptionalInputs& optional,
                                    std::span<const NamedTensor> given);

/// Inputs of a set that go by another name than the model's, or none, get the name of their place.
void nameByPosition(std::vector<NamedTensor>& given, std::span<const TensorSpec> inputs,
                    const OptionalInputs& optional);

/// The option that says what to compare with: a way to compute, or a folder of test data.
void addAgainst(CLI::App& app, std::string& against);
/// reference, unfused or onnxruntime.
bool isWayToCompute(const std::string& against);
/// An error unless there is a folder of that name.
Result<> checkFolder(const std::string& against);

/// The tolerance of a folder: what its tolerance.json says, if there is one.
Result<diagnose::Tolerance> folderTolerance(const std::filesystem::path& folder);

/// A model and what it is run on, with the answer expected.
struct Trial {
  std::unique_ptr<Graph> graph;
  std::vector<Tensor> inputs;
  std::vector<Tensor> expected; ///< empty: nothing is known
  diagnose::Tolerance tolerance;
};

/// Of a set of test data, or of --input and --random when `set` is null.
Result<Trial> makeTrial(const ModelOptions& model, const InputOptions& options,
                        const onnx::DataSet* set);

/// Where the tensor of that name is stored: slashes and the like do not make folders.
std::filesystem::path tensorPath(const std::filesystem::path& folder, std::string name);

} // namespace enfold::tool
