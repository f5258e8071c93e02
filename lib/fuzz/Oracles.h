// Everything that must hold of a graph and a pipeline, whatever they are: the graph is valid and
// reads back from its text after every pass; the reference computes the same before and after; the
// compiled code computes what the reference does, with the same bits on one thread and on two.
#pragma once

#include "ir/Graph.h"

#include <cstdint>
#include <optional>
#include <string>

namespace enfold::fuzz {

struct Failure {
  std::string oracle; ///< which statement is wrong: "verify", "jit" ...
  std::string message;
};

/// What is wrong first; none if all holds. `seed` decides the inputs. Crashes of the compiler are
/// not caught here (see Isolate.h).
std::optional<Failure> examine(const Graph& graph, const std::string& pipeline, uint64_t seed);

} // namespace enfold::fuzz
