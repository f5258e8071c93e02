// What families have in common when they state the layouts that they take and give.
#pragma once

#include "ir/Graph.h"
#include "ir/OpLayouts.h"
#include "kernel/Target.h"

namespace enfold::lower {

/// Kernels of blocks take all types with arithmetic, on one to three spatial dimensions.
bool isBlockable(const Type& type);

/// Whether a block of channels is one vector that kernels are written for.
bool isVector(const Layout& layout, const kir::Target& target);

/// The layout in which a tensor of so many channels is computed in the fewest cycles: blocks of the
/// widest vectors, or of half as many lanes where those would be filled with padding; of equally
/// fast ones the one that takes less memory.
Layout blockedFor(int64_t channels, const kir::Target& target);

/// Operands that cannot be read beside a result of that layout, when those of its shape are brought
/// into it; of the epilogue, or of an elementwise op itself.
std::vector<size_t> misfits(const Op& op, const Layout& result);

/// For ops that work on blocks as they come: the layout of the first operand, unless an operand of
/// the epilogue does not fit.
OpLayouts asItComes(const Op& op);

} // namespace enfold::lower
