// Pooling with a vector of channels per pixel. As in convolution, taps outside the input are left
// out of the code along the width and clipped by loop bounds along height and depth.
#include "lower/pool/BlockedPool.h"

#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>

#include <limits>

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

std::string refuseLayout(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (x.elem != ElemType::F32) return "element type is not f32";
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
  const bool isMax = op.kind() == OpKind::MaxPool;
  const bool includePad = !isMax && op.integer("count_include_pad") != 0;

  kir::Builder b(op.info().name);
  Epilogue epilogue(op, lowering);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const kir::Buffer src = b.input("src", kir::Scalar::F32, op.own(0)->type().numBytes() / 4);
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", kir::Scalar::F32, type.numBytes() / 4);
  buffers.push_back(lowering.storage(op.result()));

  const auto tile = [&](std::span<const Index> at, int64_t begin, const Index& shift,
                        int64_t count) {
    const Index &n = at[0], &cb = at[1], &od = at[2], &oh = at[3];
    const Index image = (n * blocks + cb) * (p.inPixels() * lanes);
    const double first = isMax ? -std::numeric_limits<double>::infinity() : 0.0;
    std::vector<kir::Var> acc;
    for (int64_t i = 0; i < count; ++i)
      acc.push_back(b.var("acc", b.constant(kir::f32(lanes), first)));
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
            const Value v = b.load(src[line + iw * lanes], lanes);
            kir::Var& sum = acc[static_cast<size_t>(i)];
            sum.set(isMax ? b.max(sum, v) : sum + v);
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
      value = epilogue.apply(b, value, blockedCoordinates(type, n, cb, pixel));
      b.store(dst[((n * blocks + cb) * p.outPixels() + pixel) * lanes], value);
    }
  };
  const int64_t extents[] = {p.batch, blocks, p.out[0], p.out[1]};
  const std::string_view names[] = {"n", "cb", "od", "oh"};
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    for (const TileRun& run : tileRow(p, kPixels))
      b.forLoop("tile", 0, run.count,
                [&](const Index& t) { tile(at, run.begin, t * run.pixels, run.pixels); });
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
  const bool isMax = op.kind() == OpKind::GlobalMaxPool;
  kir::Builder b(op.info().name);
  Epilogue epilogue(op, lowering);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const kir::Buffer src = b.input("src", kir::Scalar::F32, x.numBytes() / 4);
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", kir::Scalar::F32, type.numBytes() / 4);
  buffers.push_back(lowering.storage(op.result()));

  const Value first =
      b.constant(kir::f32(lanes), isMax ? -std::numeric_limits<double>::infinity() : 0.0);
  const auto merge = [&](const Value& a, const Value& c) { return isMax ? b.max(a, c) : a + c; };
  b.parallelFor("cb", x.shape[0] * blocks, [&](const Index& cb) {
    // Row sums are added up, not pixels, so that rounding errors grow with the side, not the area.
    kir::Var total = b.var("total", first);
    b.forLoop("row", 0, pixels / columns, [&](const Index& row) {
      const Index line = (cb * pixels + row * columns) * lanes;
      std::vector<kir::Var> acc;
      for (int64_t u = 0; u < std::min(kPixels, columns); ++u) acc.push_back(b.var("acc", first));
      const auto take = [&](const Index& column, int64_t u) {
        kir::Var& sum = acc[static_cast<size_t>(u)];
        sum.set(merge(sum, b.load(src[line + column * lanes], lanes)));
      };
      const int64_t whole = columns / kPixels * kPixels;
      b.forLoop("w", 0, whole, kPixels, [&](const Index& w) {
        for (int64_t u = 0; u < kPixels; ++u) take(w + u, u);
      });
      for (int64_t w = whole; w < columns; ++w) take(w, w - whole);
      Value sum = acc[0];
      for (size_t u = 1; u < acc.size(); ++u) sum = merge(sum, acc[u]);
      total.set(merge(total, sum));
    });
    const Value value = isMax ? Value(total) : total * (1.0 / static_cast<double>(pixels));
    b.store(dst[cb * lanes],
            epilogue.apply(b, value, blockedCoordinates(type, cb / blocks, cb % blocks, 0)));
  });
  lowering.call(
      b.finish(), std::move(buffers),
      {.algorithm = "global_pool_blocked", .flops = static_cast<double>(x.numElements())});
}

} // namespace enfold::lower
