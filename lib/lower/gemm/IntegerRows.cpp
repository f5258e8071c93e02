// Widening of A at run time, of the constant B when it is packed.
#include "lower/gemm/IntegerRows.h"

#include "kernel/Builder.h"
#include "lower/InputZero.h"
#include "lower/Scalars.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::lower {
namespace {

using kir::Index;

/// Zero points of the columns of B: one for all, or one each.
std::vector<int64_t> columnZeros(const Op& op) {
  return op.own(3) ? op.own(3)->constant()->toInts() : std::vector<int64_t>{0};
}

} // namespace

std::string refuseIntegerRows(const Op& op) {
  const enfold::Value *const a = op.own(0), *const b = op.own(1);
  if (!isByte(a->elem()) || !isByte(b->elem())) return "element type is not 8-bit";
  if (!a->type().layout.isPlain() || !op.result()->type().layout.isPlain())
    return "operand or result is not plain";
  if (!b->constant()) return "the second factor is not constant";
  if (b->type().rank() != 2) return "the second factor is not a matrix";
  if (op.own(3) && !op.own(3)->constant()) return "a zero point of weights is not constant";
  if (op.own(2) && op.own(2)->type().numElements() != 1) return "rows have several zero points";
  const int64_t zeros = op.own(3) ? op.own(3)->type().numElements() : 1;
  if (zeros != 1 && zeros != b->shape()[1]) return "zero points are not one a column";
  return "";
}

kir::Kernel IntegerRows::stageKernel(Lowering& lowering, std::vector<BufferRef>& buffers) const {
  const int lanes = lowering.target().lanes(kir::Scalar::I16);
  InputZero zero(op_);
  const int64_t stride = 2 * pairsOf(depth_), whole = depth_ / lanes * lanes;
  kir::Builder b("matmul_pairs");
  const kir::Buffer src = b.input("src", *scalarOf(op_.own(0)->elem()), rows_ * depth_);
  buffers.push_back(lowering.storage(op_.own(0)));
  zero.declare(b, buffers, lowering);
  const kir::Buffer dst = b.output("dst", kir::Scalar::I16, rows_ * stride);
  b.parallelFor("row", rows_, [&](const Index& row) {
    const auto copy = [&](const Index& k, int count) {
      b.store(dst[row * stride + k],
              zero.subtractedFrom(b, b.loadAs(kir::Scalar::I16, src[row * depth_ + k], count)));
    };
    b.forLoop("k", 0, whole, lanes, [&](const Index& k) { copy(k, lanes); });
    b.forLoop("k", whole, depth_, [&](const Index& k) { copy(k, 1); });
    if (stride > depth_) b.store(dst[row * stride + depth_], b.zero({kir::Scalar::I16, 1}));
  });
  return b.finish();
}

BufferRef IntegerRows::stage(Lowering& lowering) const {
  const BufferRef staged = lowering.temporary(rows_ * pairsOf(depth_) * 4);
  std::vector<BufferRef> buffers;
  kir::Kernel kernel = stageKernel(lowering, buffers);
  buffers.push_back(staged);
  lowering.call(std::move(kernel), std::move(buffers), {.algorithm = "matmul_pairs"});
  return staged;
}

BufferRef IntegerRows::packedColumns(Lowering& lowering, int64_t panel) const {
  const std::vector<int64_t> zeros = columnZeros(op_);
  const int64_t n = op_.own(1)->shape()[1], panels = (n + panel - 1) / panel;
  const int64_t pairs = pairsOf(depth_);
  const auto pack = [=, depth = depth_](const Tensor& b, int16_t* to, int64_t piece) {
    const int64_t first = piece * panel, last = std::min(first + panel, n);
    to += first * pairs * 2;
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t j = first; j < last; ++j) {
        const int64_t zero = zeros[zeros.size() == 1 ? 0 : static_cast<size_t>(j)];
        to[((k / 2) * panel + j - first) * 2 + k % 2] =
            static_cast<int16_t>(b.asInt(k * n + j) - zero);
      }
  };
  return lowering.packed<int16_t>(*op_.own(1)->constant(),
                                  fmt::format("pairs {} {}", panel, fmt::join(zeros, " ")),
                                  panels * panel * pairs * 2, pack, panels);
}

} // namespace enfold::lower
