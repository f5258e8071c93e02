// Pooling with a vector of channels per pixel. As in convolution, taps outside the input are left
// out of the code along the width and clipped by loop bounds along height and depth.
#include "lower/pool/BlockedPool.h"

#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/Scalars.h"
#include "lower/reduce/Fold.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kPixels = 4;

/// Taps along the width that count for the average at pixel `o`: those inside the input, or, with
/// padding included, those inside the padded input.
int64_t countedTaps(const WindowProblem& p, int64_t o, bool includePad) {
  int64_t count = 0;
  for (int64_t k = 0; k < p.kernel[2]; ++k)
    count += includePad ? p.inputAt(2, o, k) < p.in[2] + p.padsEnd[2] : tapInside(p, o, k);
  return count;
}

/// The same along another dimension, at run time.
Index countedTaps(const WindowProblem& p, size_t d, const Index& o, bool includePad) {
  if (!includePad) {
    const TapRange taps = tapsInside(p, d, o);
    return taps.hi - taps.lo;
  }
  const Index room = p.in[d] + p.padsEnd[d] + p.padsBegin[d] - o * p.strides[d];
  return min((room + (p.dilations[d] - 1)) / p.dilations[d], Index(p.kernel[d]));
}

bool isMaximum(const Op& op) {
  return op.kind() == OpKind::MaxPool || op.kind() == OpKind::GlobalMaxPool;
}

/// What windows are folded with.
FoldOp foldOf(const Op& op) {
  return {isMaximum(op) ? kir::Op::Max : kir::Op::Add, computeScalar(*scalarOf(op.own(0)->elem()))};
}

std::string refuseLayout(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem) || x.elem == ElemType::Bool) return "element type without arithmetic";
  if (!isMaximum(op) && foldOf(op).scalar != kir::Scalar::F32)
    return "an average of other than f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!isVector(x.layout, target) || y.layout != x.layout) return "not channel-blocked alike";
  return epilogueRefusal(op);
}

} // namespace

std::string refuseBlockedPool(const Op& op, const kir::Target& target) {
  if (op.numResults() != 1) return "the indices are also a result";
  return refuseLayout(op, target);
}

void lowerBlockedPool(const Op& op, Lowering& lowering) {
  const WindowProblem p = windowProblem(op);
  const Type& type = op.result()->type();
  const int lanes = op.result()->type().layout.block;
  const int64_t blocks = (p.cout + lanes - 1) / lanes;
  const FoldOp fold = foldOf(op);
  const bool isMax = isMaximum(op);
  const bool includePad = !isMax && op.integer("count_include_pad") != 0;

  kir::Builder b(op.info().name);
  Epilogue epilogue(op, lowering);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const kir::Buffer src =
      b.input("src", *scalarOf(op.own(0)->elem()), elementsOf(op.own(0)->type()));
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", *scalarOf(type.elem), elementsOf(type));
  buffers.push_back(lowering.storage(op.result()));

  const auto tile = [&](std::span<const Index> at, int64_t begin, const Index& shift,
                        int64_t count) {
    const Index &n = at[0], &od = at[1], &oh = at[2], &cb = at[3];
    const Index image = (n * blocks + cb) * (p.inPixels() * lanes);
    std::vector<kir::Var> acc;
    for (int64_t i = 0; i < count; ++i) acc.push_back(b.var("acc", fold.identity(b, lanes)));
    const TapRange depth = tapsInside(p, 0, od), height = tapsInside(p, 1, oh);
    b.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
      b.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
        const Index id = od * p.strides[0] - p.padsBegin[0] + kd * p.dilations[0];
        const Index ih = oh * p.strides[1] - p.padsBegin[1] + kh * p.dilations[1];
        const Index line = image + (id * p.in[1] + ih) * (p.in[2] * lanes);
        for (int64_t x = 0; x < p.kernel[2]; ++x)
          for (int64_t i = 0; i < count; ++i) {
            if (!tapInside(p, begin + i, x)) continue;
            const Index iw = shift * p.strides[2] + p.inputAt(2, begin + i, x);
            kir::Var& sum = acc[static_cast<size_t>(i)];
            sum.set(fold.combine(sum, b.loadAs(fold.scalar, src[line + iw * lanes], lanes)));
          }
      });
    });
    const Index rows =
        isMax ? Index(1) : countedTaps(p, 0, od, includePad) * countedTaps(p, 1, oh, includePad);
    for (int64_t i = 0; i < count; ++i) {
      Value value = acc[static_cast<size_t>(i)];
      if (!isMax) {
        const Index counted = rows * countedTaps(p, begin + i, includePad);
        value = value / b.splat(b.cast(b.value(counted), kir::Scalar::F32), lanes);
      }
      const Index pixel = (od * p.out[1] + oh) * p.out[2] + begin + shift + i;
      value = epilogue.apply(b, value, BlockedPixel{n, cb, pixel});
      b.storeAs(dst[((n * blocks + cb) * p.outPixels() + pixel) * lanes], value);
    }
  };
  // Rows before channels, so that a thread reads what it wrote in the convolution before.
  const int64_t rows =
      partsOfIteration(p.out[1], 0, p.batch * blocks * p.out[0], lowering.target().machine);
  const int64_t extents[] = {p.batch, p.out[0], (p.out[1] + rows - 1) / rows, blocks};
  const std::string_view names[] = {"n", "od", "piece", "cb"};
  const int64_t pixels = p.anyWidth ? tileForAnyWidth(p, kPixels) : kPixels;
  b.parallelGrid(extents, names, {2}, [&](std::span<const Index> at) {
    const Index count = kir::looseNumber(b, rows), first = at[2] * count;
    b.forLoop("oh", first, min(first + count, Index(p.out[1])), [&](const Index& oh) {
      const Index place[] = {at[0], at[1], oh, at[3]};
      for (const TileRun& run : tileRow(p, pixels))
        b.forLoop("tile", 0, run.bound(b),
                  [&](const Index& t) { tile(place, run.begin, run.shift(b, t), run.pixels); });
    });
  });
  lowering.call(
      b.finish(), std::move(buffers),
      {.algorithm = "pool_blocked", .flops = static_cast<double>(type.numElements() * p.taps())});
}

OpLayouts blockedPoolLayouts(const Op& op, const kir::Target&) {
  const Layout x = op.own(0)->type().layout;
  if (op.numResults() != 1 || x.isPlain()) return {};
  // A plain result would cost more than large operands.
  return {x, x, misfits(op, x)};
}

OpLayouts blockedGlobalPoolLayouts(const Op& op, const kir::Target&) { return asItComes(op); }

std::string refuseBlockedGlobalPool(const Op& op, const kir::Target& target) {
  return refuseLayout(op, target);
}

void lowerBlockedGlobalPool(const Op& op, Lowering& lowering) {
  const Type &x = op.own(0)->type(), &type = op.result()->type();
  const int lanes = op.result()->type().layout.block;
  const int64_t blocks = (x.shape[1] + lanes - 1) / lanes, columns = x.shape.back();
  const int64_t pixels = x.numElements() / std::max<int64_t>(1, x.shape[0] * x.shape[1]);
  const FoldOp fold = foldOf(op);
  kir::Builder b(op.info().name);
  Epilogue epilogue(op, lowering);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const kir::Buffer src = b.input("src", *scalarOf(x.elem), elementsOf(x));
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", *scalarOf(type.elem), elementsOf(type));
  buffers.push_back(lowering.storage(op.result()));

  // Rows of any width have as many sums, some of which may be of nothing.
  const int64_t abreast = kir::LooseRanges::areWanted() ? kPixels : std::min(kPixels, columns);
  const Value first = fold.identity(b, lanes);
  b.parallelFor("cb", x.shape[0] * blocks, [&](const Index& cb) {
    // Row sums are added up, not pixels, so that rounding errors grow with the side, not the area.
    kir::Var total = b.var("total", first);
    b.forLoop("row", 0, pixels / columns, [&](const Index& row) {
      const Index line = (cb * pixels + row * columns) * lanes;
      std::vector<kir::Var> acc;
      for (int64_t u = 0; u < abreast; ++u) acc.push_back(b.var("acc", first));
      const auto take = [&](const Index& column, int64_t u) {
        kir::Var& sum = acc[static_cast<size_t>(u)];
        sum.set(fold.combine(sum, b.loadAs(fold.scalar, src[line + column * lanes], lanes)));
      };
      const Index whole = kir::looseNumber(b, columns / kPixels * kPixels);
      b.forLoop("w", 0, whole, kPixels, [&](const Index& w) {
        for (int64_t u = 0; u < kPixels; ++u) take(w + u, u);
      });
      for (int64_t u = 0; u + 1 < kPixels; ++u)
        b.ifThen(whole + u < kir::looseNumber(b, columns), [&] { take(whole + u, u); });
      Value sum = acc[0];
      for (size_t u = 1; u < acc.size(); ++u) sum = fold.combine(sum, acc[u]);
      total.set(fold.combine(total, sum));
    });
    const Value value = isMaximum(op) ? Value(total) : total * (1.0 / static_cast<double>(pixels));
    b.storeAs(dst[cb * lanes], epilogue.apply(b, value, BlockedPixel{cb / blocks, cb % blocks, 0}));
  });
  lowering.call(
      b.finish(), std::move(buffers),
      {.algorithm = "global_pool_blocked", .flops = static_cast<double>(x.numElements())});
}

} // namespace enfold::lower
