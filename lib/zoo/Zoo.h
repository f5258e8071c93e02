// Well-known convolutional networks, built with seeded random weights and BatchNorm unfused.
#pragma once

#include "ir/Graph.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace enfold::zoo {

struct Entry {
  std::string_view name;
  std::string_view summary; ///< what it is, one line
  Shape input;              ///< [N, C, spatial…]
  Result<std::unique_ptr<Graph>> (*build)(const Shape& input);
  /// Of a network whose graph is right for any sizes of some dimensions, the names of these
  /// dimensions of its input and of its output, "" for the others; else none.
  std::vector<std::string> inputSymbols = {}, outputSymbols = {};
  /// Whether data decide sizes. The graph then states those of one outcome of many.
  bool decidedByData = false;

  bool isOpen() const { return !inputSymbols.empty(); }
};

/// The table of networks, in the order `enfold zoo list` prints.
std::span<const Entry> entries();

/// The network of that name. An unknown name's error lists the names there are.
Result<const Entry*> find(std::string_view name);

/// Builds a network by its name, for its own input size or another of the same rank and channels. A
/// size the network cannot take is an error.
Result<std::unique_ptr<Graph>> build(std::string_view name, std::optional<Shape> input = {});

} // namespace enfold::zoo
