// Elementwise ops as Kernel IR: one table, shared by pointwise kernels and every epilogue.
#pragma once

#include "ir/Graph.h"
#include "kernel/Builder.h"

#include <optional>
#include <span>

namespace enfold::lower {

/// Empty when emitElementwise can compute `kind` on operands of type `elem` (the first operand's;
/// for where the second's), else the reason why not.
std::string elementwiseRefusal(OpKind kind, const AttrMap& attrs, ElemType elem);

/// The op on lane-wise operands (nullopt: an absent optional one), in the compute scalar of their
/// type. The result is in the compute scalar of the op's result type. `to` is the result's element
/// type (only cast needs it).
kir::Value emitElementwise(kir::Builder& b, OpKind kind, const AttrMap& attrs,
                           std::span<const std::optional<kir::Value>> args, ElemType to);

} // namespace enfold::lower
