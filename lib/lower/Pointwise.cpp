// Pointwise kernels. Dimensions that all operands walk alike are merged, then the innermost one is
// the vector, an outer part is the parallel loop, and what lies between are plain loops.
#include "lower/Pointwise.h"

#include "lower/Elementwise.h"
#include "lower/Epilogue.h"

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;

/// Elements an iteration of the parallel loop should at least compute.
constexpr int64_t kElementsPerIteration = 4096;
constexpr int kUnroll = 4;

/// The loops over a result: merged extents, the leading `parallel` of them in the parallel loop.
struct Nest {
  std::vector<int64_t> extents;
  size_t parallel = 0;
  int64_t piece = 0; ///< elements of the innermost dimension an iteration takes, when rank is 1
};

Nest makeNest(std::vector<int64_t> extents) {
  Nest nest{std::move(extents)};
  int64_t inner = nest.extents.back();
  nest.parallel = nest.extents.size() - 1;
  while (nest.parallel > 0 && inner < kElementsPerIteration) {
    // Keep at least a few iterations for the threads.
    const int64_t next = inner * nest.extents[nest.parallel - 1];
    if (nest.parallel == 1 && nest.extents[0] > 1) break;
    inner = next;
    --nest.parallel;
  }
  nest.piece = nest.parallel == 0 && nest.extents.size() == 1
                   ? std::min(nest.extents.back(), kElementsPerIteration)
                   : nest.extents.back();
  return nest;
}

/// Walks the nest, calling body(coordinates, lanes) once per vector.
template <typename F> void walk(kir::Builder& b, const Nest& nest, int lanes, F&& body) {
  const size_t rank = nest.extents.size();
  int64_t iterations = (nest.extents.back() + nest.piece - 1) / nest.piece;
  for (size_t i = 0; i < nest.parallel; ++i) iterations *= nest.extents[i];
  const auto vectors = [&](std::vector<Index>& at, const Index& begin, int64_t count) {
    const int64_t wide = lanes * kUnroll;
    b.forLoop("i", 0, count / wide, [&](const Index& i) {
      for (int u = 0; u < kUnroll; ++u) {
        at.back() = begin + i * wide + u * lanes;
        body(at, lanes);
      }
    });
    int64_t done = count / wide * wide;
    for (; done < count; done += std::min<int64_t>(lanes, count - done)) {
      at.back() = begin + done;
      body(at, static_cast<int>(std::min<int64_t>(lanes, count - done)));
    }
  };
  std::vector<Index> at(rank, 0);
  const auto inner = [&](auto&& self, size_t axis) -> void {
    if (axis + 1 == rank) {
      vectors(at, 0, nest.extents.back());
      return;
    }
    b.forLoop("d", 0, nest.extents[axis], [&](const Index& i) {
      at[axis] = i;
      self(self, axis + 1);
    });
  };
  b.parallelFor("p", iterations, [&](const Index& p) {
    if (nest.piece != nest.extents.back()) {
      const int64_t rest = nest.extents.back() % nest.piece;
      const Index begin = p * nest.piece;
      if (rest == 0) {
        vectors(at, begin, nest.piece);
      } else {
        b.ifElse(
            p < iterations - 1, [&] { vectors(at, begin, nest.piece); },
            [&] { vectors(at, begin, rest); });
      }
      return;
    }
    Index rest = p;
    for (size_t i = nest.parallel; i-- > 0; rest = rest / nest.extents[i])
      at[i] = i == 0 ? rest : rest % nest.extents[i];
    inner(inner, nest.parallel);
  });
}

} // namespace

std::string refusePointwise(const Op& op, const kir::Target&) {
  const Type& result = op.result()->type();
  if (!scalarOf(result.elem)) return "element type without arithmetic";
  // What an op computes on is its first operand, of where the second.
  const Value* subject = op.own(op.kind() == OpKind::Where ? 1 : 0);
  std::string reason = elementwiseRefusal(op.kind(), op.attrs(), subject->elem());
  if (!reason.empty()) return reason;
  for (const Value* operand : op.ownOperands()) {
    if (!operand) continue;
    if (!Operand::fits(operand->type(), result)) return "operand layout does not fit the result";
    if (operand->elem() != subject->elem() && op.kind() != OpKind::Where)
      return "operands of several element types";
  }
  return epilogueRefusal(op);
}

void lowerPointwise(const Op& op, Lowering& lowering) {
  const Type& type = op.result()->type();
  const kir::Scalar stored = *scalarOf(type.elem);
  kir::Builder b(op.info().name);
  std::vector<BufferRef> buffers;
  std::vector<std::optional<Operand>> operands;
  for (const Value* value : op.ownOperands()) {
    if (!value) {
      operands.emplace_back();
      continue;
    }
    operands.emplace_back(std::in_place, value, type, lowering);
    operands.back()->declare(b);
    if (operands.back()->buffer()) buffers.push_back(*operands.back()->buffer());
  }
  Epilogue epilogue(op, lowering);
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);

  std::vector<int64_t> extents = physicalExtents(type), dense = denseStrides(extents);
  const kir::Buffer dst =
      b.output("dst", stored, type.numBytes() / static_cast<int64_t>(byteSize(type.elem)));
  buffers.push_back(lowering.storage(op.result()));
  std::vector<std::vector<int64_t>*> all = {&dense};
  bool rigid = false;
  const auto collect = [&](Operand& operand) {
    all.push_back(&operand.strides());
    rigid |= operand.isRigid();
  };
  for (auto& operand : operands)
    if (operand) collect(*operand);
  for (Operand& operand : epilogue.operands()) collect(operand);
  if (!rigid) collapse(extents, all);

  const int lanes = lowering.target().lanes(computeScalar(stored));
  walk(b, makeNest(extents), lanes, [&](const std::vector<Index>& at, int width) {
    std::vector<std::optional<kir::Value>> args;
    for (const auto& operand : operands)
      args.push_back(operand ? std::optional(operand->load(b, at, width)) : std::nullopt);
    const kir::Value value =
        epilogue.apply(b, emitElementwise(b, op.kind(), op.attrs(), args, type.elem), at);
    Index element = 0;
    for (size_t i = 0; i < at.size(); ++i) element = element + at[i] * dense[i];
    b.storeAs(dst[element], value);
  });
  const double elements = static_cast<double>(type.numElements());
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = "pointwise", .flops = elements * (1 + epilogue.flopsPerElement())});
}

} // namespace enfold::lower
