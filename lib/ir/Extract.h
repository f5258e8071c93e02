// A part of a graph as a graph of its own.
#pragma once

#include "ir/Graph.h"

#include <unordered_set>

namespace enfold {

/// The ops that compute `outputs` from `inputs` and what else feeds them. Values keep their names;
/// inputs are those of the graph that are needed, then those of `inputs` that are. Blocked tensors
/// are taken and given plain, and reordered.
std::unique_ptr<Graph> extract(const Graph& graph, std::span<const Value* const> outputs,
                               const std::unordered_set<const Value*>& inputs);

} // namespace enfold
