// gather, gather_nd and gather_elements, and reverse_sequence, whose indices follow from lengths.
#pragma once

#include "lower/Lowering.h"

namespace enfold::lower {

/// gather and gather_nd: rows picked by index.
std::string refuseGatherRows(const Op& op, const kir::Target& target);
void lowerGatherRows(const Op& op, Lowering& lowering);

std::string refuseGatherElements(const Op& op, const kir::Target& target);
void lowerGatherElements(const Op& op, Lowering& lowering);

std::string refuseReverseSequence(const Op& op, const kir::Target& target);
void lowerReverseSequence(const Op& op, Lowering& lowering);

} // namespace enfold::lower
