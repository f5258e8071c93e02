// Recurrent ops: the products of the input with the weights of all gates, for all steps and both
// directions, are one matrix product in front of the recurrence itself.
#include "ir/Recurrence.h"

#include "passes/decompose/Parts.h"

#include <algorithm>

namespace enfold {
namespace {

enum Operand : size_t { X, W, R, B, SequenceLens };

/// Columns [begin, end) of a matrix.
Value* columns(Parts& parts, Value* matrix, int64_t begin, int64_t end) {
  return parts.make(OpKind::Slice, {matrix, parts.ints({begin}, "begin"), parts.ints({end}, "end"),
                                    parts.ints({1}, "axis")});
}

} // namespace

Results decomposeRecurrence(Parts& parts) {
  const Op& op = parts.op();
  const auto isEmpty = [](const Value* v) { return v && v->type().numElements() == 0; };
  if (!op.own(W) || std::ranges::any_of(op.ownOperands(), isEmpty)) return {};
  std::vector<Value*> operands;
  for (size_t i = 0; i < op.numOwnOperands(); ++i)
    operands.push_back(op.own(i) && i != SequenceLens ? parts.wide(op.own(i)) : op.own(i));
  const Shape &x = operands[X]->shape(), &w = operands[W]->shape();
  const int64_t rows = w[1], all = w[0] * rows;
  std::vector<Value*> product = {parts.reshape(operands[X], {x[0] * x[1], x[2]}),
                                 parts.reshape(operands[W], {all, w[2]})};
  if (operands.size() > B && operands[B]) {
    Value* both = operands[B];
    product.push_back(parts.reshape(columns(parts, both, 0, rows), {all}));
    operands[B] = columns(parts, both, rows, 2 * rows);
  }
  Value* projected = parts.make(OpKind::Gemm, std::move(product), {{"transB", int64_t{1}}});
  operands[X] = parts.reshape(projected, {x[0], x[1], all});
  operands[W] = nullptr;
  std::vector<Value*> results =
      parts.makeAll(op.kind(), std::move(operands), op.attrs(), op.numResults());
  for (Value*& result : results) result = parts.cast(result, op.result()->elem());
  return results;
}

} // namespace enfold
