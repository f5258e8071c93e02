// Results of divisions have the range that is known whatever the divisor.
#include "lower/LooseIndex.h"

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"

#include <bit>

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

void forHalves(kir::Builder& b, int64_t rest, int64_t tile,
               const std::function<void(int64_t, int64_t)>& body) {
  for (auto count = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(tile - 1)));
       count > 0; count /= 2)
    b.ifThen(kir::Index(0) < kir::looseNumber(b, rest & count),
             [&] { body(rest & ~(2 * count - 1), count); });
}

} // namespace enfold::lower
