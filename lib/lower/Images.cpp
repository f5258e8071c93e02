// The first dimension counts images.
#include "lower/Images.h"

#include "kernel/LooseRanges.h"

namespace enfold::lower {

bool hasImagesOf(const Value& operand, const Shape& result) {
  const Shape& shape = operand.shape();
  return kir::LooseRanges::areWanted() && !operand.constant() && shape.size() > 1 &&
         shape.size() == result.size() && shape[0] == 1 && result[0] == 1;
}

} // namespace enfold::lower
