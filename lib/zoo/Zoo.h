// Well-known convolutional networks, built with seeded random weights and BatchNorm unfused.
#pragma once

#include "ir/Graph.h"

#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace enfold::zoo {

struct Entry {
  std::string_view name;
  std::string_view summary; ///< what it is, one line
  Shape input;              ///< [N, C, spatial…]
  Result<std::unique_ptr<Graph>> (*build)(const Shape& input);
};

/// The table of networks, in the order `enfold zoo list` prints.
std::span<const Entry> entries();

/// Builds a network by its name, for its own input size or another of the same rank and channels.
/// An unknown name's error lists the names there are; a size the network cannot take is an error.
Result<std::unique_ptr<Graph>> build(std::string_view name, std::optional<Shape> input = {});

} // namespace enfold::zoo
