// Resize of plain tensors, an axis a kernel, those that shrink most first. Along the innermost axis
// lanes are neighbouring results, whose inputs are gathered; along any other a window's inputs are
// whole rows.
#include "lower/resize/PlainResize.h"

#include "lower/Epilogue.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/resize/Windows.h"

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kElementsPerIteration = 4096;
constexpr int kAbreast = 4;

/// [tap][result coordinate]
std::vector<float> transposed(const ResizeWindows& w) {
  std::vector<float> result(w.weights.size());
  for (int64_t o = 0; o < w.out; ++o)
    for (int64_t t = 0; t < w.taps; ++t)
      result[static_cast<size_t>(t * w.out + o)] = w.weights[static_cast<size_t>(o * w.taps + t)];
  return result;
}

/// What is at hand between two kernels.
struct Stage {
  BufferRef buffer;
  kir::Scalar stored;
  Shape shape;
};

/// Writes and calls the kernels of one op.
class PlainResize {
public:
  PlainResize(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), stored_(*scalarOf(op.ownElem())),
        compute_(computeScalar(stored_)) {}

  void lower();

private:
  /// One axis; `epilogue` is null but for the last.
  void resize(const Stage& from, const Stage& to, const ResizeAxis& axis, Epilogue* epilogue);

  const Op& op_;
  Lowering& lowering_;
  const kir::Scalar stored_, compute_;
};

void PlainResize::resize(const Stage& from, const Stage& to, const ResizeAxis& axis,
                         Epilogue* epilogue) {
  const ResizeWindows w = windowsOf(axis);
  const bool innermost = axis.axis + 1 == to.shape.size();
  kir::Builder b("resize_plain");
  std::vector<BufferRef> buffers = {from.buffer, lowering_.constant(w.first),
                                    lowering_.constant(transposed(w))};
  const kir::Buffer src = b.input("src", from.stored, numElements(from.shape));
  const kir::Buffer first = b.input("first", kir::Scalar::I32, w.out);
  const kir::Buffer weights = b.input("weights", kir::Scalar::F32, w.out * w.taps);
  std::optional<kir::Buffer> outside;
  if (!axis.outside.empty()) {
    std::vector<float> flags(axis.outside.begin(), axis.outside.end());
    outside = b.input("outside", kir::Scalar::F32, w.out);
    buffers.push_back(lowering_.constant(std::move(flags)));
  }
  if (epilogue) {
    epilogue->declare(b);
    epilogue->appendBuffers(buffers);
  }
  const kir::Buffer dst = b.output("dst", to.stored, numElements(to.shape));
  buffers.push_back(to.buffer);

  const std::vector<int64_t> srcStrides = denseStrides(from.shape);
  const std::vector<int64_t> dstStrides = denseStrides(to.shape);
  const int64_t stride = srcStrides[axis.axis];
  // Of the table: one number for all lanes, or one for each.
  const auto entry = [&](const kir::Buffer& table, const Index& at, int width) {
    return innermost ? b.load(table[at], width) : b.broadcast(table[at], width);
  };
  const auto body = [&](const std::vector<Index>& at, int width) {
    std::vector<Index> origin = at;
    const Index o = at[axis.axis];
    origin[axis.axis] = 0;
    Index base = elementAt(origin, srcStrides);
    if (!innermost)
      base = base + b.index(b.cast(b.load(first[o]), kir::Scalar::Index),
                            {0, std::max<int64_t>(w.in - w.taps, 0)}) *
                        stride;
    const auto load = [&](int64_t t) {
      const kir::Place place = src[base + t * stride];
      const Value v = innermost ? b.gather(place, b.load(first[o], width)) : b.load(place, width);
      return b.cast(v, compute_);
    };
    Value value = load(0);
    if (!w.copies()) {
      value = value * b.cast(entry(weights, o, width), compute_);
      for (int64_t t = 1; t < w.taps; ++t)
        value = b.fma(load(t), b.cast(entry(weights, t * w.out + o, width), compute_), value);
    }
    if (outside)
      value = b.select(entry(*outside, o, width) > 0.5,
                       b.constant({compute_, width}, op_.real("extrapolation_value")), value);
    b.storeAs(dst[elementAt(at, dstStrides)], epilogue ? epilogue->apply(b, value, at) : value);
  };
  const int lanes = lowering_.target().lanes(compute_);
  walkNest(b, makeNest(to.shape, kElementsPerIteration), Widths{kAbreast * lanes, lanes}, body);
  lowering_.call(b.finish(), std::move(buffers),
                 {.algorithm = innermost ? "resize_columns" : "resize_rows",
                  .flops = static_cast<double>(numElements(to.shape) * w.taps)});
}

void PlainResize::lower() {
  auto axes = *resizeAxes(op_);
  const auto growth = [](const ResizeAxis& a) {
    return static_cast<double>(a.out) / static_cast<double>(a.in);
  };
  std::ranges::stable_sort(axes, {}, growth);
  Stage at{lowering_.storage(op_.own(0)), stored_, op_.own(0)->shape()};
  // Nothing to resize is a copy, along any axis.
  if (axes.empty()) {
    const int64_t size = at.shape.back();
    axes.push_back({at.shape.size() - 1, size, size, {}, {}});
    for (int64_t i = 0; i < size; ++i) axes.front().taps.push_back({{i, 1}});
  }
  Epilogue epilogue(op_, lowering_);
  for (size_t i = 0; i < axes.size(); ++i) {
    const bool last = i + 1 == axes.size();
    Stage next{{}, last ? *scalarOf(op_.result()->elem()) : compute_, at.shape};
    next.shape[axes[i].axis] = axes[i].out;
    next.buffer =
        last ? lowering_.storage(op_.result())
             : lowering_.temporary(numElements(next.shape) * kir::sizeInBytes(next.stored));
    resize(at, next, axes[i], last ? &epilogue : nullptr);
    at = std::move(next);
  }
}

} // namespace

std::string refusePlainResize(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const auto scalar = scalarOf(x.elem);
  if (!scalar || x.elem == ElemType::Bool) return "element type without arithmetic";
  if (!x.layout.isPlain() || !y.layout.isPlain()) return "channel-blocked";
  if (x.rank() == 0 || y.numElements() == 0) return "the result is empty";
  const auto axes = resizeAxes(op);
  if (!axes) return axes.error().str();
  if (!kir::isFloat(*scalar))
    for (const ResizeAxis& axis : *axes)
      if (!windowsOf(axis).copies() || !axis.outside.empty()) return "integers are interpolated";
  return epilogueRefusal(op);
}

void lowerPlainResize(const Op& op, Lowering& lowering) { PlainResize(op, lowering).lower(); }

} // namespace enfold::lower
