// How long the reference functions take, roughly.
#pragma once

#include "ir/Graph.h"

namespace enfold::reference {

/// Seconds that one evaluation of the op is expected to take.
double secondsOf(const Op& op);

/// The same of all ops of a graph.
double secondsOf(const Graph& graph);

} // namespace enfold::reference
