// What a model declares before any size is bound: its inputs, its outputs, and what it says of
// itself.
#pragma once

#include "ir/ElemType.h"
#include "support/Result.h"

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace enfold::onnx {

struct ImportLimits;

/// What a declaration says of a tensor, or of those of a sequence, with sizes it leaves open as
/// nullopt.
struct DeclaredType {
  enum class Kind { Tensor, Sequence, OptionalTensor, OptionalSequence };
  struct Dim {
    std::optional<int64_t> size;
    std::string symbol; ///< empty if the dimension has none
    bool operator==(const Dim&) const = default;
  };
  ElemType elem = ElemType::Undefined;
  std::optional<std::vector<Dim>> dims; ///< nullopt if nothing is known of the shape
  Kind kind = Kind::Tensor;
  bool isTensor() const { return kind == Kind::Tensor; }
  bool isSequence() const { return kind == Kind::Sequence || kind == Kind::OptionalSequence; }
  bool isOptional() const { return kind == Kind::OptionalTensor || kind == Kind::OptionalSequence; }
  bool operator==(const DeclaredType&) const = default;
};

/// An input or output of a model.
struct DeclaredTensor {
  std::string name;
  DeclaredType type; ///< elem is Undefined where there are no tensors of numbers
  bool operator==(const DeclaredTensor&) const = default;
};

struct Signature {
  std::vector<DeclaredTensor> inputs;      ///< that a caller must give
  std::vector<DeclaredTensor> overridable; ///< inputs with a default value
  std::vector<DeclaredTensor> outputs;
  std::string graphName, graphDescription;
  std::string producer, producerVersion;
  std::string domain, description;
  int64_t modelVersion = 0;
  int64_t irVersion = 0;
  std::map<std::string, int64_t> opsets;       ///< by domain; "" is ONNX itself
  std::map<std::string, std::string> metadata; ///< the model's metadata_props
  /// Nodes whose operator cannot be imported, whatever the sizes, each with the reason.
  std::vector<Diag> unsupported;
  bool operator==(const Signature&) const = default;
};

/// Reads the declarations and no tensor. The file must be a model; whether all of it can be
/// imported is not checked.
Result<Signature> readSignature(const std::filesystem::path& file, const ImportLimits& limits);
Result<Signature> readSignature(std::span<const std::byte> bytes, const ImportLimits& limits);

} // namespace enfold::onnx
