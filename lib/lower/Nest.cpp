// Splitting loops into a parallel part and the rest.
#include "lower/Nest.h"

namespace enfold::lower {
namespace {

/// Dimensions of the parallel loop where the extents must not decide on it.
constexpr size_t kParallelOfAny = 2;
/// Innermost dimensions below are mostly a block of channels or what detectors say of a place,
/// whatever the size: too little for an iteration, which takes divisions to tell where it is.
constexpr int64_t kShort = 32;

} // namespace

int64_t Nest::iterations() const {
  int64_t count = (extents.back() + piece - 1) / piece;
  for (size_t i = 0; i < parallel; ++i) count *= extents[i];
  return count;
}

Nest makeNest(std::vector<int64_t> extents, int64_t grain) {
  Nest nest{std::move(extents)};
  grain = std::max<int64_t>(1, grain);
  int64_t inner = nest.extents.back();
  nest.parallel = nest.extents.size() - 1;
  if (kir::LooseRanges::areWanted()) {
    if (nest.parallel > 1 && nest.extents.back() < kShort) --nest.parallel;
    nest.parallel = std::min(nest.parallel, kParallelOfAny);
  }
  while (!kir::LooseRanges::areWanted() && nest.parallel > 0 && inner < grain) {
    // Keep at least a few iterations for the threads.
    if (nest.parallel == 1 && nest.extents[0] > 1) break;
    inner *= nest.extents[--nest.parallel];
  }
  nest.piece =
      nest.extents.size() == 1 ? std::min(nest.extents.back(), grain) : nest.extents.back();
  return nest;
}

kir::Index elementAt(std::span<const kir::Index> coordinates, std::span<const int64_t> strides) {
  kir::Index element = 0;
  for (size_t i = 0; i < coordinates.size(); ++i) element = element + coordinates[i] * strides[i];
  return element;
}

} // namespace enfold::lower
