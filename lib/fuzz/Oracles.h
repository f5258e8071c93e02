// What must hold for every graph and pipeline: the graph is valid and
// reads back from its text after every pass; the reference computes the same before and after, in
// the outputs and in every value that keeps its name; written as ONNX and read again it is the same
// network; the compiled code computes what the reference does, with the same bits on one thread and
// on two; and so it does where sizes are open (fuzz/Sizes.h), and where networks are branches or
// bodies of loops (fuzz/Control.h).
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

/// What is examined: code generation takes most of the time.
enum class Depth : uint8_t {
  Passes,
  Sizes,   ///< open ones alone
  Control, ///< branches and loops alone
  Everything,
};

/// What is wrong first; none if all holds. `seed` decides the inputs. Crashes of the compiler are
/// not caught here (see Isolate.h).
std::optional<Failure> examine(const Graph& graph, const std::string& pipeline, uint64_t seed,
                               Depth depth = Depth::Everything);

/// How deep one must look to find a failure of that oracle.
Depth depthOf(const std::string& oracle);

} // namespace enfold::fuzz
