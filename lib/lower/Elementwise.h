// Elementwise ops as Kernel IR: one table, shared by pointwise kernels and every epilogue.
#pragma once

#include "ir/Graph.h"
#include "kernel/Builder.h"

#include <optional>
#include <span>

namespace enfold::lower {

/// Empty when emitElementwise can compute `kind` on operands of these types (Undefined: absent),
/// else the reason why not.
std::string elementwiseRefusal(OpKind kind, const AttrMap& attrs,
                               std::span<const ElemType> operands);

/// The op on lane-wise operands (nullopt: an absent optional one), each in the compute scalar of
/// its type. The result is in the compute scalar of the op's result type. `to` is the result's
/// element type (only cast needs it).
kir::Value emitElementwise(kir::Builder& b, OpKind kind, const AttrMap& attrs,
                           std::span<const std::optional<kir::Value>> args, ElemType to);

} // namespace enfold::lower
