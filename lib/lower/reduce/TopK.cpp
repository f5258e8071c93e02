// Selection: each element of the result is the best of those that come after the one before it, in
// the order of keys and, among equals, of positions. No memory beyond the result is needed, and a
// pass over the line costs a few instructions a vector; k passes are made.
#include "lower/reduce/TopK.h"

#include "lower/Access.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/reduce/Ranking.h"

#include <limits>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Scalar;
using kir::Value;

/// Passes over elements beyond which sorting, as the reference does, is quicker.
constexpr int64_t kMostWork = int64_t{1} << 28;
/// Elements an iteration of the parallel loop should at least look at.
constexpr int64_t kElementsPerIteration = 8192;
/// Greater than every position.
constexpr int64_t kNowhere = std::numeric_limits<int32_t>::max();

class TopKKernel {
public:
  TopKKernel(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), b_(op.info().name),
        extreme_(op.integer("largest") != 0 ? Extreme::Greatest : Extreme::Least),
        stored_(*scalarOf(op.own(0)->elem())), key_(keyScalar(stored_)),
        lanes_(lowering.target().lanes(key_)) {}

  void lower();

private:
  /// An element's place in the order, lane by lane.
  struct Place {
    Value key, position;
  };
  Value isBefore(const Place& a, const Place& b) const {
    return (a.key > b.key) | ((a.key == b.key) & (a.position < b.position));
  }
  Value integer(int64_t number, int width) { return b_.constantInt({key_, width}, number); }
  Place last(int width) {
    const int64_t least = key_ == Scalar::I32 ? std::numeric_limits<int32_t>::min()
                                              : std::numeric_limits<int64_t>::min();
    return {integer(least, width), integer(kNowhere, width)};
  }
  /// What the lanes of a vector are: neighbours in one line, or the same position in several.
  enum class Lanes : uint8_t { Neighbours, Lines };
  Place next(const kir::Buffer& src, const Index& base, int64_t steps, int64_t stride, Lanes lanes,
             const Place& previous);
  Place nextOfRow(const kir::Buffer& src, const Index& base, int64_t n, const Place& previous);

  const Op& op_;
  Lowering& lowering_;
  kir::Builder b_;
  const Extreme extreme_;
  const Scalar stored_, key_;
  const int lanes_;
};

/// The first behind `previous` among `steps` vectors, `stride` elements apart, in each lane.
TopKKernel::Place TopKKernel::next(const kir::Buffer& src, const Index& base, int64_t steps,
                                   int64_t stride, Lanes lanes, const Place& previous) {
  const int width = previous.key.lanes();
  const Place worst = last(width);
  const kir::Var key = b_.var("key", worst.key), position = b_.var("position", worst.position);
  const bool neighbours = lanes == Lanes::Neighbours;
  const Value lane = neighbours ? b_.iota({key_, width}) : integer(0, width);
  const int64_t step = neighbours ? width : 1;
  b_.forLoop("k", 0, steps, [&](const Index& k) {
    const Value at = b_.splat(b_.cast(b_.value(k * step), key_), width) + lane;
    const Place here{rankingKey(b_, b_.load(src[base + k * stride], width), extreme_), at};
    const Value take = isBefore(previous, here) & isBefore(here, {key, position});
    key.set(b_.select(take, here.key, key));
    position.set(b_.select(take, here.position, position));
  });
  return {key, position};
}

TopKKernel::Place TopKKernel::nextOfRow(const kir::Buffer& src, const Index& base, int64_t n,
                                        const Place& previous) {
  const int64_t whole = n / lanes_ * lanes_;
  std::optional<Place> best;
  if (whole && lanes_ > 1) {
    const Place wide{b_.splat(previous.key, lanes_), b_.splat(previous.position, lanes_)};
    const Place lanes = next(src, base, whole / lanes_, lanes_, Lanes::Neighbours, wide);
    const Value key = b_.reduceMax(lanes.key);
    best = {key, b_.reduceMin(b_.select(lanes.key == b_.splat(key, lanes_), lanes.position,
                                        integer(kNowhere, lanes_)))};
  }
  const Place start = best ? *best : last(1);
  const kir::Var key = b_.var("key", start.key), position = b_.var("position", start.position);
  b_.forLoop("k", best ? whole : 0, n, [&](const Index& k) {
    const Place here{rankingKey(b_, b_.load(src[base + k]), extreme_), b_.cast(b_.value(k), key_)};
    const Value take = isBefore(previous, here) & isBefore(here, {key, position});
    key.set(b_.select(take, here.key, key));
    position.set(b_.select(take, here.position, position));
  });
  return {key, position};
}

void TopKKernel::lower() {
  const Shape& x = op_.own(0)->shape();
  const auto axis = static_cast<size_t>(frontAxis(op_.integer("axis"), op_.own(0)->type().rank()));
  const int64_t n = x[axis], k = op_.result()->shape()[axis], stride = denseStrides(x)[axis];
  const int64_t outer = op_.own(0)->type().numElements() / (n * stride);
  const kir::Buffer src = b_.input("src", stored_, outer * n * stride);
  const kir::Buffer values = b_.output("values", stored_, outer * k * stride);
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0)), lowering_.storage(op_.result())};
  std::optional<kir::Buffer> indices;
  if (op_.numResults() > 1) {
    indices = b_.output("indices", Scalar::I64, outer * k * stride);
    buffers.push_back(lowering_.storage(op_.result(1)));
  }
  const bool rows = stride == 1;
  const int64_t grain = kElementsPerIteration / std::max<int64_t>(1, n * k);
  const Nest nest = makeNest(rows ? Shape{outer, 1} : Shape{outer, stride}, grain);
  walkNest(b_, nest, rows ? Widths{1, 1} : Widths{lanes_, lanes_},
           [&](const std::vector<Index>& at, int width) {
             const Index from = at[0] * (n * stride) + at[1], to = at[0] * (k * stride) + at[1];
             // In front of everything.
             const kir::Var key = b_.var("previous", ~last(width).key);
             const kir::Var position = b_.var("position", integer(-1, width));
             b_.forLoop("i", 0, k, [&](const Index& i) {
               const Place previous{key, position};
               const Place found = rows ? nextOfRow(src, from, n, previous)
                                        : next(src, from, n, stride, Lanes::Lines, previous);
               key.set(found.key);
               position.set(found.position);
               const kir::Place place = values[to + i * stride];
               const Value offset =
                   found.position * stride + (rows ? integer(0, 1) : b_.iota({key_, width}));
               b_.store(place, b_.gather(src[from], offset));
               if (indices) b_.storeAs((*indices)[to + i * stride], found.position);
             });
           });
  lowering_.call(b_.finish(), std::move(buffers),
                 {.algorithm = rows ? "topk_rows" : "topk_columns",
                  .flops = static_cast<double>(outer * n * stride * k)});
}

} // namespace

std::string refuseTopK(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem)) return "element type without arithmetic";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  if (x.numElements() == 0 || x.rank() == 0) return "nothing to choose from";
  const auto axis = static_cast<size_t>(frontAxis(op.integer("axis"), x.rank()));
  if (x.numElements() >= kNowhere) return "more elements than an i32 counts";
  if (y.shape[axis] > kMostWork / x.numElements()) return "too many elements to sort";
  return "";
}

void lowerTopK(const Op& op, Lowering& lowering) { TopKKernel(op, lowering).lower(); }

} // namespace enfold::lower
