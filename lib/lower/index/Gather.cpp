// Rows of contiguous elements are copied by vectors, each from where its index says; where rows are
// single elements, a vector of indices gathers a vector of elements.
#include "lower/index/Gather.h"

#include "lower/Access.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/index/Indices.h"

#include <numeric>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Scalar;

/// Elements an iteration of the parallel loop should at least copy.
constexpr int64_t kElementsPerIteration = 4096;

int64_t product(const Shape& shape, size_t begin, size_t end) {
  return std::accumulate(shape.begin() + static_cast<ptrdiff_t>(begin),
                         shape.begin() + static_cast<ptrdiff_t>(end), int64_t{1},
                         std::multiplies<>());
}

/// gather and gather_nd alike: in each of `batches`, `rows` times, an index of several components
/// picks a row of `inner` elements.
struct Rows {
  int64_t batches = 1, rows = 1, inner = 1;
  int64_t sourceBatch = 0; ///< elements of the source from one batch to the next
  int64_t indexBatch = 0;  ///< indices from one batch to the next; 0: all batches use the same
  Shape sizes, strides;    ///< for each component of an index the axis's size and stride

  std::vector<IndexRange> ranges() const {
    std::vector<IndexRange> ranges;
    for (int64_t size : sizes) ranges.push_back(axisRange(size));
    return ranges;
  }
};

Rows rowsOf(const Op& op) {
  const Shape &x = op.own(0)->shape(), &indices = op.own(1)->shape();
  Rows r;
  size_t first = 0, components = 1;
  if (op.kind() == OpKind::Gather) {
    first = static_cast<size_t>(frontAxis(op.integer("axis"), op.own(0)->type().rank()));
    r.rows = numElements(indices);
  } else {
    first = static_cast<size_t>(op.integer("batch_dims"));
    components = static_cast<size_t>(indices.back());
    r.rows = product(indices, first, indices.size() - 1);
    r.indexBatch = r.rows * indices.back();
  }
  const std::vector<int64_t> strides = denseStrides(x);
  r.batches = product(x, 0, first);
  r.sourceBatch = product(x, first, x.size());
  r.inner = product(x, first + components, x.size());
  for (size_t i = first; i < first + components; ++i) {
    r.sizes.push_back(x[i]);
    r.strides.push_back(strides[i]);
  }
  return r;
}

class RowGatherer {
public:
  RowGatherer(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), r_(rowsOf(op)), b_(op.info().name),
        elem_(*scalarOf(op.result()->elem())),
        offsets_(offsetScalar(op.own(0)->type().numElements())) {}

  void lower();

private:
  /// Element of the source where the row of index number `at` begins, in the lanes of `width`
  /// consecutive indices.
  kir::Value offset(const Index& at, int width);

  const Op& op_;
  Lowering& lowering_;
  const Rows r_;
  kir::Builder b_;
  const Scalar elem_, offsets_;
  std::optional<kir::Buffer> indices_;
};

kir::Value RowGatherer::offset(const Index& at, int width) {
  const auto components = static_cast<int64_t>(r_.sizes.size());
  kir::Value sum = b_.zero({offsets_, width});
  for (int64_t i = 0; i < components; ++i) {
    const auto axis = static_cast<size_t>(i);
    const kir::Value index = b_.loadStrided((*indices_)[at * components + i], components, width);
    sum = sum + fromFront(b_, index, r_.sizes[axis], offsets_) * r_.strides[axis];
  }
  return sum;
}

void RowGatherer::lower() {
  checkIndices(op_, op_.own(1), r_.ranges(), lowering_);
  const kir::Buffer src = b_.input("src", elem_, op_.own(0)->type().numElements());
  indices_ = b_.input("indices", *scalarOf(op_.own(1)->elem()), op_.own(1)->type().numElements());
  const kir::Buffer dst = b_.output("dst", elem_, op_.result()->type().numElements());
  const bool single = r_.inner == 1;
  const Shape extents = single ? Shape{r_.batches, r_.rows} : Shape{r_.batches, r_.rows, r_.inner};
  const std::vector<int64_t> dense = denseStrides(extents);
  const int64_t indexBatch = r_.indexBatch / static_cast<int64_t>(r_.sizes.size());
  const int lanes = lowering_.target().lanes(single ? offsets_ : elem_);
  walkNest(b_, makeNest(extents, kElementsPerIteration), {single ? lanes : 4 * lanes, lanes},
           [&](const std::vector<Index>& at, int width) {
             const Index base = at[0] * r_.sourceBatch, index = at[0] * indexBatch + at[1];
             const kir::Place to = dst[elementAt(at, dense)];
             if (single) {
               b_.store(to, b_.gather(src[base], offset(index, width)));
               return;
             }
             const kir::Range inside{0, r_.sourceBatch - r_.inner};
             const Index row = b_.index(offset(index, 1), inside);
             b_.store(to, b_.load(src[base + row + at[2]], width));
           });
  lowering_.call(b_.finish(),
                 {lowering_.storage(op_.own(0)), lowering_.storage(op_.own(1)),
                  lowering_.storage(op_.result())},
                 {.algorithm = single ? "gather" : "gather_rows",
                  .bytes = 2.0 * static_cast<double>(op_.result()->type().numBytes())});
}

std::string refuseData(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem)) return "element type without a register type";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  if (x.numElements() == 0) return "nothing to gather from";
  return "";
}

size_t axisOf(const Op& op) {
  return static_cast<size_t>(frontAxis(op.integer("axis"), op.own(0)->type().rank()));
}

} // namespace

std::string refuseGatherRows(const Op& op, const kir::Target&) {
  if (std::string reason = refuseData(op); !reason.empty()) return reason;
  const Rows rows = rowsOf(op);
  if (rows.sizes.empty()) return "an index without components";
  return indicesRefusal(op.own(1), rows.ranges());
}

void lowerGatherRows(const Op& op, Lowering& lowering) { RowGatherer(op, lowering).lower(); }

std::string refuseGatherElements(const Op& op, const kir::Target&) {
  if (std::string reason = refuseData(op); !reason.empty()) return reason;
  const Shape &x = op.own(0)->shape(), &y = op.result()->shape();
  for (size_t i = 0; i < x.size(); ++i)
    if (i != axisOf(op) && y[i] > x[i]) return "indices reach beyond the data";
  return indicesRefusal(op.own(1), std::vector{axisRange(x[axisOf(op)])});
}

void lowerGatherElements(const Op& op, Lowering& lowering) {
  const Shape& x = op.own(0)->shape();
  const size_t axis = axisOf(op);
  checkIndices(op, op.own(1), std::vector{axisRange(x[axis])}, lowering);
  const Scalar elem = *scalarOf(op.result()->elem());
  const Scalar offsets = offsetScalar(op.own(0)->type().numElements());
  kir::Builder b(op.info().name);
  const kir::Buffer src = b.input("src", elem, op.own(0)->type().numElements());
  const int64_t count = op.result()->type().numElements();
  const kir::Buffer indices = b.input("indices", *scalarOf(op.own(1)->elem()), count);
  const kir::Buffer dst = b.output("dst", elem, count);
  std::vector<int64_t> extents = op.result()->shape(), dense = denseStrides(extents);
  std::vector<int64_t> from = denseStrides(x);
  const int64_t along = std::exchange(from[axis], 0);
  collapse(extents, {&dense, &from});
  const int lanes = lowering.target().lanes(offsets);
  walkNest(b, makeNest(extents, kElementsPerIteration), {lanes, lanes},
           [&](const std::vector<Index>& at, int width) {
             const Index element = elementAt(at, dense);
             const kir::Value picked =
                 fromFront(b, b.load(indices[element], width), x[axis], offsets) * along;
             const kir::Value lane = b.iota({offsets, width}) * from.back();
             b.store(dst[element], b.gather(src[elementAt(at, from)], picked + lane));
           });
  lowering.call(
      b.finish(),
      {lowering.storage(op.own(0)), lowering.storage(op.own(1)), lowering.storage(op.result())},
      {.algorithm = "gather_elements"});
}

std::string refuseReverseSequence(const Op& op, const kir::Target&) {
  if (std::string reason = refuseData(op); !reason.empty()) return reason;
  const Shape& x = op.own(0)->shape();
  const int64_t time = op.integer("time_axis"), batch = op.integer("batch_axis");
  if (x.size() < 2 || time + batch != 1 || time * batch != 0)
    return "time_axis and batch_axis must be 0 and 1";
  if (op.own(1)->type().numElements() != x[static_cast<size_t>(batch)])
    return "needs one length per batch entry";
  return indicesRefusal(op.own(1), std::vector{IndexRange{0, x[static_cast<size_t>(time)]}});
}

void lowerReverseSequence(const Op& op, Lowering& lowering) {
  const Shape& x = op.own(0)->shape();
  const auto time = static_cast<size_t>(op.integer("time_axis")), batch = 1 - time;
  checkIndices(op, op.own(1), std::vector{IndexRange{0, x[time]}}, lowering);
  const Scalar elem = *scalarOf(op.result()->elem());
  const int64_t count = op.result()->type().numElements();
  kir::Builder b(op.info().name);
  const kir::Buffer src = b.input("src", elem, count);
  const kir::Buffer lengths = b.input("lengths", *scalarOf(op.own(1)->elem()), x[batch]);
  const kir::Buffer dst = b.output("dst", elem, count);
  const Shape extents = {x[0], x[1], product(x, 2, x.size())};
  const std::vector<int64_t> dense = denseStrides(extents);
  const int lanes = lowering.target().lanes(elem);
  walkNest(b, makeNest(extents, kElementsPerIteration), {4 * lanes, lanes},
           [&](const std::vector<Index>& at, int width) {
             const kir::Value step = b.cast(b.value(at[time]), Scalar::I64);
             const kir::Value length = b.cast(b.load(lengths[at[batch]]), Scalar::I64);
             std::vector<Index> from = at;
             from[time] = b.index(b.select(step < length, length - 1 - step, step),
                                  kir::Range{0, x[time] - 1});
             b.store(dst[elementAt(at, dense)], b.load(src[elementAt(from, dense)], width));
           });
  lowering.call(
      b.finish(),
      {lowering.storage(op.own(0)), lowering.storage(op.own(1)), lowering.storage(op.result())},
      {.algorithm = "reverse_sequence"});
}

} // namespace enfold::lower
