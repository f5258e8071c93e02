// exp(x - max) / sum of exp(x - max), and x - max - log(sum). Along the innermost axis a row is
// walked in vectors; along an outer one every lane has its own column. Halves are computed in f32
// and rounded where the operator's definition by other operators has a tensor: differences, powers
// and their sum (how sums of bf16 are formed: ir/Bf16Sum.h).
#include "lower/reduce/Softmax.h"

#include "ir/Bf16Sum.h"
#include "lower/Access.h"
#include "lower/Epilogue.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/reduce/Fold.h"

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kElementsPerIteration = 2048;

/// The kernel being written: dimensions before the axis, the axis, and those behind it.
class SoftmaxKernel {
public:
  SoftmaxKernel(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), b_(op.info().name), epilogue_(op, lowering),
        isLog_(op.kind() == OpKind::LogSoftmax), stored_(*scalarOf(op.ownElem())),
        scalar_(computeScalar(stored_)), lanes_(lowering.target().lanes(scalar_)) {}

  void lower();

private:
  void dimensions();
  void rows(const kir::Buffer& src, const kir::Buffer& dst);
  void columns(const kir::Buffer& src, const kir::Buffer& dst);
  void store(const kir::Buffer& dst, const std::vector<Index>& at, const Value& value) {
    b_.storeAs(dst[elementAt(at, dense_)], epilogue_.apply(b_, value, at));
  }
  /// As a tensor of the result's type would hold it.
  Value rounded(const Value& value) { return b_.cast(b_.cast(value, stored_), scalar_); }
  /// Elements of bf16 add up as the reference function adds them.
  bool roundsEachAddition(int64_t n) const {
    return stored_ == kir::Scalar::BF16 && n <= kShortBf16Sum;
  }
  /// n elements of every lane, each addition rounded.
  Value sumInOrder(int64_t n, int width, const std::function<Value(const Index& k)>& load);
  FoldOp largest() const { return {kir::Op::Max, scalar_}; }
  FoldOp sum() const { return {kir::Op::Add, scalar_}; }

  const Op& op_;
  Lowering& lowering_;
  kir::Builder b_;
  Epilogue epilogue_;
  bool isLog_;
  kir::Scalar stored_, scalar_;
  int lanes_;
  std::vector<int64_t> extents_, dense_;
  size_t axis_ = 0;
};

void SoftmaxKernel::dimensions() {
  extents_ = physicalExtents(op_.result()->type());
  dense_ = denseStrides(extents_);
  const auto axis = static_cast<size_t>(frontAxis(op_.integer("axis"), op_.own(0)->type().rank()));
  std::vector<std::vector<int64_t>*> strides = {&dense_};
  for (Operand& operand : epilogue_.operands()) strides.push_back(&operand.strides());
  std::vector<size_t> ends = {axis, axis + 1, extents_.size()};
  collapseParts(extents_, strides, ends);
  axis_ = ends[0];
  // Dimensions of one element behind the axis would hide that it is the innermost.
  while (extents_.size() > axis_ + 1 && extents_.back() == 1) {
    extents_.pop_back();
    for (auto* s : strides) s->pop_back();
  }
}

Value SoftmaxKernel::sumInOrder(int64_t n, int width,
                                const std::function<Value(const Index&)>& load) {
  const kir::Var sum = b_.var("sum", b_.zero({scalar_, width}));
  b_.forLoop("k", 0, n, [&](const Index& k) { sum.set(rounded(sum + load(k))); });
  return sum;
}

/// The axis is innermost: it lies in memory as the row that vectors walk.
void SoftmaxKernel::rows(const kir::Buffer& src, const kir::Buffer& dst) {
  const int64_t n = extents_.back();
  const kir::Buffer powers = b_.scratch("powers", scalar_, n);
  std::vector<int64_t> outer(extents_.begin(), extents_.end() - 1);
  outer.push_back(1);
  const Widths widths{4 * lanes_, lanes_};
  walkNest(b_, makeNest(outer, kElementsPerIteration / n), {1, 1}, [&](std::vector<Index> at, int) {
    at.back() = 0;
    const Index base = elementAt(at, dense_);
    const auto load = [&](const Index& i, int w) { return b_.loadAs(scalar_, src[base + i], w); };
    const Value top = foldRow(b_, largest(), n, lanes_, load);
    const auto power = [&](const Index& i, int w) {
      const Value value = rounded(b_.exp(rounded(load(i, w) - b_.splat(top, w))));
      if (!isLog_) b_.store(powers[i], value);
      return value;
    };
    const Value total = roundsEachAddition(n)
                            ? sumInOrder(n, 1, [&](const Index& k) { return power(k, 1); })
                            : rounded(foldRow(b_, sum(), n, lanes_, power));
    const Value last = isLog_ ? b_.log(total) : b_.constant({scalar_, 1}, 1.0) / total;
    forVectors(b_, 0, n, widths, [&](const Index& i, int w) {
      at.back() = i;
      store(dst, at,
            isLog_ ? (load(i, w) - b_.splat(top, w)) - b_.splat(last, w)
                   : b_.load(powers[i], w) * b_.splat(last, w));
    });
  });
}

/// Vectors lie along the innermost dimension; each lane sums its own column.
void SoftmaxKernel::columns(const kir::Buffer& src, const kir::Buffer& dst) {
  const int64_t n = extents_[axis_], stride = dense_[axis_];
  const Widths widths{2 * lanes_, lanes_};
  const kir::Buffer powers = b_.scratch("powers", scalar_, n * widths.wide);
  std::vector<int64_t> others = extents_;
  others[axis_] = 1;
  walkNest(b_, makeNest(others, kElementsPerIteration / n), widths,
           [&](std::vector<Index> at, int width) {
             at[axis_] = 0;
             const Index base = elementAt(at, dense_);
             const auto load = [&](const Index& k) {
               return b_.loadAs(scalar_, src[base + k * stride], width);
             };
             const Value top = foldSteps(b_, largest(), n, width, load);
             const auto power = [&](const Index& k) {
               const Value value = rounded(b_.exp(rounded(load(k) - top)));
               if (!isLog_) b_.store(powers[k * width], value);
               return value;
             };
             const Value total = roundsEachAddition(n)
                                     ? sumInOrder(n, width, power)
                                     : rounded(foldSteps(b_, sum(), n, width, power));
             const Value last = isLog_ ? b_.log(total) : b_.constant({scalar_, width}, 1.0) / total;
             b_.forLoop("k", 0, n, [&](const Index& k) {
               at[axis_] = k;
               store(dst, at,
                     isLog_ ? (load(k) - top) - last : b_.load(powers[k * width], width) * last);
             });
           });
}

void SoftmaxKernel::lower() {
  const int64_t elements = op_.result()->type().numElements();
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0))};
  const kir::Buffer src = b_.input("src", stored_, elements);
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  const kir::Buffer dst = b_.output("dst", *scalarOf(op_.result()->elem()), elements);
  buffers.push_back(lowering_.storage(op_.result()));
  dimensions();
  const bool innermost = axis_ + 1 == extents_.size();
  if (innermost)
    rows(src, dst);
  else
    columns(src, dst);
  lowering_.call(b_.finish(), std::move(buffers),
                 {.algorithm = innermost ? "softmax_rows" : "softmax_columns",
                  .flops = 4 * static_cast<double>(elements)});
}

} // namespace

std::string refuseSoftmax(const Op& op, const kir::Target&) {
  const Type& type = op.result()->type();
  if (!scalarOf(op.ownElem()) || !isFloat(op.ownElem())) return "element type is not a float";
  if (!type.layout.isPlain() || !op.own(0)->type().layout.isPlain()) return "channel-blocked";
  if (type.rank() == 0 || type.numElements() == 0) return "no axis to sum along";
  return epilogueRefusal(op);
}

void lowerSoftmax(const Op& op, Lowering& lowering) { SoftmaxKernel(op, lowering).lower(); }

} // namespace enfold::lower
