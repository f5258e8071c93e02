// Which tensors become 8-bit codes, and which of them share a scale.
//
// Layers compute on codes, and so do the ops between them: all that lie on a way from one layer to
// another. What only ops outside read stays float. Some tensors between ops on codes have no
// codes of their own:
//   - between a layer or another sum and the only relu or clip that reads it: both round once;
//   - inside a function of one tensor, such as x * sigmoid(x): its result is a table of the codes.
// Ops that move numbers share the scale of what they move, and so does a concatenation with those
// of its parts that nothing else reads.
#pragma once

#include "quantize/Layer.h"

#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace enfold::quantize {

struct PlanOptions {
  std::map<std::string, std::string> inFloat = {}; ///< nodes that stay float, and why
  bool quantizeOutputs = false; ///< results of layers that only ops outside read get codes too
};

struct Layer {
  const Op* op;
  const Value* output;      ///< behind a relu or clip that belongs to it
  std::string floatBecause; ///< why it stays float; empty: it is quantized

  bool isQuantized() const { return floatBecause.empty(); }
};

/// Tensors of one scale.
struct ScaleGroup {
  std::vector<const Value*> members; ///< in the order of what reads them
  std::vector<const Value*> sources; ///< whose numbers decide the scale
  std::optional<Scale> known;        ///< of integers that became floats
};

struct Plan {
  std::vector<Layer> layers; ///< all convolutions and products
  std::vector<ScaleGroup> groups;
  std::unordered_map<const Value*, size_t> groupOf; ///< of each tensor with codes

  bool hasCodes(const Value* value) const { return groupOf.contains(value); }
  size_t numQuantized() const;
};

Plan planOf(const Graph& graph, const PlanOptions& options);

} // namespace enfold::quantize
