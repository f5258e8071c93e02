// Shares of a row of weights.
#include "lower/FetchAhead.h"

#include "kernel/LooseRanges.h"

namespace enfold::lower {

void fetchShare(kir::Builder& b, const kir::Place& place, int64_t elements, const kir::Index& share,
                int64_t shares, kir::Scalar elem) {
  constexpr int64_t kCacheLine = 64; // bytes
  const int64_t line = kCacheLine / static_cast<int64_t>(kir::sizeInBytes(elem));
  const int64_t lines = (elements + shares * line - 1) / (shares * line);
  if (kir::LooseRanges::areWanted()) {
    const kir::Index count = kir::looseNumber(b, lines), first = share * count;
    b.forLoop("line", 0, count,
              [&](const kir::Index& i) { b.prefetch(place + (first + i) * line); });
    return;
  }
  for (int64_t i = 0; i < lines; ++i) b.prefetch(place + (share * lines + i) * line);
}

} // namespace enfold::lower
