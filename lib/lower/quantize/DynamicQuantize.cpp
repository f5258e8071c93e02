// Three kernels: the extremes of pieces of the tensor, unless those that compute it find them,
// scale and zero point, and the bytes. A tensor in blocks is read as it lies, but for lanes past
// the last channel.
#include "lower/quantize/DynamicQuantize.h"

#include "lower/Access.h"
#include "lower/Layouts.h"
#include "lower/quantize/Extremes.h"
#include "lower/window/WindowProblem.h"

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Scalar;
using kir::Value;

/// Elements that an iteration takes.
constexpr int64_t kPiece = 8192;
constexpr int kUnroll = 4;

/// The tensor as runs of elements: of a blocked one a block of channels of an image.
struct Runs {
  explicit Runs(const Type& type)
      : block(std::max(1, type.layout.block)),
        perImage(type.layout.isPlain() ? 1 : ceilDiv(type.shape[1], block)),
        count(type.layout.isPlain() ? 1 : perImage * type.shape[0]), size(elementsOf(type) / count),
        rest(type.layout.isPlain() ? 0 : type.shape[1] % block) {}

  int64_t block, perImage, count, size;
  int64_t rest; ///< channels of the last block of an image, if it is not full
};

PartialExtremes lowerExtremes(const Op& op, Lowering& lowering) {
  const Runs runs(op.own(0)->type());
  const int lanes = kUnroll * lowering.target().lanes(Scalar::F32);
  const int64_t pieces = ceilDiv(runs.size, kPiece), iterations = runs.count * pieces;
  kir::Builder b("extremes");
  const kir::Buffer src = b.input("src", Scalar::F32, runs.count * runs.size);
  const kir::Buffer dst = b.output("dst", Scalar::F32, 2 * iterations);
  const int64_t extents[] = {runs.count, pieces};
  const std::string_view names[] = {"run", "piece"};
  b.parallelGrid(extents, names, {1}, [&](std::span<const Index> grid) {
    const Index &run = grid[0], &piece = grid[1];
    const Index begin = piece * kPiece, end = min(begin + kPiece, Index(runs.size));
    Extremes extremes(b, lanes);
    const auto all = [&](bool isMasked) {
      const Value zero = b.zero(kir::f32(lanes));
      const auto take = [&](const Value& numbers) {
        if (!isMasked) return extremes.take(numbers);
        const Value lane = b.iota({Scalar::I32, lanes}) & (runs.block - 1);
        extremes.take(b.select(lane < runs.rest, numbers, zero));
      };
      const Index whole = begin + (end - begin) / lanes * lanes;
      const auto at = [&](const Index& i) { return src[run * runs.size + i]; };
      b.forLoop("i", begin, whole, lanes, [&](const Index& i) { take(b.load(at(i), lanes)); });
      b.forLoop("i", whole, end, lanes,
                [&](const Index& i) { take(b.loadPartial(at(i), end - i, zero)); });
    };
    if (runs.rest == 0)
      all(false);
    else
      b.ifElse(run % runs.perImage < runs.perImage - 1, [&] { all(false); }, [&] { all(true); });
    const Index number = run * pieces + piece;
    b.store(dst[number], extremes.least());
    b.store(dst[iterations + number], extremes.greatest());
  });
  const BufferRef found = lowering.temporary(8 * iterations);
  lowering.call(
      b.finish(), {lowering.storage(op.own(0)), found},
      {.algorithm = "extremes", .flops = 2 * static_cast<double>(op.own(0)->type().numElements())});
  return {found, iterations};
}

void lowerBytes(const Op& op, const DynamicScale& by, Lowering& lowering) {
  const int lanes = lowering.target().lanes(Scalar::F32);
  const int64_t size = elementsOf(op.own(0)->type());
  kir::Builder b("dynamic_quantize");
  const kir::Buffer src = b.input("src", Scalar::F32, size);
  const kir::Buffer scale = b.input("scale", Scalar::F32, 1);
  const kir::Buffer zero = b.input("zero", Scalar::U8, 1);
  const kir::Buffer dst = b.output("dst", Scalar::U8, size);
  b.parallelFor("piece", ceilDiv(size, kPiece), [&](const Index& piece) {
    const Index begin = piece * kPiece, end = min(begin + kPiece, Index(size));
    const Value step = b.broadcast(scale[0], lanes);
    const Value shift = b.splat(b.loadAs(Scalar::F32, zero[0]), lanes);
    const auto narrow = [&](const Value& v, int width) {
      return width == v.lanes() ? v : b.slice(v, 0, width);
    };
    const auto vector = [&](const Index& i, int width) {
      const Value rounded = b.round(b.load(src[i], width) / narrow(step, width));
      b.store(dst[i], b.castSat(rounded + narrow(shift, width), Scalar::U8));
    };
    const Index wide = begin + (end - begin) / (kUnroll * lanes) * (kUnroll * lanes);
    b.forLoop("i", begin, wide, kUnroll * lanes, [&](const Index& i) {
      for (int part = 0; part < kUnroll; ++part) vector(i + part * lanes, lanes);
    });
    const Index whole = begin + (end - begin) / lanes * lanes;
    b.forLoop("i", wide, whole, lanes, [&](const Index& i) { vector(i, lanes); });
    b.forLoop("i", whole, end, [&](const Index& i) { vector(i, 1); });
  });
  lowering.call(b.finish(),
                {lowering.storage(op.own(0)), by.scale, by.zero, lowering.storage(op.result(0))},
                {.algorithm = "dynamic_quantize", .flops = 4 * static_cast<double>(size)});
}

} // namespace

std::string refuseDynamicQuantize(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result(0)->type();
  if (x.elem != ElemType::F32) return "element type is not f32";
  if (x.layout != y.layout) return "blocked otherwise than its result";
  return "";
}

OpLayouts dynamicQuantizeLayouts(const Op& op, const kir::Target& target) {
  const Layout& layout = op.own(0)->type().layout;
  if (!isVector(layout, target)) return {};
  return {layout, layout};
}

void lowerDynamicQuantize(const Op& op, Lowering& lowering) {
  const DynamicScale scale =
      op.numResults() == 3 ? dynamicScaleOf(op, lowering)
                           : DynamicScale{lowering.temporary(sizeof(float)), lowering.temporary(1)};
  const Op* const producer = op.own(0)->producer();
  if (!producer || quantizerOf(*producer, lowering.target()) != &op) {
    const PartialExtremes found = lowerExtremes(op, lowering);
    lowerDynamicScale(scale, {&found, 1}, lowering);
  }
  lowerBytes(op, scale, lowering);
}

} // namespace enfold::lower
