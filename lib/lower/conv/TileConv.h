// Convolution of bytes or bf16 by products of tiles.
#pragma once

#include "lower/Lowering.h"
#include "lower/conv/TileSchedule.h"

namespace enfold::lower {

/// Why the op cannot be computed so on the target. Empty if it can.
std::string refuseTiles(const Op& op, const kir::Target& target);

/// The candidate of an op that is not refused; none if it would not fit the caches.
std::optional<TileCandidate> tileCandidateOf(const Op& op, const kir::Target& target);

/// `secondChoice`: see CallFacts.
void lowerConvTiles(const Op& op, const TileCandidate& candidate, const std::string& secondChoice,
                    Lowering& lowering);

} // namespace enfold::lower
