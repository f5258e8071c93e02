// Models of one node that runs graphs, as branches or as the body of a loop, which graphs have no
// ops for.
//
// Inputs of the model are named after those of the graphs; with "first " in front, the values of
// those that are carried from one iteration to the next; with " rows" behind, what is scanned.
// Outputs are named "out0", "out1" and so on, in the order of the graphs' outputs.
#pragma once

#include "ir/Graph.h"

namespace enfold::onnx {

/// An `If`: its input "condition", a bool, chooses between graphs of one output each.
Result<std::string> encodeIf(const Graph& chosen, const Graph& other);

/// What a loop runs. Its first outputs are the next values of the inputs named `carried`, in their
/// order; the outputs behind them are collected.
struct LoopBody {
  const Graph& graph;
  std::vector<std::string> carried;
};

/// A `Loop`, of as many iterations as its input "trips" says. It reads the inputs that are not
/// carried as they are.
Result<std::string> encodeLoop(const LoopBody& body);

/// A `Scan`, over the rows of the inputs that are not carried, of which there must be one.
Result<std::string> encodeScan(const LoopBody& body);

} // namespace enfold::onnx
