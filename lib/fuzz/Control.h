// What must hold for branches and loops: a model whose If, Loop or Scan runs a network computes
// what the reference does of that network, branch by branch and iteration by iteration, with the
// same bits when the same data come again.
#pragma once

#include "fuzz/Oracles.h"

namespace enfold::fuzz {

/// Makes parts of the graph branches or the body of a loop, as `seed` has it.
std::optional<Failure> examineControl(const Graph& graph, uint64_t seed);

} // namespace enfold::fuzz
