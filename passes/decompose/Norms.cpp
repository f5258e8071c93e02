// Normalizations and reductions that are arithmetic around reductions which have kernels.
#include "passes/decompose/Parts.h"

namespace enfold {
namespace {

bool hasFloats(const Value* x) { return isFloat(x->elem()) && x->type().numElements() != 0; }

} // namespace

/// log(sum(exp(x - m))) + m, where m is the greatest element, or 0 where that is infinite.
Results decomposeReduceLogSumExp(Parts& parts) {
  const Op& op = parts.op();
  if (!hasFloats(parts.own(0))) return {};
  Value *x = parts.wide(parts.own(0)), *axes = parts.own(1);
  const auto reduce = [&](OpKind kind, Value* value) {
    std::vector<Value*> operands = {value};
    if (axes) operands.push_back(axes);
    return parts.make(kind, operands,
                      {{"noop_with_empty_axes", op.integer("noop_with_empty_axes")}});
  };
  Value* greatest = reduce(OpKind::ReduceMax, x);
  Value* shift = parts.make(OpKind::Where, {parts.make(OpKind::IsInf, {greatest}),
                                            parts.number(x->elem(), 0, "zero"), greatest});
  Value* powers = parts.make(OpKind::Exp, {parts.make(OpKind::Sub, {x, shift})});
  Value* sum = parts.make(OpKind::Log, {reduce(OpKind::ReduceSum, powers)});
  Value* result = parts.make(OpKind::Add, {sum, shift});
  return parts.cast(parts.reshape(result, op.result()->shape()), op.result()->elem());
}

/// x divided by its norm; vectors of zeros stay.
Results decomposeLpNormalization(Parts& parts) {
  const Op& op = parts.op();
  const int64_t p = op.integer("p");
  if (!hasFloats(parts.own(0)) || (p != 1 && p != 2)) return {};
  Value* x = parts.wide(parts.own(0));
  Value* norm = parts.make(p == 1 ? OpKind::ReduceL1 : OpKind::ReduceL2,
                           {x, parts.ints({op.integer("axis")}, "axes")});
  Value* isZero = parts.make(OpKind::Equal, {norm, parts.number(x->elem(), 0, "zero")});
  Value* divisor = parts.make(OpKind::Where, {isZero, parts.number(x->elem(), 1, "one"), norm});
  return parts.cast(parts.make(OpKind::Div, {x, divisor}), op.result()->elem());
}

/// (x - mean) / (standard deviation + 1e-9). A mean far from zero is rounded by as much as the
/// elements differ: what is left of it after the subtraction is subtracted as well.
Results decomposeMeanVarianceNormalization(Parts& parts) {
  const Op& op = parts.op();
  if (!hasFloats(parts.own(0))) return {};
  Value* x = parts.wide(parts.own(0));
  const std::vector<int64_t> axes = op.ints("axes");
  const auto mean = [&](Value* value) {
    return axes.empty() ? value : parts.make(OpKind::ReduceMean, {value, parts.ints(axes, "axes")});
  };
  Value* around = parts.make(OpKind::Sub, {x, mean(x)});
  Value* centered = parts.make(OpKind::Sub, {around, mean(around)});
  Value* variance = mean(parts.make(OpKind::Mul, {centered, centered}));
  Value* deviation = parts.make(OpKind::Add, {parts.make(OpKind::Sqrt, {variance}),
                                              parts.number(x->elem(), 1e-9, "epsilon")});
  return parts.cast(parts.make(OpKind::Div, {centered, deviation}), op.result()->elem());
}

/// The mean of squares over the window of channels is an average pool, channels being its rows.
Results decomposeLRN(Parts& parts) {
  const Op& op = parts.op();
  const Shape& shape = op.own(0)->shape();
  const int64_t size = op.integer("size");
  constexpr int64_t kMost = 1 << 20; // channels of a window
  if (!hasFloats(parts.own(0)) || shape.size() < 2 || size > kMost) return {};
  Value* x = parts.wide(parts.own(0));
  const int64_t pixels = x->type().numElements() / (shape[0] * shape[1]);
  Value* squares = parts.reshape(parts.make(OpKind::Mul, {x, x}), {shape[0], 1, shape[1], pixels});
  Value* mean = parts.make(OpKind::AveragePool, {squares},
                           {{"kernel_shape", std::vector<int64_t>{size, 1}},
                            {"pads", std::vector<int64_t>{(size - 1) / 2, 0, size / 2, 0}},
                            {"count_include_pad", int64_t{1}}});
  const auto number = [&](const char* name) {
    return parts.number(x->elem(), op.real(name), name);
  };
  Value* scaled = parts.make(OpKind::Mul, {parts.reshape(mean, shape), number("alpha")});
  Value* base = parts.make(OpKind::Add, {scaled, number("bias")});
  Value* divisor = nullptr;
  if (op.real("beta") == 0.75f) { // the usual one
    Value* root = parts.make(OpKind::Sqrt, {base});
    divisor = parts.make(OpKind::Mul, {root, parts.make(OpKind::Sqrt, {root})});
  } else {
    divisor = parts.make(OpKind::Pow, {base, number("beta")});
  }
  return parts.cast(parts.make(OpKind::Div, {x, divisor}), op.result()->elem());
}

/// The norm of each channel's pixels.
Results decomposeGlobalLpPool(Parts& parts) {
  const Op& op = parts.op();
  if (!hasFloats(parts.own(0))) return {};
  const int64_t p = op.integer("p");
  Value* x = parts.wide(parts.own(0));
  std::vector<int64_t> spatial;
  for (int64_t axis = 2; axis < x->type().rank(); ++axis) spatial.push_back(axis);
  if (spatial.empty()) return {};
  const auto reduce = [&](OpKind kind, Value* value) {
    return parts.make(kind, {value, parts.ints(spatial, "axes")});
  };
  Value* norm = nullptr;
  if (p == 1 || p == 2) {
    norm = reduce(p == 1 ? OpKind::ReduceL1 : OpKind::ReduceL2, x);
  } else {
    const auto power = [&](Value* value, double exponent) {
      return parts.make(OpKind::Pow, {value, parts.number(x->elem(), exponent, "p")});
    };
    Value* powers = power(parts.make(OpKind::Abs, {x}), static_cast<double>(p));
    norm = power(reduce(OpKind::ReduceSum, powers), 1 / static_cast<double>(p));
  }
  return parts.cast(norm, op.result()->elem());
}

} // namespace enfold
