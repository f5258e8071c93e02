// Pointwise ops, and what exporters write in place of them.
#include "fuzz/Parts.h"

#include <cmath>

namespace enfold::fuzz {

void activation(Draft& d) {
  Value* x = d.any();
  const OpKind kind = d.random.pick(
      {OpKind::Relu,  OpKind::Relu,        OpKind::Relu,      OpKind::LeakyRelu, OpKind::Sigmoid,
       OpKind::Tanh,  OpKind::HardSigmoid, OpKind::HardSwish, OpKind::Elu,       OpKind::Selu,
       OpKind::Celu,  OpKind::Softplus,    OpKind::Softsign,  OpKind::Mish,      OpKind::Gelu,
       OpKind::Swish, OpKind::Abs,         OpKind::Neg,       OpKind::Erf,       OpKind::Sin,
       OpKind::Cos,   OpKind::Atan});
  AttrMap attrs;
  if (info(kind).attr("alpha") && d.random.chance(40))
    attrs["alpha"] = static_cast<float>(d.random.uniform(0.1, 1.2));
  d.op(kind, {x}, std::move(attrs));
}

/// Functions that need to be kept from their poles.
void function(Draft& d) {
  Value* x = d.any();
  if (d.random.chance(50)) x = d.op(OpKind::Tanh, {x}); // into [-1, 1]
  if (!x || x->producer() == nullptr || x->producer()->kind() != OpKind::Tanh) {
    Value* positive = d.op(OpKind::Add, {d.op(OpKind::Abs, {x}), d.scalar(0.5)});
    const OpKind kind = d.random.pick(
        {OpKind::Sqrt, OpKind::Log, OpKind::Reciprocal, OpKind::Pow, OpKind::Asinh, OpKind::Atan});
    std::vector<Value*> operands = {positive};
    if (kind == OpKind::Pow)
      operands.push_back(d.random.chance(50) ? d.scalar(d.random.pick({2.0, 0.5, -1.0, 3.0, 1.7}))
                                             : d.channelNumbers(x, -1, 2));
    d.op(kind, std::move(operands));
    return;
  }
  d.op(d.random.pick({OpKind::Exp, OpKind::Sinh, OpKind::Cosh, OpKind::Tan, OpKind::Asin,
                      OpKind::Acos, OpKind::Asinh}),
       {d.op(OpKind::Mul, {x, d.scalar(0.9)})});
}

void clip(Draft& d) {
  Value* low = d.random.chance(80) ? d.scalar(d.random.chance(60) ? 0 : -1) : nullptr;
  Value* high = d.random.chance(80) ? d.scalar(d.random.pick({1.0, 6.0})) : nullptr;
  d.op(OpKind::Clip, {d.any(), low, high});
}

void prelu(Draft& d) {
  Value* x = d.image();
  d.op(OpKind::PRelu, {x, d.channelNumbers(x, -0.5, 0.9)});
}

void arithmetic(Draft& d) {
  Value* x = d.image();
  const OpKind kind = d.random.pick({OpKind::Add, OpKind::Mul, OpKind::Sub, OpKind::Div});
  std::vector<Value*> operands = {x, d.channelNumbers(x, 0.4, 1.6)};
  if (kind != OpKind::Div && d.random.chance(30)) std::swap(operands[0], operands[1]);
  d.op(kind, std::move(operands));
}

void combine(Draft& d) {
  Value* a = d.any();
  const OpKind kind =
      d.random.pick({OpKind::Add, OpKind::Add, OpKind::Add, OpKind::Mul, OpKind::Sub, OpKind::Max,
                     OpKind::Min, OpKind::Sum, OpKind::Mean});
  std::vector<Value*> operands = {a, d.sameShape(a)};
  if (info(kind).isVariadic() && d.random.chance(30)) operands.push_back(d.sameShape(a));
  d.op(kind, std::move(operands));
}

/// Ops that stand in the way of others without doing anything.
void nothing(Draft& d) {
  Value* x = d.image();
  switch (d.random.below(6)) {
  case 0:
    d.op(OpKind::Identity, {x});
    return;
  case 1:
    d.op(OpKind::Dropout, {x});
    return;
  case 2:
    d.op(OpKind::Reshape, {x, d.ints(x->shape())});
    return;
  case 3:
    d.op(OpKind::Mul, {d.scalar(1), x});
    return;
  case 4:
    d.op(OpKind::Pad, {x, d.ints(Ints(x->shape().size() * 2, 0))});
    return;
  default:
    d.op(OpKind::Cast, {x}, {{"to", d.elem}});
  }
}

/// Where numbers jump they are known exactly.
void jump(Draft& d) {
  Value* x = d.op(OpKind::Mul, {d.exact(), d.scalar(4)}); // exact too
  const OpKind kind =
      d.random.pick({OpKind::Floor, OpKind::Ceil, OpKind::Round, OpKind::Sign, OpKind::Shrink,
                     OpKind::ThresholdedRelu, OpKind::Hardmax, OpKind::Mod});
  AttrMap attrs;
  std::vector<Value*> operands = {x};
  if (kind == OpKind::Mod) {
    operands.push_back(d.channelNumbers(d.exact(), 0.5, 1.5));
    attrs["fmod"] = int64_t{1};
  }
  if (kind == OpKind::Hardmax) attrs["axis"] = d.axisOf(x);
  d.op(kind, std::move(operands), std::move(attrs));
}

/// Numbers by a mask.
void choose(Draft& d) {
  Value* x = d.exact();
  const auto compared = [&] {
    const OpKind kind = d.random.pick({OpKind::Greater, OpKind::GreaterOrEqual, OpKind::Less,
                                       OpKind::LessOrEqual, OpKind::Equal});
    return d.op(kind, {x, d.random.chance(50) ? d.scalar(0.25) : d.channelNumbers(x, -1, 1)});
  };
  Value* mask = compared();
  if (d.random.chance(30)) mask = d.op(OpKind::Not, {mask});
  if (d.random.chance(30))
    mask = d.op(d.random.pick({OpKind::And, OpKind::Or, OpKind::Xor}), {mask, compared()});
  Value* a = d.sameShape(x);
  Value* b = d.random.chance(50) ? d.sameShape(x) : d.channelNumbers(x, -1, 1);
  if (d.random.chance(50)) std::swap(a, b);
  d.op(OpKind::Where, {mask, a, b});
}

/// One of two values, by a condition on all of an input.
void branch(Draft& d) {
  Value* x = d.exact();
  if (x->type().numElements() == 0) return;
  Value* mask = d.op(OpKind::Greater, {x, d.scalar(d.random.pick({0.25, 0.999, -2.0}))});
  Value* any = d.op(OpKind::ReduceMax, {mask}, {{"keepdims", int64_t{0}}});
  Value* a = d.image();
  Value* b = d.sameShape(a);
  if (d.random.chance(70)) a = d.op(OpKind::Sigmoid, {a});
  if (d.random.chance(50)) b = d.op(OpKind::Tanh, {b});
  if (a && b && any) d.op(OpKind::Select, {any, a, b});
}

/// Activations as exporters spell them out, and near misses.
void spelledOut(Draft& d) {
  Value* x = d.image();
  const double nudge = d.random.chance(75) ? 0 : 0.5;
  switch (d.random.below(3)) {
  case 0: {
    Value* gate = d.op(OpKind::Sigmoid, {x});
    d.op(OpKind::Mul, {x, gate});
    return;
  }
  case 1: {
    Value* moved = d.op(OpKind::Add, {x, d.scalar(3 + nudge)});
    Value* clipped = d.op(OpKind::Clip, {moved, d.scalar(0), d.scalar(6)});
    Value* product = d.op(OpKind::Mul, {clipped, x});
    d.op(OpKind::Div, {product, d.scalar(6)});
    return;
  }
  default: {
    Value* scaled = d.op(OpKind::Div, {x, d.scalar(M_SQRT2)});
    Value* erf = d.op(OpKind::Erf, {scaled});
    Value* moved = d.op(OpKind::Add, {erf, d.scalar(1 + nudge)});
    Value* product = d.op(OpKind::Mul, {x, moved});
    d.op(OpKind::Mul, {product, d.scalar(0.5)});
  }
  }
}

} // namespace enfold::fuzz
