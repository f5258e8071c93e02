// Reductions. Where the innermost dimension is kept, vectors lie along it and every lane folds its
// own column; where it is reduced, a row is folded in vectors and their lanes at its end.
#include "lower/reduce/Reduction.h"

#include "lower/Access.h"
#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/reduce/Fold.h"

#include <algorithm>
#include <functional>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Elements an iteration of the parallel loop should at least read.
constexpr int64_t kElementsPerIteration = 8192;
constexpr int kAbreast = 4;

/// What is done to each element, how they are folded, and what is done to the fold.
struct Recipe {
  kir::Op fold = kir::Op::Add;
  enum class Map : uint8_t { None, Abs, Square } map = Map::None;
  enum class Finish : uint8_t { None, Mean, Sqrt, Log } finish = Finish::None;
};

Recipe recipeOf(OpKind kind) {
  using enum Recipe::Map;
  using F = Recipe::Finish;
  switch (kind) {
  case OpKind::ReduceMean:
  case OpKind::GlobalAveragePool:
    return {kir::Op::Add, None, F::Mean};
  case OpKind::ReduceMax:
  case OpKind::GlobalMaxPool:
    return {kir::Op::Max, None, F::None};
  case OpKind::ReduceMin:
    return {kir::Op::Min, None, F::None};
  case OpKind::ReduceProd:
    return {kir::Op::Mul, None, F::None};
  case OpKind::ReduceL1:
    return {kir::Op::Add, Abs, F::None};
  case OpKind::ReduceL2:
    return {kir::Op::Add, Square, F::Sqrt};
  case OpKind::ReduceSumSquare:
    return {kir::Op::Add, Square, F::None};
  case OpKind::ReduceLogSum:
    return {kir::Op::Add, None, F::Log};
  default:
    return {};
  }
}

bool isGlobalPool(const Op& op) {
  return op.kind() == OpKind::GlobalAveragePool || op.kind() == OpKind::GlobalMaxPool;
}

/// Which dimensions of the operand are reduced.
std::vector<bool> reducedDimensions(const Op& op) {
  const size_t rank = op.own(0)->shape().size();
  std::vector<bool> reduced(rank, true);
  if (isGlobalPool(op)) {
    reduced[0] = reduced[1] = false;
    return reduced;
  }
  const std::vector<int64_t> axes =
      op.own(1) ? op.own(1)->constant()->toInts() : std::vector<int64_t>();
  if (axes.empty() && !op.integer("noop_with_empty_axes")) return reduced;
  std::fill(reduced.begin(), reduced.end(), false);
  for (int64_t axis : axes)
    reduced[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis)] = true;
  return reduced;
}

/// The dimensions of the result with their strides in the operand, and the reduced dimensions.
struct Dimensions {
  std::vector<int64_t> kept, keptStrides, reduced, reducedStrides;
};

Dimensions dimensionsOf(const Op& op) {
  const Shape& x = op.own(0)->shape();
  const std::vector<bool> isReduced = reducedDimensions(op);
  const std::vector<int64_t> strides = denseStrides(x);
  const bool keep = isGlobalPool(op) || op.integer("keepdims") != 0;
  Dimensions d;
  for (size_t i = 0; i < x.size(); ++i) {
    if (isReduced[i]) {
      d.reduced.push_back(x[i]);
      d.reducedStrides.push_back(strides[i]);
    }
    if (isReduced[i] && !keep) continue;
    d.kept.push_back(isReduced[i] ? 1 : x[i]);
    d.keptStrides.push_back(isReduced[i] ? 0 : strides[i]);
  }
  if (d.kept.empty()) d.kept = {1}, d.keptStrides = {0};
  if (d.reduced.empty()) d.reduced = {1}, d.reducedStrides = {1};
  collapse(d.reduced, {&d.reducedStrides});
  return d;
}

Value mapped(kir::Builder& b, Recipe::Map map, const Value& v) {
  if (map == Recipe::Map::Abs) return b.abs(v);
  return map == Recipe::Map::Square ? v * v : v;
}

Value finished(kir::Builder& b, Recipe::Finish finish, const Value& v, double count) {
  switch (finish) {
  case Recipe::Finish::Mean:
    return v / count;
  case Recipe::Finish::Sqrt:
    return b.sqrt(v);
  case Recipe::Finish::Log:
    return b.log(v);
  case Recipe::Finish::None:
    break;
  }
  return v;
}

/// Whether the order of the elements does not matter, so that blocks without padding are read as
/// they lie: the extreme of all.
bool readsAnyOrder(const Op& op) {
  if (op.kind() != OpKind::ReduceMax && op.kind() != OpKind::ReduceMin) return false;
  if (op.own(1) && !op.own(1)->constant()) return false;
  return std::ranges::all_of(reducedDimensions(op), std::identity());
}

} // namespace

OpLayouts reductionLayouts(const Op& op, const kir::Target& target) {
  const Type& x = op.own(0)->type();
  const bool fits = isVector(x.layout, target) && x.shape[1] % x.layout.block == 0;
  return fits && readsAnyOrder(op) ? OpLayouts{.data = x.layout, .result = {}} : OpLayouts{};
}

std::string refuseReduction(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const auto scalar = scalarOf(x.elem);
  if (!scalar || x.elem == ElemType::Bool) return "element type without arithmetic";
  if (!y.layout.isPlain() || reductionLayouts(op, target).data != x.layout)
    return "channel-blocked";
  if (x.numElements() == 0) return "nothing is reduced";
  if (isGlobalPool(op) && x.rank() < 3) return "no spatial dimensions";
  if (!isGlobalPool(op) && op.own(1) && !op.own(1)->constant()) return "axes are not constant";
  if (recipeOf(op.kind()).finish != Recipe::Finish::None && !kir::isFloat(*scalar))
    return "a function of an integer sum";
  return epilogueRefusal(op);
}

void lowerReduction(const Op& op, Lowering& lowering) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const kir::Scalar stored = *scalarOf(x.elem), scalar = computeScalar(stored);
  const Recipe recipe = recipeOf(op.kind());
  const FoldOp fold{recipe.fold, scalar};
  kir::Builder b(op.info().name);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const kir::Buffer src = b.input("src", stored, x.numElements());
  Epilogue epilogue(op, lowering);
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", *scalarOf(y.elem), y.numElements());
  buffers.push_back(lowering.storage(op.result()));

  Dimensions d = dimensionsOf(op);
  std::vector<int64_t> dense = denseStrides(d.kept);
  std::vector<std::vector<int64_t>*> strides = {&dense, &d.keptStrides};
  for (Operand& operand : epilogue.operands()) strides.push_back(&operand.strides());
  collapse(d.kept, strides);

  const int lanes = lowering.target().lanes(scalar);
  const bool rows = d.reducedStrides.back() == 1;
  // Rows of one result element each, or columns in vectors of results.
  const Widths widths = rows ? Widths{1, 1} : Widths{kAbreast * lanes, lanes};
  const int64_t count = x.numElements() / std::max<int64_t>(1, y.numElements());
  const auto load = [&](const Index& element, int width) {
    return mapped(b, recipe.map, b.loadAs(scalar, src[element], width));
  };
  const auto innermost = [&](const Index& base, int width) {
    const int64_t n = d.reduced.back(), stride = d.reducedStrides.back();
    if (rows)
      return foldRow(b, fold, n, lanes, [&](const Index& i, int w) { return load(base + i, w); });
    return foldSteps(b, fold, n, width,
                     [&](const Index& k) { return load(base + k * stride, width); });
  };
  walkNest(b, makeNest(d.kept, kElementsPerIteration / count), widths,
           [&](const std::vector<Index>& at, int width) {
             const std::function<Value(size_t, const Index&)> folded = [&](size_t axis,
                                                                           const Index& base) {
               if (axis + 1 == d.reduced.size()) return innermost(base, width);
               return foldSteps(b, fold, d.reduced[axis], width, [&](const Index& k) {
                 return folded(axis + 1, base + k * d.reducedStrides[axis]);
               });
             };
             const Value sum = folded(0, elementAt(at, d.keptStrides));
             const Value value = finished(b, recipe.finish, sum, static_cast<double>(count));
             b.storeAs(dst[elementAt(at, dense)], epilogue.apply(b, value, at));
           });
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = rows ? "reduce_rows" : "reduce_columns",
                 .flops = static_cast<double>(x.numElements())});
}

} // namespace enfold::lower
