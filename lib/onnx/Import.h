// ONNX model to Graph IR.
//
// Models of opset 1 to 28 and IR version 3 up are read; every node is brought to the newest form of
// its operator on the way, so that nothing behind the importer knows opset versions. Shapes are
// static in the graph: symbolic dimensions are bound here. A model is either imported whole or
// refused with every problem listed; nothing a file holds can do more harm than that.
#pragma once

#include "ir/Graph.h"
#include "onnx/Procedure.h"
#include "onnx/Signature.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace enfold::onnx {

/// Bounds on what a file may ask for; a model beyond one is refused by name.
struct ImportLimits {
  int64_t fileBytes = int64_t{2'147'483'647}; ///< of the model file itself (protobuf's own bound)
  int64_t nodes = 1'000'000;                  ///< after inlining
  int64_t tensorBytes = int64_t{1} << 34;     ///< of one constant
  int64_t expandedBytes = int64_t{1} << 30;   ///< of one constant made larger than its data
  int nesting = 64;                           ///< of function calls and subgraphs
  int64_t iterations = int64_t{1} << 24;      ///< of a loop
};

struct ImportOptions {
  /// Sizes of inputs whose declared shape is not fully known, by input name.
  std::map<std::string, Shape> shapes;
  /// Data at hand, in the order of the inputs; a nameless tensor goes by its place. Its shapes
  /// settle sizes that nothing else states, its values become those of inputs that decide shapes.
  /// Ignored where it does not fit.
  std::vector<NamedTensor> samples;
  /// Sizes of symbolic dimensions by their name ("batch").
  std::map<std::string, int64_t> dims;
  /// Inputs to be replaced by these constants: for shapes and the like that come in as inputs.
  std::map<std::string, Tensor> values;
  /// Values of initializers, in place of those that the file has or refers to.
  std::map<std::string, Tensor> replacements;
  /// Whether an input with a default value (IR version 4 up) becomes that constant.
  enum class Initializers { Overridable, Frozen };
  Initializers initializers = Initializers::Overridable;
  /// With frozen initializers: those that stay overridable all the same.
  std::set<std::string> overridden;
  /// Asked, if set, once the signature is known; where it says no, the import ends there.
  std::function<bool(const Signature&)> wanted;
  /// Takes the part of the model in front of what data decide, instead of refusing it.
  bool cut = false;
  ImportLimits limits;
};

/// Whether shapes may depend on the contents of an input of this type. Images and the like do not
/// decide shapes: sizes, scales and counts are lists.
inline bool mayDecideShapes(const Type& type) { return type.rank() <= 1 || isInteger(type.elem); }

struct ImportedModel {
  std::unique_ptr<Graph> graph; ///< null if it was not wanted
  /// Defaults of graph inputs that a caller may leave out.
  std::map<std::string, Tensor> inputDefaults;
  /// Inputs of the model that became constants through ImportOptions::values.
  std::map<std::string, Tensor> boundInputs;
  /// What a user should know although the import succeeded, a sentence each.
  std::vector<std::string> notes;
  std::vector<std::filesystem::path> dataFiles; ///< files beside the model that hold tensors
  Remainder remainder;                          ///< of a model that was cut
  Signature signature;
};

Result<ImportedModel> importModel(const std::filesystem::path& file,
                                  const ImportOptions& options = {});

/// From memory. External data is looked for in `folder`; without one it is refused.
Result<ImportedModel> importModel(std::span<const std::byte> bytes,
                                  const ImportOptions& options = {},
                                  const std::filesystem::path& folder = {});

/// The range of opsets of the domain "" that can be read.
constexpr int64_t kOldestOpset = 1;
constexpr int64_t kNewestOpset = 28;
constexpr int64_t kOldestIrVersion = 3;
constexpr int64_t kNewestIrVersion = 14;

} // namespace enfold::onnx
