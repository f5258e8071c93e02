// The text form of a graph (`.eir`); Parser.h reads it back. One statement a line:
//
//   graph @net(%x: f32[1,3,8,8]) {
//     %w = const f32[4,3,3,3] file("net.bin", 0)   @"conv1.weight"
//     %y = conv(%x, %w, _) {pads=[1,1,1,1]} epilogue(relu(acc)) : f32[1,4,8,8]   @"/Conv", "/Relu"
//     return %y
//   }
//
// Absent operands are "_", attributes at their default are left out, and the names behind @ are the
// ONNX nodes an op came from. An output whose name is not its value's is written `%y as "name"`.
#pragma once

#include "ir/Graph.h"

#include <functional>
#include <optional>

namespace enfold {

/// How constants of more than 16 elements are written, unless all elements are equal (`splat(v)`).
struct PrintOptions {
  enum class Constants {
    Elide, ///< elided(hash): for reading by people; parses for viewing only
    Hex,   ///< data("hex"): self-contained
    File,  ///< file("name", offset), the bytes going to `append`
  };
  Constants constants = Constants::Elide;
  std::string fileName; ///< File: as written in the text
  /// File: takes a constant's bytes and returns the offset they will be found at.
  std::function<int64_t(const Tensor&)> append;
};

std::string print(const Graph& graph, const PrintOptions& options = {});

/// One op as it appears in the text, without indentation or line end.
std::string print(const Op& op, const PrintOptions& options = {});

/// The graph in Graphviz's dot language, constants left out.
std::string printDot(const Graph& graph);

} // namespace enfold
