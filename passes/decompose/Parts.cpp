// The ops and constants that decompositions are made of.
#include "passes/decompose/Parts.h"

#include <fmt/format.h>

namespace enfold {

Value* Parts::make(OpKind kind, std::vector<Value*> operands, AttrMap attrs) {
  return makeAll(kind, std::move(operands), std::move(attrs), 1).front();
}

std::vector<Value*> Parts::makeAll(OpKind kind, std::vector<Value*> operands, AttrMap attrs,
                                   size_t numResults) {
  Op* made = rewriter_.create({.kind = kind,
                               .operands = std::move(operands),
                               .attrs = std::move(attrs),
                               .numResults = numResults},
                              &op_);
  rewriter_.addOrigins(made, op_.origins());
  made_.push_back(made);
  std::vector<Value*> results;
  for (size_t i = 0; i < numResults; ++i) results.push_back(made->result(i));
  return results;
}

Value* Parts::constant(Tensor tensor, std::string_view what) {
  return rewriter_.constant(std::move(tensor), fmt::format("{}_{}", op_.result()->name(), what),
                            &op_);
}

Value* Parts::ints(const std::vector<int64_t>& values, std::string_view what) {
  const std::span<const int64_t> span(values);
  return constant(Tensor::of({static_cast<int64_t>(values.size())}, span), what);
}

Value* Parts::number(ElemType elem, double value, std::string_view what) {
  Tensor tensor(elem, {});
  tensor.setDouble(0, value);
  return constant(std::move(tensor), what);
}

Value* Parts::iota(ElemType elem, int64_t count, size_t axis, size_t rank, std::string_view what) {
  Shape shape(rank, 1);
  shape[axis] = count;
  Tensor tensor(elem, shape);
  for (int64_t i = 0; i < count; ++i) tensor.setDouble(i, static_cast<double>(i));
  return constant(std::move(tensor), what);
}

Value* Parts::cast(Value* x, ElemType to) {
  return x->elem() == to ? x : make(OpKind::Cast, {x}, {{"to", to}});
}

Value* Parts::reshape(Value* x, const Shape& shape) {
  if (x->shape() == shape) return x;
  return make(OpKind::Reshape, {x, ints(shape, "shape")}, {{"allowzero", int64_t{1}}});
}

Value* Parts::wide(Value* x) {
  return isFloat(x->elem()) && info(x->elem()).bits < 32 ? cast(x, ElemType::F32) : x;
}

} // namespace enfold
