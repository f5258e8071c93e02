// Vectors lie along rows of the result where all taps are inside the input; windows that reach over
// the border are walked one by one, within bounds found at run time. So are all windows when the
// places of the maxima are wanted.
#include "lower/pool/PlainPool.h"

#include "lower/Epilogue.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <algorithm>
#include <limits>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

class PlainPool {
public:
  PlainPool(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), epilogue_(op, lowering), p_(problem()),
        stored_(*scalarOf(op.own(0)->elem())), compute_(computeScalar(stored_)),
        lanes_(lowering.target().lanes(compute_)) {}

  void lower();

private:
  /// A row of results: plane, depth, height.
  struct Row {
    Index plane, od, oh;
    TapRange depth, height; ///< taps inside the input
  };
  /// Vectors lie along the result's last dimension where the epilogue reads operands.
  WindowProblem problem() {
    return epilogue_.operands().empty() ? windowProblem(op_) : writtenProblem(op_);
  }
  void row(const Row& row);
  void inside(const Row& row, const Index& ow, int width);
  void atBorder(const Row& row, const Index& ow);
  template <typename F> void forRows(const Row& row, F&& body);
  Value first(int width);
  Value step(const Value& sum, const Value& x);
  void finish(const Row& row, const Index& ow, const Value& sum, const Index& counted);
  void storeIndex(const Row& row, const Index& ow, const Value& best);

  /// Taps that the average divides by, along one dimension.
  Index counted(size_t d, const Index& o, const TapRange& taps);
  Index pixelAt(const Row& row, const Index& ow) {
    return ((row.plane * p_.out[0] + row.od) * p_.out[1] + row.oh) * p_.out[2] + ow;
  }
  Value number(const Index& index) { return b_.cast(b_.value(index), kir::Scalar::I64); }
  bool isMax() const { return op_.kind() == OpKind::MaxPool; }
  bool isAverage() const { return op_.kind() == OpKind::AveragePool; }
  bool wantsIndices() const { return op_.numResults() > 1; }

  const Op& op_;
  Lowering& lowering_;
  Epilogue epilogue_;
  const WindowProblem p_;
  const kir::Scalar stored_, compute_;
  const int lanes_;
  kir::Builder b_{op_.info().name};
  std::optional<kir::Buffer> src_, dst_, places_;
};

/// What nothing has been added to.
Value PlainPool::first(int width) {
  const kir::Type type{compute_, width};
  if (!isMax()) return b_.zero(type);
  if (kir::isFloat(compute_)) return b_.constant(type, -std::numeric_limits<double>::infinity());
  const int bits = static_cast<int>(kir::sizeInBytes(compute_)) * 8;
  const auto least = static_cast<int64_t>(~uint64_t{0} << (bits - 1));
  return b_.constantInt(type, kir::isSigned(compute_) ? least : 0);
}

Value PlainPool::step(const Value& sum, const Value& x) {
  if (isMax()) return b_.max(sum, x);
  if (isAverage()) return sum + x;
  const int64_t p = op_.integer("p");
  if (p == 1) return sum + b_.abs(x);
  if (p == 2) return sum + x * x;
  const Value exponent = b_.constant({compute_, x.type().lanes}, static_cast<double>(p));
  return sum + b_.pow(b_.abs(x), exponent);
}

/// The columns [begin, end) of results whose taps are all inside the input.
std::pair<int64_t, int64_t> insideColumns(const WindowProblem& p) {
  const int64_t reach = (p.kernel[2] - 1) * p.dilations[2];
  const int64_t begin = (std::max<int64_t>(p.padsBegin[2], 0) + p.strides[2] - 1) / p.strides[2];
  const int64_t room = p.in[2] - 1 - reach + p.padsBegin[2];
  const int64_t end = room < 0 ? 0 : room / p.strides[2] + 1;
  return {std::min(begin, p.out[2]), std::clamp(end, std::min(begin, p.out[2]), p.out[2])};
}

void PlainPool::lower() {
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0))};
  src_ = b_.input("src", stored_, op_.own(0)->type().numElements());
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  dst_ = b_.output("dst", *scalarOf(op_.result()->elem()), op_.result()->type().numElements());
  buffers.push_back(lowering_.storage(op_.result()));
  if (wantsIndices()) {
    places_ = b_.output("places", kir::Scalar::I64, op_.result(1)->type().numElements());
    buffers.push_back(lowering_.storage(op_.result(1)));
  }
  const int64_t extents[] = {p_.batch * p_.cout, p_.out[0], p_.out[1]};
  const std::string_view names[] = {"plane", "od", "oh"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    row({at[0], at[1], at[2], tapsInside(p_, 0, at[1]), tapsInside(p_, 1, at[2])});
  });
  const double elements = static_cast<double>(op_.result()->type().numElements());
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = "pool_plain",
       .flops = elements * (static_cast<double>(p_.taps()) + epilogue_.flopsPerElement())});
}

void PlainPool::row(const Row& row) {
  const auto [begin, end] = wantsIndices() ? std::pair<int64_t, int64_t>(0, 0) : insideColumns(p_);
  const auto border = [&](int64_t from, int64_t to) {
    b_.forLoop("ow", from, to, [&](const Index& ow) { atBorder(row, ow); });
  };
  border(0, begin);
  forVectors(b_, begin, end - begin, {2 * lanes_, lanes_},
             [&](const Index& ow, int width) { inside(row, ow, width); });
  border(end, p_.out[2]);
}

/// body(first element of the input's row) for every row of the window that is inside.
template <typename F> void PlainPool::forRows(const Row& row, F&& body) {
  b_.forLoop("kd", row.depth.lo, row.depth.hi, [&](const Index& kd) {
    b_.forLoop("kh", row.height.lo, row.height.hi, [&](const Index& kh) {
      const Index d = row.od * p_.strides[0] - p_.padsBegin[0] + kd * p_.dilations[0],
                  h = row.oh * p_.strides[1] - p_.padsBegin[1] + kh * p_.dilations[1];
      body(((row.plane * p_.in[0] + d) * p_.in[1] + h) * p_.in[2]);
    });
  });
}

void PlainPool::inside(const Row& row, const Index& ow, int width) {
  kir::Var sum = b_.var("sum", first(width));
  forRows(row, [&](const Index& line) {
    b_.forLoop("kw", 0, p_.kernel[2], [&](const Index& kw) {
      const Index iw = ow * p_.strides[2] - p_.padsBegin[2] + kw * p_.dilations[2];
      sum.set(
          step(sum, b_.cast(b_.loadStrided((*src_)[line + iw], p_.strides[2], width), compute_)));
    });
  });
  finish(row, ow, sum, p_.kernel[2]);
}

void PlainPool::atBorder(const Row& row, const Index& ow) {
  const TapRange width = tapsInside(p_, 2, ow);
  kir::Var sum = b_.var("sum", first(1));
  std::optional<kir::Var> best;
  if (wantsIndices()) best = b_.var("best", b_.constantInt({kir::Scalar::I64, 1}, -1));
  forRows(row, [&](const Index& line) {
    b_.forLoop("kw", width.lo, width.hi, [&](const Index& kw) {
      const Index from = line + ow * p_.strides[2] - p_.padsBegin[2] + kw * p_.dilations[2];
      const Value x = b_.loadAs(compute_, (*src_)[from]);
      if (best) { // the first of the largest; of numbers that are none the last
        const Value none = *best < b_.constantInt({kir::Scalar::I64, 1}, 0);
        Value better = (x > Value(sum)) | none;
        if (kir::isFloat(compute_)) better = better | (x != x);
        best->set(b_.select(better, number(from), *best));
      }
      sum.set(step(sum, x));
    });
  });
  finish(row, ow, sum, counted(2, ow, width));
  if (best) storeIndex(row, ow, *best);
}

/// Places count over the whole tensor; in column-major storage order, columns first in an image.
void PlainPool::storeIndex(const Row& row, const Index& ow, const Value& best) {
  const kir::Type type{kir::Scalar::I64, 1};
  const Value image = number(row.plane * p_.inPixels());
  const Value found = b_.select(best < b_.zero(type), image, best); // the window had no taps
  Value place = found;
  if (op_.integer("storage_order") != 0) {
    Value rest = found - image, scale = b_.constantInt(type, p_.inPixels());
    place = image;
    for (size_t d = 3; d-- > 0;) {
      const Value size = b_.constantInt(type, p_.in[d]);
      scale = scale / size;
      place = place + b_.floorMod(rest, size) * scale;
      rest = b_.floorDiv(rest, size);
    }
  }
  b_.store((*places_)[pixelAt(row, ow)], place);
}

Index PlainPool::counted(size_t d, const Index& o, const TapRange& taps) {
  if (op_.kind() != OpKind::AveragePool || op_.integer("count_include_pad") == 0)
    return taps.hi - taps.lo;
  const Index room = p_.in[d] + p_.padsEnd[d] + p_.padsBegin[d] - o * p_.strides[d];
  return min((room + (p_.dilations[d] - 1)) / p_.dilations[d], Index(p_.kernel[d]));
}

/// `columns` are the taps counted along the width.
void PlainPool::finish(const Row& row, const Index& ow, const Value& sum, const Index& columns) {
  Value value = sum;
  const int width = sum.type().lanes;
  if (isAverage()) {
    const Index all = counted(0, row.od, row.depth) * counted(1, row.oh, row.height) * columns;
    value = value / b_.splat(b_.cast(b_.value(all), compute_), width);
  } else if (op_.kind() == OpKind::LpPool) {
    const int64_t p = op_.integer("p");
    if (p == 2)
      value = b_.sqrt(value);
    else if (p != 1)
      value = b_.pow(value, b_.constant({compute_, width}, 1 / static_cast<double>(p)));
  }
  const Index spatial[] = {row.od, row.oh, ow};
  std::vector<Index> place = {row.plane / p_.cout, row.plane % p_.cout};
  const size_t lead = 5 - op_.result()->shape().size();
  place.insert(place.end(), std::begin(spatial) + static_cast<ptrdiff_t>(lead), std::end(spatial));
  b_.storeAs((*dst_)[pixelAt(row, ow)], epilogue_.apply(b_, value, place));
}

} // namespace

std::string refusePlainPool(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem) || x.elem == ElemType::Bool) return "element type without arithmetic";
  if (!isFloat(x.elem) && op.kind() != OpKind::MaxPool) return "an average of integers";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  if (x.numElements() == 0) return "nothing to pool";
  return epilogueRefusal(op);
}

void lowerPlainPool(const Op& op, Lowering& lowering) { PlainPool(op, lowering).lower(); }

} // namespace enfold::lower
