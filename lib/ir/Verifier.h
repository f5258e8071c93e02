// Checks that a graph is what the op table says it must be: for after import, after parsing and,
// with --verify-each, after every pass.
#pragma once

#include "ir/Graph.h"

namespace enfold {

/// Everything that is wrong, named at once: order of definitions, use lists, attributes, types
/// against inference, epilogues and layouts. Types that depend on data are trusted.
Result<> verify(const Graph& graph);

} // namespace enfold
