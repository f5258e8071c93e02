// fold-forward: W (x * scale + shift) + b becomes (W scale) x + (b + W shift), for normalizations
// and per-channel arithmetic whose only reader is a convolution or matrix product. Zero padding,
// and the zeros a transposed convolution spreads its input with, are not shifted by the op, so with
// a shift there must be none.
#include "passes/Match.h"
#include "passes/Weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// The operand an op scales and shifts, when it is not constant.
Value* scaledOperand(const Op& op) {
  for (Value* operand : op.ownOperands())
    if (operand && !operand->constant() && isScaleShiftKind(op, operand)) return operand;
  return nullptr;
}

bool pads(const Op& linear) {
  return linear.info().attr("pads") &&
         std::ranges::any_of(linear.ints("pads"), [](int64_t p) { return p != 0; });
}

/// The axis of its first operand that a linear op sums over.
int64_t inputChannelAxis(const Op& linear) {
  if (linear.kind() == OpKind::Gemm) return linear.integer("transA") ? 0 : 1;
  return linear.kind() == OpKind::MatMul ? linear.own(0)->type().rank() - 1 : 1;
}

OrRefusal<void> checkPair(const Op& op, const Op& linear) {
  if (linear.own(0) != op.result() || std::ranges::count(linear.operands(), op.result()) != 1)
    return refuse(Reason::NotBeforeConv, "its reader does not take it as input alone");
  if (!linear.epilogue().empty())
    return refuse(Reason::FusedElsewhere, "its reader already carries an epilogue");
  if (!linear.own(1)->constant() || (linear.own(2) && !linear.own(2)->constant()))
    return refuse(Reason::WeightsNotConstant, "the weights of its reader are computed");
  if (linear.kind() == OpKind::MatMul && linear.own(1)->type().rank() != 2)
    return refuse(Reason::WeightsNotConstant, "the product is not by one matrix");
  const Value* bias = linear.own(2);
  if (linear.kind() == OpKind::Gemm && bias && bias->type().numElements() != 1 &&
      (bias->shape().empty() || bias->shape().back() != bias->type().numElements()))
    return refuse(Reason::OtherAxis, "the bias varies along another axis than the channels");
  return {};
}

/// Data so far from zero is brought near it by the shift, and then multiplied. Folded, products of
/// the data as it is would be rounded, by as much more as the shift is large.
constexpr double kLargestShift = 256;

OrRefusal<void> checkShift(const Op& linear, const ScaleShift& s) {
  if (!s.hasShift()) return {};
  if (std::ranges::any_of(s.shift, [](double v) { return std::fabs(v) > kLargestShift; }))
    return refuse(Reason::LargeShift, fmt::format("it shifts by more than {}", kLargestShift));
  if (linear.kind() == OpKind::ConvTranspose)
    return refuse(Reason::Padding, "a transposed convolution spreads its input with zeros, which "
                                   "the shift would change");
  if (pads(linear))
    return refuse(Reason::Padding, "the convolution pads, and the shift would move the padding");
  return {};
}

/// What stands in front of a linear op, the last one first, and what it does together.
struct Chain {
  std::vector<Op*> ops;
  ScaleShift s;
  Value* x; ///< what the first of them reads
};

/// The longest chain that ends with `op` and can be folded into `linear`.
OrRefusal<Chain> chainTo(Op& op, const Op& linear, const PassOptions& options) {
  const int64_t axis = inputChannelAxis(linear);
  Value* x = scaledOperand(op);
  auto last = scaleShiftOf(op, x, axis, options);
  if (!last) return std::unexpected(last.error());
  if (auto fits = checkShift(linear, *last); !fits) return std::unexpected(fits.error());
  Chain chain{{&op}, *std::move(last), x};
  for (;;) {
    Op* previous = chain.x->producer();
    if (!previous || !isOnlyUsedBy(chain.x, chain.ops.back()) || previous->numResults() == 0)
      return chain;
    x = scaledOperand(*previous);
    if (!x) return chain;
    const auto s = scaleShiftOf(*previous, x, axis, options);
    if (!s) return chain;
    ScaleShift both = s->then(chain.s);
    if (!both.isFinite() || !checkShift(linear, both)) return chain;
    chain.ops.push_back(previous);
    chain.s = std::move(both);
    chain.x = x;
  }
}

struct Folded {
  Tensor weights;
  std::optional<Tensor> bias;
  FoldedNumbers found;
};

OrRefusal<Folded> folded(const Op& linear, const ScaleShift& s, const PassOptions& options) {
  const Tensor& weights = *linear.own(1)->constant();
  const bool isGemm = linear.kind() == OpKind::Gemm;
  const double alpha = isGemm ? linear.real("alpha") : 1, beta = isGemm ? linear.real("beta") : 1;
  const std::vector<uint32_t> output = outputChannels(linear), input = inputChannels(linear);
  const int64_t outputs = linear.result()->shape()[static_cast<size_t>(outputChannelAxis(linear))];
  std::vector<double> numbers = doublesOf(weights);
  std::vector<double> bias(static_cast<size_t>(outputs), 0);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double w = numbers[i] * alpha;
    numbers[i] = w * s.scale[input[i]];
    bias[output[i]] += w * s.shift[input[i]];
  }
  if (const Tensor* old = linear.own(2) && beta != 0 ? linear.own(2)->constant() : nullptr)
    for (size_t k = 0; k < bias.size(); ++k)
      bias[k] += beta * old->asDouble(old->numElements() == 1 ? 0 : static_cast<int64_t>(k));
  Folded result;
  auto w = roundedWeights(std::move(numbers), weights, options, result.found);
  if (!w) return std::unexpected(w.error());
  result.weights = *std::move(w);
  measureWeights(result.weights, output, outputs, result.found);
  if (!linear.own(2) && !s.hasShift()) return result;
  auto b = roundedBiases(std::move(bias), weights.elem(), options, result.found);
  if (!b) return std::unexpected(b.error());
  result.bias = *std::move(b);
  return result;
}

void rebuild(PassContext& context, const Chain& chain, Op& linear, Folded folded) {
  Rewriter& rewriter = context.rewriter();
  const std::string stem = linear.own(1)->name();
  Value* w = rewriter.constant(std::move(folded.weights), stem + "_folded", &linear);
  Value* b = folded.bias ? rewriter.constant(*folded.bias, stem + "_bias", &linear) : nullptr;
  OpSpec spec{.kind = linear.kind(), .operands = {chain.x, w}, .attrs = linear.attrs()};
  spec.attrs.erase("alpha");
  spec.attrs.erase("beta");
  const bool addAfter = linear.kind() == OpKind::MatMul && b && linear.own(0)->type().rank() != 2;
  if (linear.kind() == OpKind::MatMul && b && !addAfter) spec.kind = OpKind::Gemm;
  if (b && !addAfter) spec.operands.push_back(b);
  Op* made = rewriter.create(std::move(spec), &linear);
  if (addAfter)
    made = rewriter.create({.kind = OpKind::Add, .operands = {made->result(), b}}, &linear);
  rewriter.addOrigins(made, linear.origins());
  for (size_t i = chain.ops.size(); i-- > 0;) rewriter.addOrigins(made, chain.ops[i]->origins());
  const std::string name = linear.result()->name();
  rewriter.replace(linear.result(), made->result());
  rewriter.eraseDead(&linear);
  rewriter.rename(made->result(), name);
}

/// Only normalizations are reported when they have no linear op behind them.
void tryFold(PassContext& context, Op& op) {
  if (!scaledOperand(op)) return;
  const bool isNorm = op.kind() == OpKind::BatchNormalization;
  Op* linear = onlyUser(op.result());
  if (!linear) {
    if (isNorm)
      context.refused(
          op.result()->outputUses() ? Reason::GraphOutput : Reason::ResultMultiUse, op,
          fmt::format("%{} has {} readers", op.result()->name(), op.result()->numUses()));
    return;
  }
  if (!isLinear(linear->kind())) {
    if (isNorm) context.refused(Reason::NotBeforeConv, op, "its reader is " + linear->describe());
    return;
  }
  if (auto pair = checkPair(op, *linear); !pair) return context.refused(pair.error(), op);
  if (context.options().unfolded.contains(linear->result()->name()))
    return context.refused(Reason::RolledBack, op, "folding it costs more accuracy than allowed");
  const auto chain = chainTo(op, *linear, context.options());
  if (!chain) return context.refused(chain.error(), op);
  auto result = folded(*linear, chain->s, context.options());
  if (!result) return context.refused(result.error(), op);
  if (!context.begin(op)) return;
  context.count("denormals", result->found.denormals);
  for (const Op* member : chain->ops)
    context.applied(Reason::Folded, *member,
                    fmt::format("multiplied into the weights of {} behind it{}", linear->describe(),
                                describe(result->found, context.options())),
                    numbersOf(result->found, *linear));
  rebuild(context, *chain, *linear, *std::move(result));
}

} // namespace

Result<> foldForward(PassContext& context) {
  // From the end, so that a chain is met at its last op. A fold erases ops in front of the
  // candidate's reader and puts the new ones behind the candidate.
  std::vector<std::string> names;
  for (const auto& op : context.graph().ops())
    if (op->numResults() >= 1 && scaledOperand(*op)) names.push_back(op->result()->name());
  for (size_t i = names.size(); i-- > 0;)
    if (const Value* value = context.graph().find(names[i])) tryFold(context, *value->producer());
  return {};
}

} // namespace enfold
