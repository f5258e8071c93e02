// The model's inputs: their types with every dimension bound to a number.
#pragma once

#include "onnx/Import.h"
#include "onnx/Proto.h"

namespace enfold::onnx {

/// What a TypeProto says, with dimensions it leaves open as nullopt.
struct DeclaredType {
  struct Dim {
    std::optional<int64_t> size;
    std::string symbol; ///< empty if the dimension has none
  };
  ElemType elem = ElemType::Undefined;
  std::optional<std::vector<Dim>> dims; ///< nothing at all is known of the shape
};

/// Reads the declaration of a tensor; other kinds of values are refused.
Result<DeclaredType> readType(const pb::ValueInfoProto& info);

/// Sizes for symbolic dimensions, from the options: those given by name, and those that follow from
/// the shapes given for inputs.
class DimBindings {
public:
  explicit DimBindings(const ImportOptions& options) : options_(options), sizes_(options.dims) {}

  /// Learns the symbols of an input whose shape is given. Call for all inputs before shapeOf.
  Result<> learn(const std::string& input, const DeclaredType& type);
  /// Says which inputs the fallback shapes belong to, given those without a value in their order.
  void nameFallbacks(std::span<const std::string> inputs);
  /// Learns from the fallback shape where a symbol is still open. Call after learn for all.
  void learnFallback(const std::string& input, const DeclaredType& type);
  /// The shape of an input, or an error that says how to state it.
  Result<Shape> shapeOf(const std::string& input, const DeclaredType& type) const;
  /// The type if all its dimensions are known.
  std::optional<Type> resolve(const DeclaredType& type) const;

private:
  /// The input's fallback shape if its rank fits.
  const Shape* fallback(const std::string& input, const DeclaredType& type) const;
  std::optional<int64_t> sizeOf(const DeclaredType::Dim& dim) const;

  const ImportOptions& options_;
  std::map<std::string, int64_t> sizes_;
  std::map<std::string, Shape> fallbacks_;
};

} // namespace enfold::onnx
