// Graph IR to ONNX.
//
// The model written is valid ONNX of the oldest opset that has what the graph holds (18 or later),
// before passes and after: fused ops become the ONNX ops they came from, and blocked layouts are
// left out, so that any other runtime can check what the passes did. Inputs, outputs and values
// keep their names. Importing it again gives the same graph but for this:
//   - constants come first, in their order, and have no origins;
//   - an op without an origin gets the name of its result as one, and one with several is written
//     with the first, the others being told in the node's documentation;
//   - an output that goes by another name than its value gives the value its name, or where the
//     value is an input, a constant, or another output as well, becomes an identity of it;
//   - where several ops have one origin, those behind the first have a number in theirs;
//   - batch_norm in training names all its results, and padding that is all zero is not stated;
//   - swish, which few runtimes know, is a multiplication by a sigmoid.
#pragma once

#include "ir/Graph.h"
#include "onnx/Signature.h"

#include <filesystem>
#include <map>

namespace enfold::onnx {

struct ExportOptions {
  /// Constants of more bytes than this together go to a file beside the model, named as the model
  /// with ".data" behind it. Protobuf takes no message of 2 GiB; the rest of that is for the nodes.
  int64_t inlineBytes = (int64_t{1} << 31) - (int64_t{1} << 26);
  /// Values of inputs that a caller may leave out, by name; written as initializers.
  std::map<std::string, Tensor> inputDefaults = {};
  /// Types of inputs and outputs, by name, that leave sizes open which the graph has a number for.
  /// It must be right for other numbers as well. With any, types of inner values are not stated.
  std::map<std::string, DeclaredType> openTypes = {};
};

/// Writes the model whole or not at all.
Result<> exportModel(const Graph& graph, const std::filesystem::path& path,
                     const ExportOptions& options = {});

/// The bytes of the model. All constants go into it.
Result<std::string> encodeModel(const Graph& graph, const ExportOptions& options = {});

} // namespace enfold::onnx
