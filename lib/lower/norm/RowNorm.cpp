// Every row is contiguous: its moments are folded in vectors, then it is written with scale and
// bias, which broadcast to it.
#include "lower/norm/RowNorm.h"

#include "lower/Access.h"
#include "lower/Epilogue.h"
#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/norm/Moments.h"

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kElementsPerIteration = 4096;

} // namespace

std::string refuseRowNorm(const Op& op, const kir::Target&) {
  const Type& type = op.result()->type();
  const ElemType elem = op.ownElem();
  if (!scalarOf(elem) || !isFloat(elem)) return "element type is not a float";
  if (op.numResults() != 1) return "the mean or deviation is also a result";
  if (!type.layout.isPlain() || !op.own(0)->type().layout.isPlain()) return "channel-blocked";
  if (type.rank() == 0 || type.numElements() == 0) return "nothing to normalize";
  for (const enfold::Value* v : op.ownOperands())
    if (v && (v->elem() != elem || !Operand::fits(v->type(), type)))
      return "scale or bias of another element type or shape";
  return epilogueRefusal(op);
}

void lowerRowNorm(const Op& op, Lowering& lowering) {
  const Type& type = op.result()->type();
  const kir::Scalar stored = *scalarOf(op.ownElem()), scalar = computeScalar(stored);
  const int lanes = lowering.target().lanes(scalar);
  kir::Builder b(op.info().name);
  std::vector<BufferRef> buffers = {lowering.storage(op.own(0))};
  const kir::Buffer src = b.input("src", stored, type.numElements());
  std::vector<Operand> factors;
  for (size_t i = 1; i < op.numOwnOperands(); ++i)
    if (op.own(i)) factors.emplace_back(op.own(i), type, lowering);
  for (Operand& factor : factors) {
    factor.declare(b);
    if (factor.buffer()) buffers.push_back(*factor.buffer());
  }
  Epilogue epilogue(op, lowering);
  epilogue.declare(b);
  epilogue.appendBuffers(buffers);
  const kir::Buffer dst = b.output("dst", *scalarOf(type.elem), type.numElements());
  buffers.push_back(lowering.storage(op.result()));

  std::vector<int64_t> extents = type.shape, dense = denseStrides(extents);
  std::vector<std::vector<int64_t>*> strides = {&dense};
  for (Operand& factor : factors) strides.push_back(&factor.strides());
  for (Operand& operand : epilogue.operands()) strides.push_back(&operand.strides());
  std::vector<size_t> ends = {static_cast<size_t>(frontAxis(op.integer("axis"), type.rank())),
                              extents.size()};
  const int64_t row = numElements(Shape(extents.begin() + static_cast<ptrdiff_t>(ends[0]), //
                                        extents.end()));
  collapseParts(extents, strides, ends);

  std::vector<int64_t> outer(extents.begin(), extents.begin() + static_cast<ptrdiff_t>(ends[0]));
  outer.push_back(1);
  walkNest(
      b, makeNest(outer, kElementsPerIteration / row), {1, 1}, [&](std::vector<Index> at, int) {
        at.resize(extents.size(), 0);
        for (size_t i = ends[0]; i < at.size(); ++i) at[i] = 0;
        const Index base = elementAt(at, dense);
        const SumOver sum = sumOfRow(b, scalar, row, lanes, [&](const Index& i, int w) {
          return b.loadAs(scalar, src[base + i], w);
        });
        const double epsilon = op.real("epsilon");
        const Normalizer norm = op.kind() == OpKind::RMSNormalization
                                    ? rootMeanSquare(b, sum, row, epsilon)
                                    : momentsOf(b, sum, b.loadAs(scalar, src[base]), row, epsilon);
        forVectorsIn(b, extents, ends[0], at, {4 * lanes, lanes}, [&](int w) {
          const Index element = elementAt(at, dense);
          Value y = norm.apply(b, b.loadAs(scalar, src[element], w));
          y = y * factors[0].load(b, at, w);
          if (factors.size() > 1) y = y + factors[1].load(b, at, w);
          b.storeAs(dst[element], epilogue.apply(b, y, at));
        });
      });
  lowering.call(b.finish(), std::move(buffers),
                {.algorithm = "norm_rows", .flops = 8 * static_cast<double>(type.numElements())});
}

} // namespace enfold::lower
