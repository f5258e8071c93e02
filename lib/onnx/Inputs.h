// The model's inputs: their types with every dimension bound to a number.
#pragma once

#include "onnx/Import.h"
#include "onnx/ReadSignature.h"

namespace enfold::onnx {

/// Sizes for symbolic dimensions, from the options: those given by name, and those that follow from
/// the shapes given for inputs.
class DimBindings {
public:
  explicit DimBindings(const ImportOptions& options) : options_(options), sizes_(options.dims) {}

  /// Learns the symbols of an input whose shape is given. Call for all inputs before shapeOf.
  Result<> learn(const std::string& input, const DeclaredType& type);
  /// Says which inputs the samples belong to, given those without a value in their order.
  void nameSamples(std::span<const std::string> inputs);
  /// Learns from the sample where a symbol is still open. Call after learn for all.
  void learnSample(const std::string& input, const DeclaredType& type);
  /// Takes the first size of a tensor, its batch, as 1 where it is open, and says so in a sentence.
  /// Call after learnSample for all.
  std::optional<std::string> assumeBatch(const std::string& input, const DeclaredType& type);
  /// The sample of an input, or null.
  const Tensor* sample(const std::string& input) const;
  /// The shape of an input, or an error that says how to state it.
  Result<Shape> shapeOf(const std::string& input, const DeclaredType& type) const;
  /// The type if all its dimensions are known.
  std::optional<Type> resolve(const DeclaredType& type) const;

private:
  /// The shape of the input's sample if its rank fits.
  const Shape* sampleShape(const std::string& input, const DeclaredType& type) const;
  std::optional<int64_t> sizeOf(const DeclaredType::Dim& dim) const;

  const ImportOptions& options_;
  std::map<std::string, int64_t> sizes_; ///< of the symbols that are stated
  /// Of the other symbols, those of the samples; none where two samples differ, as exporters may
  /// give one name to sizes that have nothing to do with each other.
  std::map<std::string, std::optional<int64_t>> sampled_;
  std::map<std::string, const Tensor*> samples_;
  std::set<std::string> singleBatch_; ///< inputs whose batch is assumed
};

} // namespace enfold::onnx
