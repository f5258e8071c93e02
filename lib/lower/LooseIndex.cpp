// Results of divisions have the range that is known whatever the divisor.
#include "lower/LooseIndex.h"

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"

namespace enfold::lower {
namespace {

bool isLoose(const kir::Index& a) { return kir::LooseRanges::areWanted() && !a.constant(); }

} // namespace

kir::Index quotient(const kir::Index& a, int64_t divisor) {
  if (!isLoose(a)) return a / divisor;
  return a.builder().indexOp(kir::Op::FloorDiv, a, divisor, {0, a.range().hi});
}

kir::Index remainder(const kir::Index& a, int64_t divisor) {
  if (!isLoose(a)) return a % divisor;
  return a.builder().indexOp(kir::Op::FloorMod, a, divisor, {0, a.range().hi});
}

kir::Index looseSize(int64_t size, const kir::Index& a) {
  return isLoose(a) ? kir::looseNumber(a.builder(), size) : kir::Index(size);
}

} // namespace enfold::lower
