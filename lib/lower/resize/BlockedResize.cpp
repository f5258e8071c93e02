// Resize with a vector of channels per pixel. Depth and height come first: the rows that an output
// row is made of are mixed into one row, which stays in the first-level cache; then its columns are
// mixed. A pixel so costs the sum of the taps along the axes, not their product.
#include "lower/resize/BlockedResize.h"

#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/resize/Windows.h"

#include <array>
#include <functional>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Columns outside the periodic run that are still written out one by one.
constexpr int64_t kMaxBorder = 16;
/// The same, and the longest period, where sizes vary: by whole factors images are enlarged alike
/// whatever their size.
constexpr int64_t kMaxBorderOfAny = 4, kMaxPeriodOfAny = 4;
constexpr int kAbreast = 4;

/// Depth, height and width; missing ones have size 1.
std::array<ResizeWindows, 3> spatialWindows(const Op& op) {
  const Shape& x = op.own(0)->shape();
  const size_t lead = 5 - x.size();
  std::array<ResizeWindows, 3> windows = {identityWindows(1), identityWindows(1),
                                          identityWindows(1)};
  for (size_t axis = 2; axis < x.size(); ++axis)
    windows[lead + axis - 2] = identityWindows(x[axis]);
  const auto axes = resizeAxes(op);
  for (const ResizeAxis& axis : *axes) windows[lead + axis.axis - 2] = windowsOf(axis);
  return windows;
}

/// Whether columns are written out: their weights and places are constants, as far as they repeat.
/// Else both come from tables.
bool areWrittenOut(const ResizeWindows& w, const PeriodicRange& range) {
  const int64_t border = w.out - range.period * range.periods;
  if (!kir::LooseRanges::areWanted()) return border <= kMaxBorder;
  return border <= kMaxBorderOfAny && range.period <= kMaxPeriodOfAny;
}

class BlockedResize {
public:
  BlockedResize(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), lanes_(op.result()->type().layout.block),
        windows_(spatialWindows(op)), epilogue_(op, lowering) {}

  void lower();

private:
  /// An input row that takes part in the present output row, and its weight.
  struct Row {
    Index at;
    std::optional<Value> weight; ///< none: 1
  };
  /// A result column: where it is, its first input column, and the weights of its taps.
  using Column = std::function<void(const Index& at, const Index& first,
                                    const std::function<Value(int64_t)>& weight)>;

  std::vector<Row> rowsOf(const Index& plane, const Index& od, const Index& oh);
  Value mixed(const std::vector<Row>& rows, const Index& element, int width);
  void forColumns(const Column& column);

  const Op& op_;
  Lowering& lowering_;
  const int lanes_;
  const std::array<ResizeWindows, 3> windows_;
  Epilogue epilogue_;
  kir::Builder b_{"resize_blocked"};
  std::optional<kir::Buffer> src_;
  std::array<std::optional<kir::Buffer>, 3> first_, weights_;
};

std::vector<BlockedResize::Row> BlockedResize::rowsOf(const Index& plane, const Index& od,
                                                      const Index& oh) {
  const ResizeWindows &depth = windows_[0], &height = windows_[1];
  const auto firstOf = [&](size_t d, const Index& o) {
    const ResizeWindows& w = windows_[d];
    return b_.index(b_.cast(b_.load((*first_[d])[o]), kir::Scalar::Index),
                    {0, std::max<int64_t>(w.in - w.taps, 0)});
  };
  const Index firstDepth = firstOf(0, od), firstHeight = firstOf(1, oh);
  std::vector<Row> rows;
  for (int64_t d = 0; d < depth.taps; ++d)
    for (int64_t h = 0; h < height.taps; ++h) {
      const Index row = (plane + firstDepth + d) * height.in + firstHeight + h;
      Row result{row * (windows_[2].in * lanes_), std::nullopt};
      if (!depth.copies())
        result.weight = b_.broadcast((*weights_[0])[od * depth.taps + d], lanes_);
      if (!height.copies()) {
        const Value w = b_.broadcast((*weights_[1])[oh * height.taps + h], lanes_);
        result.weight = result.weight ? *result.weight * w : w;
      }
      rows.push_back(std::move(result));
    }
  return rows;
}

/// The rows' weighted sum at `element` of a row.
Value BlockedResize::mixed(const std::vector<Row>& rows, const Index& element, int width) {
  std::optional<Value> sum;
  for (const Row& row : rows) {
    const Value v = b_.loadAs(kir::Scalar::F32, (*src_)[row.at + element], width);
    if (!row.weight) return v;
    Value weight = *row.weight;
    while (weight.lanes() < width) weight = b_.concat(weight, weight);
    sum = sum ? b_.fma(v, weight, *sum) : v * weight;
  }
  return *sum;
}

void BlockedResize::forColumns(const Column& column) {
  const ResizeWindows& w = windows_[2];
  const auto known = [&](int64_t o, const Index& at, const Index& first) {
    column(at, first, [&](int64_t t) {
      return b_.constant(kir::f32(lanes_),
                         static_cast<double>(w.weights[static_cast<size_t>(o * w.taps + t)]));
    });
  };
  const auto firstOf = [&](int64_t o) { return int64_t{w.first[static_cast<size_t>(o)]}; };
  const PeriodicRange range = periodicRange(w);
  if (areWrittenOut(w, range)) {
    for (int64_t o = 0; o < range.begin; ++o) known(o, o, firstOf(o));
    b_.forLoop("period", 0, kir::looseNumber(b_, range.periods), [&](const Index& i) {
      for (int64_t o = range.begin; o < range.begin + range.period; ++o)
        known(o, o + i * range.period, firstOf(o) + i * range.step);
    });
    for (int64_t o = range.end(); o < w.out; ++o) known(o, o, firstOf(o));
    return;
  }
  b_.forLoop("ow", 0, w.out, [&](const Index& o) {
    const Index first = b_.index(b_.cast(b_.load((*first_[2])[o]), kir::Scalar::Index),
                                 {0, std::max<int64_t>(w.in - w.taps, 0)});
    column(o, first,
           [&](int64_t t) { return b_.broadcast((*weights_[2])[o * w.taps + t], lanes_); });
  });
}

void BlockedResize::lower() {
  const Type &x = op_.own(0)->type(), &y = op_.result()->type();
  const int64_t blocks = (x.shape[1] + lanes_ - 1) / lanes_;
  const ResizeWindows& width = windows_[2];
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0))};
  src_ = b_.input("src", *scalarOf(x.elem), elementsOf(x));
  for (size_t d = 0; d < 3; ++d) {
    const ResizeWindows& w = windows_[d];
    first_[d] = b_.input("first", kir::Scalar::I32, w.out);
    weights_[d] = b_.input("weights", kir::Scalar::F32, w.out * w.taps);
    buffers.push_back(lowering_.constant(w.first));
    buffers.push_back(lowering_.constant(w.weights));
  }
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  const kir::Buffer dst = b_.output("dst", *scalarOf(y.elem), elementsOf(y));
  buffers.push_back(lowering_.storage(op_.result()));
  const bool mixesRows = !windows_[0].copies() || !windows_[1].copies();
  std::optional<kir::Buffer> line;
  if (mixesRows && !width.copies()) line = b_.scratch("line", kir::Scalar::F32, width.in * lanes_);

  const int64_t outDepth = windows_[0].out, outHeight = windows_[1].out;
  const int64_t extents[] = {x.shape[0] * blocks, outDepth, outHeight};
  const std::string_view names[] = {"cb", "od", "oh"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    const std::vector<Row> rows = rowsOf(at[0] * windows_[0].in, at[1], at[2]);
    if (line)
      forVectors(b_, 0, width.in * lanes_, {kAbreast * lanes_, lanes_},
                 [&](const Index& i, int w) { b_.store((*line)[i], mixed(rows, i, w)); });
    const auto source = [&](const Index& column) {
      return line ? b_.load((*line)[column * lanes_], lanes_)
                  : mixed(rows, column * lanes_, lanes_);
    };
    forColumns([&](const Index& ow, const Index& first, const auto& weight) {
      Value sum = source(first);
      if (!width.copies()) {
        sum = sum * weight(0);
        for (int64_t t = 1; t < width.taps; ++t) sum = b_.fma(source(first + t), weight(t), sum);
      }
      const Index pixel = (at[1] * outHeight + at[2]) * width.out + ow;
      const Value value =
          epilogue_.apply(b_, sum, BlockedPixel{at[0] / blocks, at[0] % blocks, pixel});
      b_.storeAs(dst[(at[0] * (outDepth * outHeight * width.out) + pixel) * lanes_], value);
    });
  });
  const double taps = static_cast<double>(width.taps + windows_[0].taps * windows_[1].taps);
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = "resize_blocked",
       .flops = static_cast<double>(y.numElements()) * (taps + epilogue_.flopsPerElement())});
}

} // namespace

std::string refuseBlockedResize(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const auto scalar = scalarOf(x.elem);
  if (!scalar || computeScalar(*scalar) != kir::Scalar::F32) return "not computed in f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!isVector(x.layout, target) || y.layout != x.layout) return "not channel-blocked alike";
  if (y.numElements() == 0) return "the result is empty";
  if (!resizesPixels(op)) return "resizes other axes than the spatial ones";
  return epilogueRefusal(op);
}

OpLayouts blockedResizeLayouts(const Op& op, const kir::Target&) {
  return resizesPixels(op) ? asItComes(op) : OpLayouts{};
}

void lowerBlockedResize(const Op& op, Lowering& lowering) { BlockedResize(op, lowering).lower(); }

} // namespace enfold::lower
