// Every op here is a list of strided copies from its operands to its results.
#include "lower/movement/Movement.h"

#include "kernel/Builder.h"
#include "lower/Access.h"
#include "lower/Layouts.h"
#include "lower/Scalars.h"
#include "lower/movement/StridedCopy.h"

#include <algorithm>

namespace enfold::lower {
namespace {

/// One copy, and which operand and result it goes between.
struct Move {
  StridedCopy copy;
  size_t operand = 0, result = 0;
};

int64_t frontAxis(int64_t axis, const Type& type) { return axis < 0 ? axis + type.rank() : axis; }

/// A copy of all of `part`, which lies dense on one side; the other side's strides follow.
Move denseMove(const Type& from, const Type& to, std::vector<int64_t> extents) {
  Move move;
  move.copy.elem = *scalarOf(from.elem);
  move.copy.srcStrides = move.copy.dstStrides = denseStrides(extents);
  move.copy.extents = std::move(extents);
  move.copy.srcSize = elementsOf(from);
  move.copy.dstSize = elementsOf(to);
  return move;
}

/// Where index `begin` along logical `axis` starts in the physical dimensions of `type`.
int64_t physicalOffset(const Type& type, size_t axis, int64_t begin) {
  const std::vector<int64_t> strides = denseStrides(physicalExtents(type));
  const bool blockedAxis = !type.layout.isPlain() && axis == 1;
  return blockedAxis ? begin / type.layout.block * strides[1] : begin * strides[axis];
}

/// The part of `whole` from `begin` along `axis` is `part`: copies between them.
Move partMove(const Type& whole, const Type& part, size_t axis, int64_t begin, bool intoWhole) {
  Move move = denseMove(intoWhole ? part : whole, intoWhole ? whole : part, physicalExtents(part));
  auto& strides = intoWhole ? move.copy.dstStrides : move.copy.srcStrides;
  strides = denseStrides(physicalExtents(whole));
  (intoWhole ? move.copy.dstOffset : move.copy.srcOffset) = physicalOffset(whole, axis, begin);
  return move;
}

std::vector<Move> transposeMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  std::vector<int64_t> perm = op.ints("perm");
  if (perm.empty())
    for (int64_t i = x.rank(); i-- > 0;) perm.push_back(i);
  Move move = denseMove(x, y, physicalExtents(y));
  const std::vector<int64_t> strides = denseStrides(physicalExtents(x));
  for (size_t i = 0; i < perm.size(); ++i)
    move.copy.srcStrides[i] = strides[static_cast<size_t>(perm[i])];
  return {move};
}

std::vector<Move> sliceMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  Move move = denseMove(x, y, physicalExtents(y));
  move.copy.srcStrides = denseStrides(physicalExtents(x));
  const auto cuts = slicedAxes(op);
  for (const SlicedAxis& cut : *cuts) {
    const auto axis = static_cast<size_t>(cut.axis);
    move.copy.srcOffset += physicalOffset(x, axis, cut.begin);
    move.copy.srcStrides[axis] *= cut.step;
  }
  return {move};
}

std::vector<Move> splitMoves(const Op& op) {
  const Type& x = op.own(0)->type();
  const auto axis = static_cast<size_t>(frontAxis(op.integer("axis"), x));
  std::vector<Move> moves;
  int64_t begin = 0;
  for (size_t i = 0; i < op.numResults(); ++i) {
    const Type& part = op.result(i)->type();
    moves.push_back(partMove(x, part, axis, begin, false));
    moves.back().result = i;
    begin += part.shape[axis];
  }
  return moves;
}

std::vector<Move> concatMoves(const Op& op) {
  const Type& y = op.result()->type();
  const auto axis = static_cast<size_t>(frontAxis(op.integer("axis"), y));
  std::vector<Move> moves;
  int64_t begin = 0;
  for (size_t i = 0; i < op.numOwnOperands(); ++i) {
    const Type& part = op.own(i)->type();
    moves.push_back(partMove(y, part, axis, begin, true));
    moves.back().operand = i;
    begin += part.shape[axis];
  }
  return moves;
}

std::vector<Move> expandMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  Move move = denseMove(x, y, physicalExtents(y));
  move.copy.srcStrides = accessOf(x, y)->strides;
  return {move};
}

/// Every dimension becomes (repeats, size), the first with source stride 0.
std::vector<Move> tileMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  Shape split;
  for (size_t i = 0; i < x.shape.size(); ++i) {
    split.push_back(x.shape[i] ? y.shape[i] / x.shape[i] : 0);
    split.push_back(x.shape[i]);
  }
  Move move = denseMove(x, y, split.empty() ? Shape{1} : split);
  const std::vector<int64_t> strides = denseStrides(physicalExtents(x));
  for (size_t i = 0; i < x.shape.size(); ++i) {
    move.copy.srcStrides[2 * i] = 0;
    move.copy.srcStrides[2 * i + 1] = strides[i];
  }
  return {move};
}

/// Both are transpositions of six dimensions, of which three make up the side with more channels.
std::vector<Move> depthSpaceMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const bool toSpace = op.kind() == OpKind::DepthToSpace;
  const Shape &deep = toSpace ? x.shape : y.shape, &wide = toSpace ? y.shape : x.shape;
  const int64_t s = op.integer("blocksize"), h = deep[2], w = deep[3], c = wide[1];
  const bool crd = op.info().attr("mode") && op.string("mode") == "CRD";
  // Dimensions in the order of the wide side: n, c, h, row in block, w, column in block.
  const Shape extents = {deep[0], c, h, s, w, s};
  const int64_t plane = h * w;
  const std::vector<int64_t> deepStrides = {
      deep[1] * plane,      (crd ? s * s : 1) * plane, w, (crd ? s : s * c) * plane, 1,
      (crd ? 1 : c) * plane};
  Move move = denseMove(x, y, extents);
  (toSpace ? move.copy.srcStrides : move.copy.dstStrides) = deepStrides;
  return {move};
}

/// Between blocks of two sizes, one of which divides the other: the small blocks that fill whole
/// large ones, and those of the last large one.
std::vector<Move> reblockMoves(const Type& x, const Type& y) {
  const bool widens = x.layout.block < y.layout.block;
  const int64_t small = std::min(x.layout.block, y.layout.block);
  const int64_t large = std::max(x.layout.block, y.layout.block), parts = large / small;
  const int64_t smalls = (x.shape[1] + small - 1) / small,
                larges = (x.shape[1] + large - 1) / large;
  const int64_t pixels = x.numElements() / std::max<int64_t>(1, x.shape[0] * x.shape[1]);
  std::vector<Move> moves;
  const auto add = [&](int64_t first, int64_t count, int64_t partsEach) {
    Move move = denseMove(x, y, {x.shape[0], count, partsEach, pixels, small});
    auto& fromSmall = widens ? move.copy.srcStrides : move.copy.dstStrides;
    auto& fromLarge = widens ? move.copy.dstStrides : move.copy.srcStrides;
    fromSmall = {smalls * pixels * small, parts * pixels * small, pixels * small, small, 1};
    fromLarge = {larges * pixels * large, pixels * large, small, large, 1};
    move.copy.srcOffset = move.copy.dstOffset = first * pixels * large;
    moves.push_back(std::move(move));
  };
  if (smalls / parts) add(0, smalls / parts, parts);
  if (smalls % parts) add(smalls / parts, 1, smalls % parts);
  return moves;
}

/// Whole blocks of channels, and the channels of a ragged last block.
std::vector<Move> reorderMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!x.layout.isPlain() && !y.layout.isPlain()) return reblockMoves(x, y);
  const Type& blocked = x.layout.isPlain() ? y : x;
  const int64_t block = blocked.layout.block, channels = x.shape[1];
  const int64_t blocks = (channels + block - 1) / block;
  const int64_t pixels = x.numElements() / std::max<int64_t>(1, x.shape[0] * channels);
  std::vector<Move> moves;
  const auto add = [&](int64_t first, int64_t count, int64_t width) {
    Move move = denseMove(x, y, {x.shape[0], count, pixels, width});
    auto& p = x.layout.isPlain() ? move.copy.srcStrides : move.copy.dstStrides;
    auto& q = x.layout.isPlain() ? move.copy.dstStrides : move.copy.srcStrides;
    p = {channels * pixels, block * pixels, 1, pixels};
    q = {blocks * pixels * block, pixels * block, block, 1};
    (x.layout.isPlain() ? move.copy.srcOffset : move.copy.dstOffset) = first * block * pixels;
    (x.layout.isPlain() ? move.copy.dstOffset : move.copy.srcOffset) = first * block * pixels;
    moves.push_back(std::move(move));
  };
  if (channels / block) add(0, channels / block, block);
  if (channels % block) add(channels / block, 1, channels % block);
  return moves;
}

std::vector<Move> padMoves(const Op& op) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const std::vector<int64_t> pads = op.own(1)->constant()->toInts();
  std::vector<int64_t> axes;
  if (op.own(3)) axes = op.own(3)->constant()->toInts();
  Move move = denseMove(x, y, physicalExtents(x));
  move.copy.dstStrides = denseStrides(physicalExtents(y));
  const size_t count = pads.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    const auto axis = static_cast<size_t>(axes.empty() ? int64_t(i) : frontAxis(axes[i], x));
    // Negative pads crop.
    const int64_t before = pads[i], after = pads[count + i];
    move.copy.extents[axis] += std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0);
    move.copy.srcOffset += std::max<int64_t>(-before, 0) * move.copy.srcStrides[axis];
    move.copy.dstOffset += std::max<int64_t>(before, 0) * move.copy.dstStrides[axis];
  }
  return {move};
}

std::vector<Move> movesOf(const Op& op) {
  switch (op.kind()) {
  case OpKind::Transpose:
    return transposeMoves(op);
  case OpKind::Slice:
    return sliceMoves(op);
  case OpKind::Split:
    return splitMoves(op);
  case OpKind::Concat:
    return concatMoves(op);
  case OpKind::Expand:
    return expandMoves(op);
  case OpKind::Tile:
    return tileMoves(op);
  case OpKind::DepthToSpace:
  case OpKind::SpaceToDepth:
    return depthSpaceMoves(op);
  case OpKind::Reorder:
    return reorderMoves(op);
  case OpKind::Pad:
    return padMoves(op);
  default: {
    const Type& x = op.own(0)->type();
    return {denseMove(x, op.result()->type(), {elementsOf(x)})};
  }
  }
}

/// Fills a result with its pad value before the interior is copied.
void fill(const Op& op, Lowering& lowering) {
  const Type& y = op.result()->type();
  const kir::Scalar elem = *scalarOf(y.elem);
  const int lanes = lowering.target().lanes(elem);
  const int64_t size = elementsOf(y), vectors = size / lanes;
  kir::Builder b("fill");
  const kir::Buffer dst = b.output("dst", elem, size);
  const Tensor* value = op.own(2) ? op.own(2)->constant() : nullptr;
  const auto number = [&](int n) {
    const kir::Scalar compute = computeScalar(elem);
    kir::Value v = kir::isFloat(elem) ? b.constant({compute, n}, value ? value->asDouble(0) : 0)
                                      : b.constantInt({compute, n}, value ? value->asInt(0) : 0);
    return v;
  };
  b.parallelFor("i", vectors + (size % lanes ? 1 : 0), [&](const kir::Index& i) {
    if (size % lanes == 0) {
      b.storeAs(dst[i * lanes], number(lanes));
      return;
    }
    b.ifElse(
        i < vectors, [&] { b.storeAs(dst[i * lanes], number(lanes)); },
        [&] { b.storeAs(dst[vectors * lanes], number(static_cast<int>(size % lanes))); });
  });
  lowering.call(b.finish(), {lowering.storage(op.result())}, {.algorithm = "fill"});
}

bool areConstant(const Op& op, std::initializer_list<size_t> operands) {
  return std::ranges::all_of(operands,
                             [&](size_t i) { return !op.own(i) || op.own(i)->constant(); });
}

/// Blocked operands move whole blocks only.
std::string refuseBlocked(const Op& op, int block) {
  const Type& whole = op.kind() == OpKind::Concat ? op.result()->type() : op.own(0)->type();
  int64_t axis = 0;
  switch (op.kind()) {
  case OpKind::Reorder:
    return "";
  case OpKind::Concat:
  case OpKind::Split:
    axis = frontAxis(op.integer("axis"), whole);
    break;
  case OpKind::Slice: {
    const auto axes = slicedAxes(op);
    if (!axes) return "bounds not constant";
    for (const SlicedAxis& cut : *axes)
      if (cut.axis == 1 && (cut.step != 1 || cut.begin % block != 0)) return "slice inside a block";
    return "";
  }
  default:
    return "blocked layout";
  }
  if (axis != 1) return "";
  const auto ragged = [&](const Value* v) { return v->shape()[1] % block != 0; };
  // Only the last part may end inside a block.
  if (op.kind() == OpKind::Concat) {
    for (size_t i = 0; i + 1 < op.numOwnOperands(); ++i)
      if (ragged(op.own(i))) return "parts end inside a block";
  } else {
    for (size_t i = 0; i + 1 < op.numResults(); ++i)
      if (ragged(op.result(i))) return "parts end inside a block";
  }
  return "";
}

} // namespace

std::string refuseMovement(const Op& op, const kir::Target&) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!scalarOf(x.elem)) return "element type without a register type";
  if (op.kind() == OpKind::Concat &&
      std::ranges::any_of(op.ownOperands(), [&](Value* v) { return v->type().layout != y.layout; }))
    return "operands differ in layout";
  for (size_t i = 0; op.kind() != OpKind::Reorder && i < op.numResults(); ++i)
    if (op.result(i)->type().layout != x.layout) return "results of another layout";
  if (op.kind() == OpKind::Reorder && !x.layout.isPlain() && !y.layout.isPlain() &&
      x.layout.block % y.layout.block != 0 && y.layout.block % x.layout.block != 0)
    return "between blocks that do not divide each other";
  if (!x.layout.isPlain() || !y.layout.isPlain())
    if (std::string reason = refuseBlocked(op, std::max(x.layout.block, y.layout.block));
        !reason.empty())
      return reason;
  if (op.kind() == OpKind::Slice && !areConstant(op, {1, 2, 3, 4})) return "bounds not constant";
  if (op.kind() == OpKind::Pad) {
    if (op.string("mode") != "constant") return "padding mode " + op.string("mode");
    if (!areConstant(op, {1, 2, 3})) return "pads not constant";
  }
  return "";
}

/// The blocks in which most operands of a concatenation come, if they are at least half of them.
static OpLayouts concatLayouts(const Op& op) {
  OpLayouts best;
  int64_t most = 0;
  for (const Value* candidate : op.ownOperands()) {
    const Layout layout = candidate->type().layout;
    if (layout.isPlain() || !refuseBlocked(op, layout.block).empty()) continue;
    const int64_t same = std::ranges::count_if(
        op.ownOperands(), [&](const Value* v) { return v->type().layout == layout; });
    if (same <= most || 2 * same < std::ssize(op.ownOperands())) continue;
    most = same;
    best = {layout, layout};
  }
  return best;
}

OpLayouts movementLayouts(const Op& op, const kir::Target&) {
  if (op.kind() == OpKind::Concat) return concatLayouts(op);
  if (op.kind() != OpKind::Split && op.kind() != OpKind::Slice) return {};
  const Layout x = op.own(0)->type().layout;
  return x.isPlain() || !refuseBlocked(op, x.block).empty() ? OpLayouts{} : asItComes(op);
}

void lowerMovement(const Op& op, Lowering& lowering) {
  if (op.kind() == OpKind::Pad) fill(op, lowering);
  for (Move& move : movesOf(op)) {
    if (std::ranges::any_of(move.copy.extents, [](int64_t size) { return size <= 0; })) continue;
    const BufferRef from = lowering.storage(op.own(move.operand));
    const BufferRef to = lowering.storage(op.result(move.result));
    // An operand computed in place inside the result is already there.
    const int64_t bytes = kir::sizeInBytes(move.copy.elem);
    if (op.kind() == OpKind::Concat && from.buffer == to.buffer &&
        from.offset == to.offset + move.copy.dstOffset * bytes)
      continue;
    const int lanes = lowering.target().lanes(move.copy.elem);
    lowering.call(stridedCopyKernel(std::move(move.copy), lanes), {from, to},
                  {.algorithm = "strided_copy"});
  }
}

} // namespace enfold::lower
