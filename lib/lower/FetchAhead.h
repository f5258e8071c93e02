// Bringing weights from memory into the second-level cache while those before them are in use.
#pragma once

#include "kernel/Builder.h"

namespace enfold::lower {

/// Bytes of weights that are worth fetching ahead: a page, at whose end the processor's own
/// prefetching stops.
inline constexpr int64_t kWorthFetching = 4096;

/// Prefetches share number `share` of `shares` equal ones, in whole cache lines, of the `elements`
/// of type `elem` that begin at `place`. All shares together cover them.
void fetchShare(kir::Builder& b, const kir::Place& place, int64_t elements, const kir::Index& share,
                int64_t shares, kir::Scalar elem = kir::Scalar::F32);

} // namespace enfold::lower
