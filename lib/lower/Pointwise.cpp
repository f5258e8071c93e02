// Pointwise kernels: one nest of loops over the result, every operand read with its own strides.
#include "lower/Pointwise.h"

#include "lower/Elementwise.h"
#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"

namespace enfold::lower {
namespace {

/// Elements an iteration of the parallel loop should at least compute.
constexpr int64_t kElementsPerIteration = 4096;
constexpr int kUnroll = 4;

std::vector<ElemType> elemsOf(std::span<enfold::Value* const> operands) {
  std::vector<ElemType> elems;
  for (const enfold::Value* operand : operands)
    elems.push_back(operand ? operand->elem() : ElemType::Undefined);
  return elems;
}

/// Lanes of the widest type that the op or a step of its epilogue computes in.
int lanesOf(const Op& op, const kir::Target& target) {
  int lanes = target.lanes(computeScalar(*scalarOf(op.result()->elem())));
  const auto take = [&](ElemType elem) {
    lanes = std::min(lanes, target.lanes(computeScalar(*scalarOf(elem))));
  };
  for (const enfold::Value* operand : op.ownOperands())
    if (operand) take(operand->elem());
  for (const EpilogueStep& step : op.epilogue()) take(step.from);
  return lanes;
}

} // namespace

std::string refusePointwise(const Op& op, const kir::Target&) {
  const Type& result = op.result()->type();
  if (!scalarOf(result.elem)) return "element type without arithmetic";
  std::string reason = elementwiseRefusal(op.kind(), op.attrs(), elemsOf(op.ownOperands()));
  if (!reason.empty()) return reason;
  for (const Value* operand : op.ownOperands())
    if (operand && !Operand::fits(operand->type(), result))
      return "operand layout does not fit the result";
  return epilogueRefusal(op);
}

OpLayouts pointwiseLayouts(const Op& op, const kir::Target&) {
  Layout layout;
  for (const Value* v : op.ownOperands()) {
    if (!v) continue;
    // Smaller operands may have any rank.
    if (!isBlockable({v->elem(), op.result()->shape(), {}})) return {};
    if (layout.isPlain() && v->shape() == op.result()->shape()) layout = v->type().layout;
  }
  if (layout.isPlain() || !misfits(op, layout).empty()) return {};
  return {layout, layout};
}

void lowerPointwise(const Op& op, Lowering& lowering) {
  const Type& type = op.result()->type();
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
  const kir::Buffer dst = b.output("dst", *scalarOf(type.elem), elementsOf(type));
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

  const int lanes = lanesOf(op, lowering.target());
  const auto vector = [&](std::span<const kir::Index> at, int width) {
    std::vector<std::optional<kir::Value>> args;
    for (const auto& operand : operands)
      args.push_back(operand ? std::optional(operand->load(b, at, width)) : std::nullopt);
    const kir::Value value =
        epilogue.apply(b, emitElementwise(b, op.kind(), op.attrs(), args, op.ownElem()), at);
    b.storeAs(dst[elementAt(at, dense)], value);
  };
  walkNest(b, makeNest(extents, kElementsPerIteration), {lanes * kUnroll, lanes},
           [&](std::vector<kir::Index> at, int width) {
             const int parts = width == lanes * kUnroll ? kUnroll : 1;
             for (int u = 0; u < parts; ++u) {
               vector(at, width / parts);
               at.back() += width / parts;
             }
           });
  const double elements = static_cast<double>(type.numElements());
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = "pointwise", .flops = elements * (1 + epilogue.flopsPerElement())});
}

} // namespace enfold::lower
