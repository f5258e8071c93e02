// The reference: what every op and every graph means, computed in plain loops.
//
// It is the oracle that generated code is compared with, the evaluator behind constant folding, and
// what runs the ops that have no generated kernel. Layouts do not exist here: tensors are row-major
// and a reorder changes nothing.
#pragma once

#include "ir/Graph.h"

#include <functional>

namespace enfold::reference {

/// Evaluates one op of `kind` whose results have the given types. A null operand is absent.
Result<std::vector<Tensor>> evaluate(OpKind kind, std::span<const Tensor* const> operands,
                                     const AttrMap& attrs, std::span<const Type> resultTypes);

/// Evaluates an op with its epilogue. `operands` stand for op.operands(), those of the epilogue
/// included. Each epilogue step rounds to its own result type. Where an operand's shape is not the
/// declared one, because it depended on data, the results' shapes follow the operand.
Result<std::vector<Tensor>> evaluate(const Op& op, std::span<const Tensor* const> operands);

/// Sees every value of a graph as soon as it is known: inputs, constants and results.
using Observer = std::function<void(const Value&, const Tensor&)>;

/// Runs a graph. `inputs` must have the types of graph.inputs(); gives the values of
/// graph.outputs(). Intermediate tensors are freed behind their last use.
Result<std::vector<Tensor>> run(const Graph& graph, std::span<const Tensor> inputs,
                                const Observer& observer = {});

} // namespace enfold::reference
