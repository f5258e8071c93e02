// A row of the result, along the last axis that is padded, is a run of the source's row between two
// borders. Which rows and border elements are taken is in a table for each padded axis; what lies
// inside that axis, the channels of a block say, is copied as it is.
#include "lower/movement/EdgePad.h"

#include "ir/Padding.h"
#include "lower/Access.h"
#include "lower/Layouts.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;

/// An axis of the memory of both tensors.
struct Axis {
  int64_t in = 1, out = 1, before = 0;
  std::vector<int32_t> source; ///< of each position of the result; empty if the axis is not padded
};

/// Positions of longer axes have no table, which would take more memory than it is worth.
constexpr int64_t kLongest = int64_t{1} << 24;

std::vector<Axis> axesOf(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const std::vector<int64_t> in = physicalExtents(x), out = physicalExtents(y);
  std::vector<Axis> axes;
  for (size_t i = 0; i < in.size(); ++i) axes.push_back({in[i], out[i]});
  const std::vector<int64_t> pads = op.own(1)->constant()->toInts();
  const std::string mode = op.string("mode");
  for (size_t i = 0; i < pads.size() / 2; ++i) {
    const int64_t named = op.own(3) ? op.own(3)->constant()->asInt(int64_t(i)) : int64_t(i);
    Axis& axis = axes[static_cast<size_t>(frontAxis(named, x.rank()))];
    axis.before = pads[i];
    if (axis.before == 0 && axis.in == axis.out) continue;
    const int64_t after = axis.out - axis.in - axis.before;
    for (int64_t at = 0; at < axis.out; ++at)
      axis.source.push_back(
          static_cast<int32_t>(paddedSource(mode, at, axis.in, axis.before, after)));
  }
  return axes;
}

} // namespace

std::string refuseEdgePad(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (op.string("mode") == "constant") return "padding with a constant";
  if (!scalarOf(x.elem)) return "element type without a register type";
  if (!op.own(1)->constant() || (op.own(3) && !op.own(3)->constant())) return "pads not constant";
  if (x.layout != y.layout) return "two layouts";
  if (!x.layout.isPlain() && x.shape[1] != y.shape[1]) return "channels are padded";
  if (x.numElements() == 0) return "nothing to pad with";
  if (std::ranges::any_of(y.shape, [](int64_t size) { return size > kLongest; }))
    return "an axis too long for a table";
  return "";
}

OpLayouts edgePadLayouts(const Op& op, const kir::Target&) {
  const bool known = op.own(1)->constant() && (!op.own(3) || op.own(3)->constant());
  const bool pixels = op.own(0)->shape()[1] == op.result()->shape()[1];
  return op.string("mode") != "constant" && known && pixels ? asItComes(op) : OpLayouts{};
}

void lowerEdgePad(const Op& op, Lowering& lowering) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const kir::Scalar elem = *scalarOf(x.elem);
  std::vector<Axis> axes = axesOf(op);
  int64_t inner = 1; // elements of a position of the last padded axis
  while (axes.size() > 1 && axes.back().source.empty()) {
    inner *= axes.back().in;
    axes.pop_back();
  }
  const Axis row = axes.back();
  axes.pop_back();

  kir::Builder b("pad");
  const kir::Buffer src = b.input("src", elem, elementsOf(x));
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const auto table = [&](const Axis& axis) -> std::optional<kir::Buffer> {
    if (axis.source.empty()) return std::nullopt;
    buffers.push_back(lowering.constant(axis.source));
    return b.input("table", kir::Scalar::I32, axis.out);
  };
  std::vector<std::optional<kir::Buffer>> tables;
  for (const Axis& axis : axes) tables.push_back(table(axis));
  const std::optional<kir::Buffer> columns = table(row);
  const kir::Buffer dst = b.output("dst", elem, elementsOf(y));
  buffers.push_back(lowering.storage(op.result()));

  const auto sourceOf = [&](const std::optional<kir::Buffer>& from, const Axis& axis,
                            const Index& at) {
    if (!from) return at;
    return b.index(b.cast(b.load((*from)[at]), kir::Scalar::Index), {0, axis.in - 1});
  };
  const int lanes = lowering.target().lanes(elem);
  const auto copy = [&](const Index& to, const Index& from, int64_t elements) {
    forVectors(b, 0, elements, {4 * lanes, lanes}, [&](const Index& i, int width) {
      b.store(dst[to + i], b.load(src[from + i], width));
    });
  };
  std::vector<int64_t> extents;
  std::vector<std::string_view> names;
  for (const Axis& axis : axes) {
    extents.push_back(axis.out);
    names.push_back("d");
  }
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    Index from = 0, to = 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      from = from * axes[i].in + sourceOf(tables[i], axes[i], at[i]);
      to = to * axes[i].out + at[i];
    }
    from = from * (row.in * inner);
    to = to * (row.out * inner);
    const auto border = [&](int64_t begin, int64_t end) {
      b.forLoop("o", begin, end, [&](const Index& o) {
        copy(to + o * inner, from + sourceOf(columns, row, o) * inner, inner);
      });
    };
    const int64_t begin = std::clamp<int64_t>(row.before, 0, row.out);
    const int64_t end = std::clamp<int64_t>(row.before + row.in, begin, row.out);
    border(0, begin);
    copy(to + begin * inner, from + (begin - row.before) * inner, (end - begin) * inner);
    border(end, row.out);
  });
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = "pad", .bytes = 2.0 * static_cast<double>(y.numBytes())});
}

} // namespace enfold::lower
