// Running sums and products: each lane walks a line of its own. Floats are summed in f64, since
// every result carries the rounding of all before it.
#include "lower/reduce/Scan.h"

#include "lower/Access.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"

namespace enfold::lower {

using kir::Index;

namespace {

/// Elements an iteration of the parallel loop should at least read.
constexpr int64_t kElementsPerIteration = 4096;

} // namespace

std::string refuseScan(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem) || x.elem == ElemType::Bool) return "element type without arithmetic";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  const Tensor* axis = op.own(1)->constant();
  if (!axis || axis->numElements() != 1) return "the axis is not constant";
  if (axis->asInt(0) < -x.rank() || axis->asInt(0) >= x.rank()) return "the axis is out of range";
  return "";
}

void lowerScan(const Op& op, Lowering& lowering) {
  const Shape& x = op.own(0)->shape();
  const auto axis =
      static_cast<size_t>(frontAxis(op.own(1)->constant()->asInt(0), op.own(0)->type().rank()));
  const int64_t n = x[axis], stride = denseStrides(x)[axis], elements = numElements(x);
  const bool sums = op.kind() == OpKind::CumSum, exclusive = op.integer("exclusive") != 0;
  const bool reverse = op.integer("reverse") != 0;
  const kir::Scalar stored = *scalarOf(op.result()->elem());
  const kir::Scalar scalar = kir::isFloat(stored) ? kir::Scalar::F64 : stored;
  kir::Builder b(op.info().name);
  const kir::Buffer src = b.input("src", stored, elements);
  const kir::Buffer dst = b.output("dst", stored, elements);
  const int lanes = lowering.target().lanes(scalar);
  const int64_t outer = elements / std::max<int64_t>(1, n * stride);
  walkNest(b, makeNest({outer, stride}, kElementsPerIteration / std::max<int64_t>(1, n)),
           {4 * lanes, lanes}, [&](const std::vector<Index>& at, int width) {
             const kir::Var total = b.var("total", b.constantInt({scalar, width}, sums ? 0 : 1));
             b.forLoop("k", 0, n, [&](const Index& k) {
               const Index step = reverse ? Index(n - 1) - k : k;
               const Index element = (at[0] * n + step) * stride + at[1];
               const kir::Value before = total;
               const kir::Value next = b.loadAs(scalar, src[element], width);
               total.set(sums ? before + next : before * next);
               b.storeAs(dst[element], exclusive ? before : kir::Value(total));
             });
           });
  lowering.call(b.finish(), {lowering.storage(op.own(0)), lowering.storage(op.result())},
                {.algorithm = "scan", .flops = static_cast<double>(elements)});
}

} // namespace enfold::lower
