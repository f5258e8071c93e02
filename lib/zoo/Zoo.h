// Well-known convolutional networks, built with seeded random weights and BatchNorm unfused.
#pragma once

#include "ir/Graph.h"

#include <memory>
#include <span>
#include <string_view>

namespace enfold::zoo {

struct Entry {
  std::string_view name;
  std::string_view summary; ///< input and what it is, one line
  std::unique_ptr<Graph> (*build)();
};

/// The table of networks, in the order `enfold zoo list` prints.
std::span<const Entry> entries();

/// Builds a network by its name; an error lists the names there are.
Result<std::unique_ptr<Graph>> build(std::string_view name);

} // namespace enfold::zoo
