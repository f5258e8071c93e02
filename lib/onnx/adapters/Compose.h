// Short names for the ops that adapters take operators apart into.
#pragma once

#include "onnx/Node.h"

namespace enfold::onnx {

/// Emits ops of a node; where one cannot be made, that is the error.
class Compose {
public:
  explicit Compose(Node& node) : node_(node) {}

  Result<Value*> reshape(Value* x, const Shape& shape) {
    if (x->shape() == shape) return x;
    return node_.emit(OpKind::Reshape, {x, node_.intsConstant(shape, "shape")},
                      {{"allowzero", int64_t{1}}});
  }
  Result<Value*> transpose(Value* x, std::vector<int64_t> perm) {
    return node_.emit(OpKind::Transpose, {x}, {{"perm", std::move(perm)}});
  }
  /// Elements begin, begin + step, … before end along an axis.
  Result<Value*> slice(Value* x, int64_t axis, int64_t begin, int64_t end, int64_t step = 1) {
    if (begin == 0 && step == 1 && end == x->shape()[static_cast<size_t>(axis)]) return x;
    return node_.emit(OpKind::Slice,
                      {x, node_.intsConstant({begin}, "begin"), node_.intsConstant({end}, "end"),
                       node_.intsConstant({axis}, "axis"), node_.intsConstant({step}, "step")});
  }
  Result<Value*> concat(Values parts, int64_t axis) {
    if (parts.size() == 1) return parts.front();
    return node_.emit(OpKind::Concat, std::move(parts), {{"axis", axis}});
  }
  Result<Value*> expand(Value* x, const Shape& shape) {
    if (x->shape() == shape) return x;
    return node_.emit(OpKind::Expand, {x, node_.intsConstant(shape, "shape")});
  }
  Result<Value*> cast(Value* x, ElemType to) {
    return x->elem() == to ? Result<Value*>(x) : node_.emit(OpKind::Cast, {x}, {{"to", to}});
  }
  Result<Value*> unary(OpKind kind, Value* x) { return node_.emit(kind, {x}); }
  Result<Value*> binary(OpKind kind, Value* a, Value* b) { return node_.emit(kind, {a, b}); }

private:
  Node& node_;
};

/// The one number an operand holds, where it is known.
Result<int64_t> knownInteger(const Node& node, size_t operand);
Result<double> knownNumber(const Node& node, size_t operand);

} // namespace enfold::onnx
