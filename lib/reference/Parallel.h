// Splits a loop over independent outputs among threads. What is computed does not depend on the
// split.
#pragma once

#include <cstdint>
#include <functional>

namespace enfold::reference {

/// Calls body(begin, end) on disjoint ranges that cover [0, count). `costPerItem` is the number of
/// elementary operations of one iteration: small loops run on the calling thread alone.
void parallelFor(int64_t count, int64_t costPerItem,
                 const std::function<void(int64_t begin, int64_t end)>& body);

} // namespace enfold::reference
