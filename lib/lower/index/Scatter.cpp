// The data is copied, then updates are put into the copy, one after the other where they could hit
// the same element: along the axis of scatter_elements, and over all rows of scatter_nd. Threads
// share what cannot collide: the other axes, and the elements of a row.
#include "lower/index/Scatter.h"

#include "lower/Access.h"
#include "lower/Copy.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/index/Indices.h"

#include <numeric>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Scalar;

/// Updates an iteration of the parallel loop should at least apply.
constexpr int64_t kUpdatesPerIteration = 4096;

size_t axisOf(const Op& op) {
  return static_cast<size_t>(frontAxis(op.integer("axis"), op.own(0)->type().rank()));
}

/// What a reduction makes of the element that is there and its update.
std::optional<kir::Op> combinerOf(const std::string& reduction) {
  if (reduction == "add") return kir::Op::Add;
  if (reduction == "mul") return kir::Op::Mul;
  if (reduction == "max") return kir::Op::Max;
  if (reduction == "min") return kir::Op::Min;
  return std::nullopt;
}

std::string refuseScatter(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem)) return "element type without a register type";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  if (!op.own(2)->type().layout.isPlain()) return "updates are channel-blocked";
  const std::string reduction = op.string("reduction");
  if (reduction == "none") return "";
  if (!combinerOf(reduction)) return "unknown reduction '" + reduction + "'";
  return x.elem == ElemType::Bool ? "element type without arithmetic" : "";
}

/// The buffers of a scatter: operands read, and the result, which holds the data by now.
class Scatterer {
public:
  Scatterer(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), b_(op.info().name), stored_(*scalarOf(op.result()->elem())),
        combiner_(combinerOf(op.string("reduction"))),
        indices_(b_.input("indices", index(), count(1))),
        updates_(b_.input("updates", stored_, count(2))),
        dst_(b_.inout("dst", stored_, op.result()->type().numElements())) {
    const int64_t bytes = op.result()->type().numBytes();
    lowering.call(copyKernel(bytes), {lowering.storage(op.own(0)), lowering.storage(op.result())},
                  {.algorithm = "copy"});
  }

  kir::Builder& builder() { return b_; }
  kir::Value indices(const Index& at, int64_t stride, int width) {
    return b_.loadStrided(indices_[at], stride, width);
  }
  /// Puts `width` updates from `from` on into consecutive elements.
  void put(const Index& from, const Index& to, int width) {
    b_.store(dst_[to],
             combined(b_.load(updates_[from], width), [&] { return b_.load(dst_[to], width); }));
  }
  /// The same into the elements at `offsets` from `to`.
  void put(const Index& from, const Index& to, const kir::Value& offsets) {
    const auto there = [&] { return b_.gather(dst_[to], offsets); };
    b_.scatter(dst_[to], offsets, combined(b_.load(updates_[from], offsets.lanes()), there));
  }
  void finish(std::string algorithm) {
    lowering_.call(b_.finish(),
                   {lowering_.storage(op_.own(1)), lowering_.storage(op_.own(2)),
                    lowering_.storage(op_.result())},
                   {.algorithm = std::move(algorithm)});
  }

private:
  int64_t count(size_t operand) const { return op_.own(operand)->type().numElements(); }
  Scalar index() const { return *scalarOf(op_.own(1)->elem()); }

  template <typename F> kir::Value combined(const kir::Value& update, F&& there) {
    if (!combiner_) return update;
    const Scalar compute = computeScalar(stored_);
    const kir::Value old = b_.cast(there(), compute);
    return b_.cast(b_.binary(*combiner_, old, b_.cast(update, compute)), stored_);
  }

  const Op& op_;
  Lowering& lowering_;
  kir::Builder b_;
  const Scalar stored_;
  const std::optional<kir::Op> combiner_;
  const kir::Buffer indices_, updates_, dst_;
};

/// The sizes that the components of scatter_nd's indices count.
std::vector<IndexRange> rowRanges(const Op& op) {
  std::vector<IndexRange> ranges;
  const Shape& x = op.own(0)->shape();
  const auto components = static_cast<size_t>(op.own(1)->shape().back());
  for (size_t i = 0; i < components; ++i) ranges.push_back(axisRange(x[i]));
  return ranges;
}

} // namespace

std::string refuseScatterElements(const Op& op, const kir::Target&) {
  if (std::string reason = refuseScatter(op); !reason.empty()) return reason;
  const Shape &x = op.own(0)->shape(), &indices = op.own(1)->shape();
  if (x.empty() || indices.size() != x.size() || op.own(2)->shape() != indices)
    return "shapes of data, indices and updates do not fit";
  for (size_t i = 0; i < x.size(); ++i)
    if (i != axisOf(op) && indices[i] > x[i]) return "indices reach beyond the data";
  return indicesRefusal(op.own(1), std::vector{axisRange(x[axisOf(op)])});
}

void lowerScatterElements(const Op& op, Lowering& lowering) {
  const Shape& x = op.own(0)->shape();
  const size_t axis = axisOf(op);
  checkIndices(op, op.own(1), std::vector{axisRange(x[axis])}, lowering);
  Scatterer scatterer(op, lowering);
  kir::Builder& b = scatterer.builder();
  std::vector<int64_t> extents = op.own(1)->shape(), dense = denseStrides(extents);
  std::vector<int64_t> to = denseStrides(x);
  const int64_t steps = std::exchange(extents[axis], 1), along = std::exchange(to[axis], 0);
  const Scalar offsets = offsetScalar(op.own(0)->type().numElements());
  const int lanes = axis + 1 == x.size() ? 1 : lowering.target().lanes(offsets);
  walkNest(b, makeNest(extents, kUpdatesPerIteration / std::max<int64_t>(1, steps)),
           {lanes, lanes, false}, [&](const std::vector<Index>& at, int width) {
             b.forLoop("step", 0, steps, [&](const Index& step) {
               const Index from = elementAt(at, dense) + step * dense[axis];
               const kir::Value picked =
                   fromFront(b, scatterer.indices(from, 1, width), x[axis], offsets) * along;
               scatterer.put(from, elementAt(at, to),
                             picked + b.iota({offsets, width}) * to.back());
             });
           });
  scatterer.finish("scatter_elements");
}

std::string refuseScatterND(const Op& op, const kir::Target&) {
  if (std::string reason = refuseScatter(op); !reason.empty()) return reason;
  const Shape &x = op.own(0)->shape(), &indices = op.own(1)->shape();
  if (indices.empty() || indices.back() < 1 || indices.back() > op.own(0)->type().rank())
    return "indices do not fit the data";
  Shape wanted(indices.begin(), indices.end() - 1);
  wanted.insert(wanted.end(), x.begin() + indices.back(), x.end());
  if (op.own(2)->shape() != wanted) return "updates do not fit indices and data";
  return indicesRefusal(op.own(1), rowRanges(op));
}

void lowerScatterND(const Op& op, Lowering& lowering) {
  checkIndices(op, op.own(1), rowRanges(op), lowering);
  Scatterer scatterer(op, lowering);
  kir::Builder& b = scatterer.builder();
  const Shape &x = op.own(0)->shape(), &indices = op.own(1)->shape();
  const int64_t components = indices.back(), rows = numElements(indices) / components;
  const std::vector<int64_t> strides = denseStrides(x);
  const int64_t inner = strides[static_cast<size_t>(components) - 1];
  const int64_t elements = op.own(0)->type().numElements();
  const int lanes = lowering.target().lanes(*scalarOf(op.result()->elem()));
  walkNest(b, makeNest({inner}, kUpdatesPerIteration / std::max<int64_t>(1, rows)),
           {4 * lanes, lanes, false}, [&](const std::vector<Index>& at, int width) {
             b.forLoop("row", 0, rows, [&](const Index& row) {
               kir::Value begin = b.zero(kir::i64());
               for (int64_t i = 0; i < components; ++i) {
                 const auto axis = static_cast<size_t>(i);
                 const kir::Value index = scatterer.indices(row * components + i, 1, 1);
                 begin = begin + fromFront(b, index, x[axis], Scalar::I64) * strides[axis];
               }
               const Index to = b.index(begin, kir::Range{0, elements - inner});
               scatterer.put(row * inner + at[0], to + at[0], width);
             });
           });
  scatterer.finish("scatter_nd");
}

} // namespace enfold::lower
