// integer-arithmetic: convolutions, matrix products and averages of dequantized 8-bit tensors
// become sums of products of the integers, where the target has a kernel for them. The sums are
// scaled in f32 by one factor a channel. Where the result is quantized again, the scale of that is
// in the factor, and the rounded number is saturated: the arithmetic of qlinear_conv
// (docs/numerics.md). Relus and clips in between become bounds of the integers.
#include "passes/Match.h"
#include "passes/Pass.h"
#include "passes/decompose/Parts.h"
#include "passes/integer/Products.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// One number where all are the same: other runtimes take no others.
Tensor zeroPoints(const Quantization& scale, ElemType elem) {
  const bool isOne =
      std::ranges::all_of(scale.zeros, [&](int64_t zero) { return zero == scale.zeros.front(); });
  Tensor tensor(elem, isOne ? Shape{} : Shape{std::ssize(scale.zeros)});
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setDouble(i, static_cast<double>(scale.zeros[static_cast<size_t>(i)]));
  return tensor;
}

bool allZero(const Quantization& scale) {
  return std::ranges::all_of(scale.zeros, [](int64_t zero) { return zero == 0; });
}

/// The product's own op, its constants made by `constant`.
template <typename MakeConstant> OpSpec specOf(const IntegerProduct& p, MakeConstant&& constant) {
  OpSpec spec{.kind = p.kind, .operands = {p.x, constant(p.w, "weights")}, .attrs = p.attrs};
  const bool hasX = !allZero(p.xScale), hasW = !allZero(p.wScale);
  if (hasX) spec.operands.push_back(constant(zeroPoints(p.xScale, p.x->elem()), "x_zero"));
  if (hasW && !hasX) spec.operands.push_back(nullptr);
  if (hasW) spec.operands.push_back(constant(zeroPoints(p.wScale, p.w.elem()), "w_zero"));
  return spec;
}

/// What a sum of channel c is multiplied by: in f32, and in the order in which qlinear_conv
/// multiplies and divides.
float scaleOf(const IntegerProduct& p, const QuantizedTail* tail, size_t c) {
  return tail ? p.scale(c) / tail->scale.scales[0] : p.scale(c);
}

/// A sum of 0 times an infinite factor would be NaN, and kernels may take denormal scales for zero.
OrRefusal<void> checkFactors(const IntegerProduct& p, const QuantizedTail* tail) {
  for (size_t c = 0; c < p.wScale.scales.size(); ++c)
    if (!std::isnormal(p.scale(c)) || !std::isfinite(scaleOf(p, tail, c)))
      return refuse(Reason::BadScale,
                    fmt::format("sums of channel {} are scaled by {}", c, scaleOf(p, tail, c)));
  return {};
}

class Products {
public:
  explicit Products(PassContext& context) : context_(context), rewriter_(context.rewriter()) {}

  void tryRewrite(Op& op);

private:
  Value* sumsOf(Parts& parts, const IntegerProduct& p);
  Value* factorOf(Parts& parts, const IntegerProduct& p, const QuantizedTail* tail);
  Value* finishTail(Parts& parts, Value* scaled, const QuantizedTail& tail);

  PassContext& context_;
  Rewriter& rewriter_;
};

Value* Products::sumsOf(Parts& parts, const IntegerProduct& p) {
  OpSpec spec = specOf(
      p, [&](const Tensor& tensor, std::string_view what) { return parts.constant(tensor, what); });
  Value* sums = parts.make(spec.kind, std::move(spec.operands), std::move(spec.attrs));
  for (const Op* dequantizer : p.dequantizers)
    rewriter_.addOrigins(sums->producer(), dequantizer->origins());
  if (p.bias.empty()) return sums;
  const Tensor bias = Tensor::of(p.perChannel, std::span<const int32_t>(p.bias));
  return parts.make(OpKind::Add, {sums, parts.constant(bias, "bias")});
}

Value* Products::factorOf(Parts& parts, const IntegerProduct& p, const QuantizedTail* tail) {
  Tensor factor(ElemType::F32, p.wScale.isUniform() ? Shape{} : p.perChannel);
  for (int64_t i = 0; i < factor.numElements(); ++i)
    factor.mutableData<float>()[i] = scaleOf(p, tail, static_cast<size_t>(i));
  return parts.constant(factor, "factor");
}

/// Rounded, bounded, moved by the zero point and saturated.
Value* Products::finishTail(Parts& parts, Value* scaled, const QuantizedTail& tail) {
  const ElemType elem = tail.quantize->result()->elem();
  const int64_t zero = tail.scale.zeros[0];
  const CodeRange range = codeRange(elem);
  const auto number = [&](int64_t value, std::string_view what) {
    return parts.number(ElemType::F32, static_cast<double>(value), what);
  };
  Value* y = parts.make(OpKind::Round, {scaled});
  const bool fromBelow = tail.bounds.low > range.low - zero;
  const bool fromAbove = tail.bounds.high < range.high - zero;
  if (fromBelow || fromAbove) {
    std::vector<Value*> operands = {y, fromBelow ? number(tail.bounds.low, "low") : nullptr};
    if (fromAbove) operands.push_back(number(tail.bounds.high, "high"));
    y = parts.make(OpKind::Clip, std::move(operands));
  }
  if (zero != 0) y = parts.make(OpKind::Add, {y, number(zero, "zero")});
  y = parts.cast(y, elem);
  for (const Op* op : tail.ops) rewriter_.addOrigins(y->producer(), op->origins());
  rewriter_.addOrigins(y->producer(), tail.quantize->origins());
  return y;
}

void Products::tryRewrite(Op& op) {
  const auto p = integerProductOf(op);
  if (!p) return context_.refused(p.error(), op);
  Graph scratch;
  const OpSpec spec = specOf(*p, [&](const Tensor& tensor, std::string_view what) {
    return scratch.constant(tensor, std::string(what));
  });
  if (!context_.hasKernel(spec))
    return context_.refused(Reason::NoKernel, op,
                            fmt::format("no kernel computes {}", info(p->kind).name));
  const auto tail = p->realBias ? std::nullopt : quantizedTailOf(op.result());
  if (const auto fits = checkFactors(*p, tail ? &*tail : nullptr); !fits)
    return context_.refused(fits.error(), op);
  if (!context_.begin(op)) return;
  context_.applied(Reason::Integers, op,
                   fmt::format("{} of {} and {}{}", info(p->kind).name, name(p->x->elem()),
                               name(p->w.elem()), tail ? ", rounded to " : ", scaled in f32") +
                       (tail ? std::string(name(tail->quantize->result()->elem())) : ""));
  Parts parts(rewriter_, op);
  Value* y = parts.cast(sumsOf(parts, *p), ElemType::F32);
  y = parts.make(OpKind::Mul, {y, factorOf(parts, *p, tail ? &*tail : nullptr)});
  if (p->realBias) {
    const bool perChannel = p->realBias->shape() == Shape{p->channels};
    y = parts.make(OpKind::Add,
                   {y, perChannel ? parts.reshape(p->realBias, p->perChannel) : p->realBias});
  }
  if (tail) y = finishTail(parts, y, *tail);
  Op* last = tail ? tail->quantize : &op;
  const std::string name = last->result()->name();
  rewriter_.replace(last->result(), y);
  rewriter_.eraseDead(last);
  rewriter_.rename(y, name);
}

/// Operators on integers are taken apart by decompose, in the same way. Says where they lack a
/// kernel.
void lookAtSums(PassContext& context, Op& op) {
  const auto operands = op.ownOperands();
  OpSpec spec{
      .kind = op.kind(), .operands = {operands.begin(), operands.end()}, .attrs = op.attrs()};
  if (op.kind() == OpKind::QLinearConv || op.kind() == OpKind::QLinearMatMul) {
    spec.kind = op.kind() == OpKind::QLinearConv ? OpKind::ConvInteger : OpKind::MatMulInteger;
    spec.operands = {op.own(0), op.own(3), op.own(2), op.own(5)};
  }
  if (!context.hasKernel(spec))
    context.refused(Reason::NoKernel, op, fmt::format("no kernel computes {}", name(spec.kind)));
}

bool sumsIntegers(const Op& op) {
  switch (op.kind()) {
  case OpKind::ConvInteger:
  case OpKind::MatMulInteger:
  case OpKind::QLinearConv:
  case OpKind::QLinearMatMul:
    return true;
  default:
    return false;
  }
}

/// Whether the op multiplies a dequantized tensor with others, or averages one.
bool isCandidate(const Op& op) {
  if (op.kind() == OpKind::AveragePool || op.kind() == OpKind::GlobalAveragePool)
    return dequantizationOf(op.own(0));
  if (op.kind() != OpKind::Conv && op.kind() != OpKind::Gemm && op.kind() != OpKind::MatMul)
    return false;
  return dequantizationOf(op.own(0)) || dequantizationOf(op.own(1));
}

} // namespace

Result<> integerArithmetic(PassContext& context) {
  std::vector<Op*> candidates;
  for (const auto& op : context.graph().ops()) {
    if (sumsIntegers(*op)) lookAtSums(context, *op);
    if (isCandidate(*op)) candidates.push_back(op.get());
  }
  Products products(context);
  for (Op* op : candidates) products.tryRewrite(*op);
  return {};
}

} // namespace enfold
