// Checks that a graph is what the op table says it must be. A graph from a file, a caller or a pass
// that holds is safe to print, to pass on and to evaluate; whether it can run on a target is asked
// when it is lowered (lower/Lowering.h).
#pragma once

#include "ir/Graph.h"

namespace enfold {

/// How far a graph has come.
enum class GraphStage : uint8_t {
  Imported, ///< as models hold it: every tensor plain, no epilogues, no attributes of enfold's own
  Passes,   ///< what passes make of it
};

/// Everything that is wrong, named at once: order of definitions, use lists, attributes, types
/// against inference, epilogues and layouts. Inputs and outputs are plain at every stage. A type
/// that depends on data is trusted as far as it is one that some data would give.
Result<> verify(const Graph& graph, GraphStage stage = GraphStage::Passes);

/// Whether the types of the op's results depend on data, so that verify() trusts them. What
/// computes them must look whether they are as stated.
bool dependsOnData(const Op& op);

/// Whether graphs are verified after import and after every pass: in debug builds, and where the
/// environment says ENFOLD_VERIFY=1.
bool verifiesAlways();

} // namespace enfold
