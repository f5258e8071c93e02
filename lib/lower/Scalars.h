// Element types of tensors as scalars of Kernel IR.
#pragma once

#include "ir/ElemType.h"
#include "kernel/Type.h"

#include <optional>

namespace enfold::lower {

/// The Kernel IR scalar that holds elements of that type in memory; none for types without one.
std::optional<kir::Scalar> scalarOf(ElemType elem);

/// The scalar an element type is computed in: f32 for f16 and bf16, else its own.
kir::Scalar computeScalar(kir::Scalar storage);

} // namespace enfold::lower
