// Widening of A at run time, of the constant B when it is packed.
#include "lower/gemm/IntegerRows.h"

#include "kernel/Builder.h"
#include "lower/InputZero.h"
#include "lower/IntegerWeights.h"
#include "lower/Scalars.h"
#include "lower/ZeroSums.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>

#include <type_traits>

namespace enfold::lower {

using kir::Index;

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

Words integerWords(const Op& op, const kir::Machine& machine) {
  const Words bytes = bytesFor(machine);
  return hasDot(machine, bytes) ? bytes : kPairs;
}

int64_t IntegerRows::shift() const {
  const kir::Scalar stored = *scalarOf(op_.own(0)->elem());
  return stored == words_.pixel ? 0 : words_.pixel == kir::Scalar::U8 ? -128 : 128;
}

kir::Kernel IntegerRows::stageKernel(Lowering& lowering, std::vector<BufferRef>& buffers) const {
  const int lanes = lowering.target().lanes(words_.pixel);
  const bool areBytes = words_.channels == kBytes.channels;
  InputZero zero(op_);
  const int64_t whole = depth_ / lanes * lanes;
  kir::Builder b(areBytes ? "matmul_bytes" : "matmul_pairs");
  const kir::Buffer src = b.input("src", *scalarOf(op_.own(0)->elem()), rows_ * depth_);
  buffers.push_back(lowering.storage(op_.own(0)));
  if (!areBytes) zero.declare(b, buffers, lowering);
  const kir::Buffer dst = b.output("dst", words_.pixel, rows_ * stride_);
  b.parallelFor("row", rows_, [&](const Index& row) {
    const auto number = [&](const Index& k, int count) {
      if (!areBytes)
        return zero.subtractedFrom(b, b.loadAs(kir::Scalar::I16, src[row * depth_ + k], count));
      const kir::Value stored = b.load(src[row * depth_ + k], count);
      return shift() == 0 ? stored : b.bitcast(stored, words_.pixel) ^ -shift();
    };
    const auto copy = [&](const Index& k, int count) {
      b.store(dst[row * stride_ + k], number(k, count));
    };
    b.forLoop("k", 0, whole, lanes, [&](const Index& k) { copy(k, lanes); });
    b.forLoop("k", whole, depth_, [&](const Index& k) { copy(k, 1); });
    for (int64_t k = depth_; k < stride_; ++k)
      b.store(dst[row * stride_ + k], b.zero({words_.pixel, 1}));
  });
  return b.finish();
}

BufferRef IntegerRows::stage(Lowering& lowering) const {
  if (words_.channels == kBytes.channels && shift() == 0 && stride_ == depth_)
    return lowering.storage(op_.own(0));
  const BufferRef staged =
      lowering.temporary(rows_ * stride_ * static_cast<int64_t>(kir::sizeInBytes(words_.pixel)));
  std::vector<BufferRef> buffers;
  kir::Kernel kernel = stageKernel(lowering, buffers);
  const std::string name = kernel.name;
  buffers.push_back(staged);
  lowering.call(std::move(kernel), std::move(buffers), {.algorithm = name});
  return staged;
}

BufferRef IntegerRows::packedColumns(Lowering& lowering, int64_t panel) const {
  const IntegerWeights values(op_);
  const bool areBytes = words_.channels == kBytes.channels;
  const int64_t n = values.channels(), panels = ceilDiv(n, panel);
  const int64_t perWord = words_.channels;
  const auto pack = [=, depth = depth_, stride = stride_](const Tensor& b, auto* to,
                                                          int64_t piece) {
    using Number = std::remove_pointer_t<decltype(to)>;
    const int64_t first = piece * panel, last = std::min(first + panel, n);
    to += first * stride;
    for (int64_t j = first; j < last; ++j) {
      const int shift = areBytes ? values.shiftOf(b, j) : 0;
      for (int64_t k = 0; k < depth; ++k)
        to[((k / perWord) * panel + j - first) * perWord + k % perWord] =
            static_cast<Number>(values.term(b, j, k) - shift);
    }
  };
  const Tensor& b = *op_.own(1)->constant();
  const std::string key = fmt::format("words {} {} {}", perWord, panel, values.key());
  const int64_t size = panels * panel * stride_;
  return perWord == 2 ? lowering.packed<int16_t>(b, key, size, pack, panels)
                      : lowering.packed<int8_t>(b, key, size, pack, panels);
}

BufferRef IntegerRows::rowSums(const BufferRef& rows, Lowering& lowering) const {
  const int bytes = lowering.target().lanes(words_.pixel), word = words_.channels;
  const int64_t whole = stride_ / bytes * bytes;
  kir::Builder b("row_sums");
  const kir::Buffer src = b.input("src", words_.pixel, rows_ * stride_);
  const kir::Buffer dst = b.output("dst", kir::Scalar::I32, rows_);
  b.parallelFor("row", rows_, [&](const Index& row) {
    const auto add = [&](kir::Var& sum, const Index& k, int count) {
      const kir::Value ones = b.constantInt({words_.weight, count}, 1);
      sum.set(b.dot(sum, b.load(src[row * stride_ + k], count), ones));
    };
    kir::Var sums = b.var("sums", b.zero(kir::i32(bytes / word)));
    b.forLoop("k", 0, whole, bytes, [&](const Index& k) { add(sums, k, bytes); });
    kir::Var sum = b.var("sum", b.reduceAdd(sums));
    b.forLoop("k", whole, stride_, word, [&](const Index& k) { add(sum, k, word); });
    b.store(dst[row], sum);
  });
  const BufferRef sums = lowering.temporary(4 * rows_);
  lowering.call(b.finish(), {rows, sums}, {.algorithm = "row_sums"});
  return sums;
}

void IntegerRows::declareFirstSums(kir::Builder& b, std::vector<BufferRef>& buffers,
                                   const BufferRef& rows, int64_t panel, Lowering& lowering) {
  if (words_.channels != kBytes.channels) return;
  const IntegerWeights values(op_);
  const Tensor& weights = *op_.own(1)->constant();
  const int64_t columns = ceilDiv(values.channels(), panel) * panel;
  if (!zero_.isKnown() || zero_.number() != 0) {
    columns_ = b.input("columns", kir::Scalar::I32, columns);
    buffers.push_back(packedZeroSums(op_, zero_.isKnown() ? zero_.number() : 1, columns, lowering));
    zero_.declare(b, buffers, lowering);
  }
  if (values.areBytes(weights)) return;
  sums_ = b.input("rows", kir::Scalar::I32, rows_);
  shifts_ = b.input("shifts", kir::Scalar::I32, columns);
  buffers.push_back(rowSums(rows, lowering));
  buffers.push_back(packedShifts(op_, columns, lowering));
}

std::optional<kir::Value> IntegerRows::firstSum(kir::Builder& b, const Index& row,
                                                const Index& column, int lanes) const {
  std::optional<kir::Value> sum;
  if (columns_) {
    sum = b.load((*columns_)[column], lanes);
    if (!zero_.isKnown()) sum = *sum * zero_.splat(b, sum->type());
  }
  if (!shifts_) return sum;
  const kir::Value shifted = b.load((*shifts_)[column], lanes) * b.broadcast((*sums_)[row], lanes);
  return sum ? *sum + shifted : shifted;
}

} // namespace enfold::lower
