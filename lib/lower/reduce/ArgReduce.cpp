// Each lane keeps the greatest key it has met and the step at which it met it. Where the axis lies
// innermost, the lanes of a row are compared at its end; else each lane has a column of its own.
#include "lower/reduce/ArgReduce.h"

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

/// Elements an iteration of the parallel loop should at least read.
constexpr int64_t kElementsPerIteration = 8192;
constexpr int kAbreast = 2;

class ArgReduceKernel {
public:
  ArgReduceKernel(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), b_(op.info().name),
        extreme_(op.kind() == OpKind::ArgMax ? Extreme::Greatest : Extreme::Least),
        last_(op.integer("select_last_index") != 0), stored_(*scalarOf(op.own(0)->elem())),
        key_(keyScalar(stored_)), lanes_(lowering.target().lanes(key_)) {}

  void lower();

private:
  /// The best of `steps` steps and the number of its step, lane by lane.
  struct Best {
    Value key, step;
  };
  template <typename F> Best scan(int64_t steps, int width, F&& key);
  Value row(const kir::Buffer& src, const Index& base, int64_t n);
  Value column(const kir::Buffer& src, const Index& base, int64_t n, int64_t stride, int width);
  Value better(const Value& a, const Value& b) const { return last_ ? a >= b : a > b; }
  Value keyAt(const kir::Place& place, int width) {
    return rankingKey(b_, b_.load(place, width), extreme_);
  }

  const Op& op_;
  Lowering& lowering_;
  kir::Builder b_;
  const Extreme extreme_;
  const bool last_; ///< of equals the last one counts
  const Scalar stored_, key_;
  const int lanes_;
};

template <typename F>
ArgReduceKernel::Best ArgReduceKernel::scan(int64_t steps, int width, F&& key) {
  const kir::Var best = b_.var("best", key(Index(0)));
  const kir::Var at = b_.var("at", b_.zero({key_, width}));
  b_.forLoop("k", 1, steps, [&](const Index& k) {
    const Value next = key(k);
    const Value take = better(next, best);
    best.set(b_.select(take, next, best));
    at.set(b_.select(take, b_.splat(b_.cast(b_.value(k), key_), width), at));
  });
  return {best, at};
}

Value ArgReduceKernel::row(const kir::Buffer& src, const Index& base, int64_t n) {
  const int width = n >= kAbreast * lanes_ ? kAbreast * lanes_ : lanes_;
  const int64_t steps = n / width;
  if (steps == 0) return scan(n, 1, [&](const Index& k) { return keyAt(src[base + k], 1); }).step;
  const Best best =
      scan(steps, width, [&](const Index& k) { return keyAt(src[base + k * width], width); });
  const Value positions = best.step * width + b_.iota({key_, width});
  const Value top = b_.reduceMax(best.key);
  const int64_t none = last_ ? -1 : std::numeric_limits<int32_t>::max();
  const Value among =
      b_.select(best.key == b_.splat(top, width), positions, b_.constantInt({key_, width}, none));
  const kir::Var key = b_.var("key", top);
  const kir::Var at = b_.var("at", last_ ? b_.reduceMax(among) : b_.reduceMin(among));
  b_.forLoop("k", steps * width, n, [&](const Index& k) {
    const Value next = keyAt(src[base + k], 1);
    const Value take = better(next, key);
    key.set(b_.select(take, next, key));
    at.set(b_.select(take, b_.cast(b_.value(k), key_), at));
  });
  return at;
}

Value ArgReduceKernel::column(const kir::Buffer& src, const Index& base, int64_t n, int64_t stride,
                              int width) {
  return scan(n, width, [&](const Index& k) { return keyAt(src[base + k * stride], width); }).step;
}

void ArgReduceKernel::lower() {
  const Shape& x = op_.own(0)->shape();
  const auto axis = static_cast<size_t>(frontAxis(op_.integer("axis"), op_.own(0)->type().rank()));
  const int64_t n = x[axis], stride = denseStrides(x)[axis];
  const int64_t count = op_.result()->type().numElements(), outer = count / stride;
  const kir::Buffer src = b_.input("src", stored_, outer * n * stride);
  const kir::Buffer dst = b_.output("dst", Scalar::I64, count);
  const bool rows = stride == 1;
  const Nest nest = rows ? makeNest({outer}, kElementsPerIteration / n)
                         : makeNest({outer, stride}, kElementsPerIteration / n);
  const Widths widths = rows ? Widths{1, 1} : Widths{kAbreast * lanes_, lanes_};
  walkNest(b_, nest, widths, [&](const std::vector<Index>& at, int width) {
    const Index to = rows ? at[0] : at[0] * stride + at[1];
    const Value found =
        rows ? row(src, at[0] * n, n) : column(src, at[0] * n * stride + at[1], n, stride, width);
    b_.storeAs(dst[to], found);
  });
  lowering_.call(b_.finish(), {lowering_.storage(op_.own(0)), lowering_.storage(op_.result())},
                 {.algorithm = rows ? "arg_reduce_rows" : "arg_reduce_columns",
                  .flops = static_cast<double>(outer * n * stride)});
}

} // namespace

std::string refuseArgReduce(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem)) return "element type without arithmetic";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  if (x.numElements() == 0 || x.rank() == 0) return "nothing to choose from";
  const int64_t n = x.shape[static_cast<size_t>(frontAxis(op.integer("axis"), x.rank()))];
  if (n >= std::numeric_limits<int32_t>::max()) return "more elements than an i32 counts";
  return "";
}

void lowerArgReduce(const Op& op, Lowering& lowering) { ArgReduceKernel(op, lowering).lower(); }

} // namespace enfold::lower
