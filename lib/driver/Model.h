// Loads a MODEL as users name it: a .onnx file, an .eir file, or zoo:NAME.
#pragma once

#include "driver/MemoryNeeds.h"
#include "ir/Graph.h"
#include "onnx/ParsedModel.h"

#include <filesystem>
#include <map>
#include <set>
#include <string>

namespace enfold {

/// Where a model comes from: a .onnx or .eir file, "zoo:NAME", or the bytes of an ONNX file.
struct ModelSource {
  std::string name; ///< the path or "zoo:NAME"; of bytes, what messages call them
  std::shared_ptr<const std::string> bytes = {};
  std::filesystem::path folder = {}; ///< of bytes: where external data lies; empty: it is refused
  std::shared_ptr<const onnx::ParsedModel> parsed = {}; ///< what was read of it ahead, if anything
  std::optional<uint64_t> hash = {};                    ///< of its bytes, where that is known

  ModelSource(std::string path) : name(std::move(path)) {}
  ModelSource(const char* path) : name(path) {}
  ModelSource(const std::filesystem::path& path) : name(path.string()) {}
  static ModelSource inMemory(std::string bytes, std::filesystem::path folder = {});

  bool isZoo() const { return !bytes && name.starts_with("zoo:"); }
  bool isText() const { return !bytes && name.ends_with(".eir"); }
  /// Reads an ONNX model, which is to be loaded for inputs of many sizes.
  Result<> readAhead(const onnx::ImportLimits& limits);
  /// The file's name without folder and extension, or the zoo's name for it.
  std::string stem() const;
};

/// The sizes that a dimension may have.
struct SizeRange {
  int64_t least, most;
};

struct LoadOptions {
  std::map<std::string, Shape> shapes; ///< sizes of inputs, by input name
  /// Of each dimension of an input, or of a symbolic dimension, within which the sizes of samples
  /// must be.
  std::map<std::string, std::vector<SizeRange>> ranges = {};
  /// Data at hand, in the order of the inputs, nameless or not: it settles what is still open.
  std::vector<NamedTensor> samples;
  std::map<std::string, int64_t> dims;  ///< sizes of symbolic dimensions, by their name
  std::map<std::string, Tensor> values; ///< inputs to be replaced by constants
  /// Values of initializers, in place of the model's.
  std::map<std::string, Tensor> replacements = {};
  bool freezeInitializers = false;        ///< inputs that have a default become that constant,
  std::set<std::string> overridden;       ///< but not these
  onnx::ImportLimits limits;              ///< of .eir files too, as far as they apply
  std::optional<MemoryLimit> memory = {}; ///< that the files' bytes alone must not exceed
  bool allowElided = false;               ///< .eir: take elided constants as zeros, for viewing
  bool cut = false;        ///< a model in which data decide sizes: load the part in front of them
  bool onlyClosed = false; ///< of a model whose inputs leave sizes open, read the signature alone
};

/// Reads "NAME=1x3x224x224", "NAME:1x3x224x224" or "NAME=[1,3,224,224]". One number may be the
/// shape of a one-dimensional input or the size of a symbolic dimension: the importer knows. Where
/// a number is a range, like 32..640, the whole is that of `ranges`.
Result<> addShape(LoadOptions& load, std::string_view text);

/// The declaration of a tensor all of whose sizes are known.
onnx::DeclaredTensor declare(std::string name, const Type& type);

/// Whether the model leaves a size of that input open, and the options do not state it.
bool isOpen(const onnx::DeclaredTensor& input, const LoadOptions& options);
/// Whether it leaves any open.
bool isOpen(const onnx::Signature& signature, const LoadOptions& options);

struct LoadedModel {
  std::string name;
  std::unique_ptr<Graph> graph; ///< null if it was not wanted: LoadOptions::onlyClosed
  std::map<std::string, Tensor> inputDefaults;  ///< inputs that may be left out
  std::map<std::string, Tensor> boundInputs;    ///< inputs of the file that became constants
  std::vector<std::string> notes;               ///< what a user should know, a sentence each
  std::vector<std::filesystem::path> dataFiles; ///< files beside the model that hold tensors
  onnx::Remainder remainder;                    ///< of a model that was cut
  onnx::Signature signature;                    ///< what the model declares of itself
};

Result<LoadedModel> loadModel(const ModelSource& model, const LoadOptions& options = {});

/// What the model declares, before any size is bound.
Result<onnx::Signature> loadSignature(const ModelSource& model, const LoadOptions& options = {});

/// Loads the model to be run on `inputs`, in their order and nameless or not: they settle open
/// sizes, inputs that decide a shape become constants, which a note tells, and so do the defaults
/// of inputs that are not given.
Result<LoadedModel> loadModelFor(const ModelSource& model, std::span<const NamedTensor> inputs,
                                 LoadOptions options);

/// loadModel(); of a model in which data decide sizes or the way on, the part in front of them,
/// with a note for each node that they decide.
Result<LoadedModel> loadStaged(const ModelSource& model, const LoadOptions& options);
/// The same as loadModelFor().
Result<LoadedModel> loadStaged(const ModelSource& model, std::span<const NamedTensor> inputs,
                               const LoadOptions& options);

} // namespace enfold
