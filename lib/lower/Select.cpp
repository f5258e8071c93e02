// The value chosen is copied; of the other nothing is read, since it may not have been computed.
#include "lower/Select.h"

#include "kernel/Builder.h"
#include "lower/Nest.h"

namespace enfold::lower {

using kir::Index;
using kir::Scalar;

std::string refuseSelect(const Op& op, const kir::Target&) {
  return op.result()->type().numBytes() == 0 ? "there is nothing to choose" : "";
}

void lowerSelect(const Op& op, Lowering& lowering) {
  constexpr int64_t kBytesPerIteration = 4096;
  const int64_t bytes = op.result()->type().numBytes();
  const int lanes = lowering.target().lanes(Scalar::U8);
  kir::Builder b("select");
  const kir::Buffer condition = b.input("condition", Scalar::Bool, 1);
  const kir::Buffer yes = b.input("then", Scalar::U8, bytes);
  const kir::Buffer no = b.input("else", Scalar::U8, bytes);
  const kir::Buffer dst = b.output("dst", Scalar::U8, bytes);
  const std::vector<int64_t> extents = {bytes};
  walkNest(b, makeNest(extents, kBytesPerIteration), {4 * lanes, lanes},
           [&](const std::vector<Index>& at, int width) {
             const kir::Value chosen = b.load(condition[0]);
             b.ifElse(
                 chosen, [&] { b.store(dst[at[0]], b.load(yes[at[0]], width)); },
                 [&] { b.store(dst[at[0]], b.load(no[at[0]], width)); });
           });
  lowering.call(b.finish(),
                {lowering.storage(op.own(0)), lowering.storage(op.own(1)),
                 lowering.storage(op.own(2)), lowering.storage(op.result())},
                {.algorithm = "select"});
}

} // namespace enfold::lower
