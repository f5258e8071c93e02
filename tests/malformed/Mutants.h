// Broken variants of an ONNX model: every field of every message in it changed in every way that
// suits its type. Found by protobuf's reflection, so that no field is forgotten.
#pragma once

#include <enfold/onnx-schema.pb.h>

#include <string>
#include <vector>

namespace enfold::malformed {

struct Mutant {
  std::string what; ///< "graph.node[1].attribute[0].ints: cleared"
  std::string bytes;
};

/// Of repeated fields the first elements and the last one are changed.
std::vector<Mutant> mutantsOf(const schema::ModelProto& model);

} // namespace enfold::malformed
