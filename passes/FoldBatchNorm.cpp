// fold-batchnorm: y = (W x + b) * scale + shift becomes (W scale) x + (b scale + shift), where the
// scale and shift come from an inference-mode batch normalization or from arithmetic with
// per-channel constants. A chain of such ops is folded as one: computed in double and rounded once.
// The result of the convolution must be read by nothing else, and constants are never changed in
// place: other convolutions may share them.
#include "passes/FoldMemory.h"
#include "passes/Match.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

namespace enfold {
namespace {

/// The operand of `op` that it scales and shifts, produced by a linear op; null if there is none.
Value* scaledOperand(const Op& op) {
  for (Value* operand : op.ownOperands())
    if (operand && operand->producer() && isLinear(operand->producer()->kind()) &&
        isScaleShiftKind(op, operand))
      return operand;
  return nullptr;
}

/// Factors the op applies to its product and its bias: they fold as well.
double alphaOf(const Op& linear) {
  return linear.kind() == OpKind::Gemm ? linear.real("alpha") : 1;
}
double betaOf(const Op& linear) { return linear.kind() == OpKind::Gemm ? linear.real("beta") : 1; }

/// The bias per output channel in double, zeros when there is none.
OrRefusal<std::vector<double>> biasOf(const Op& linear, int64_t channels) {
  std::vector<double> numbers(static_cast<size_t>(channels), 0);
  const Value* value = linear.own(2);
  if (!value || betaOf(linear) == 0) return numbers; // C times 0 is not read
  const Tensor* bias = value->constant();
  if (!bias) return refuse(Reason::WeightsNotConstant, "the bias is computed");
  // A gemm broadcasts its bias: [N], [1,N] and scalars lie along the channels, [M,1] does not.
  const bool alongChannels = bias->rank() > 0 && bias->shape().back() == bias->numElements();
  if (bias->numElements() != 1 && !alongChannels)
    return refuse(Reason::OtherAxis, "the bias varies along another axis than the channels");
  for (size_t c = 0; c < numbers.size(); ++c)
    numbers[c] =
        betaOf(linear) * bias->asDouble(bias->numElements() == 1 ? 0 : static_cast<int64_t>(c));
  return numbers;
}

/// All that decides what is folded.
FoldMemory::Fold foldOf(const Op& linear, const ScaleShift& s, const PassOptions& options) {
  const Value* bias = linear.own(2);
  const bool isConv = linear.info().attr("group") != nullptr;
  FoldMemory::Fold fold{.weights = linear.own(1)->constant(),
                        .bias = bias && betaOf(linear) != 0 ? bias->constant() : nullptr,
                        .numbers = {static_cast<double>(linear.kind()), alphaOf(linear),
                                    betaOf(linear), bias ? 1.0 : 0.0,
                                    static_cast<double>(options.denormals)}};
  if (isConv) fold.numbers.push_back(static_cast<double>(linear.integer("group")));
  if (linear.kind() == OpKind::Gemm)
    fold.numbers.push_back(static_cast<double>(linear.integer("transB")));
  fold.numbers.insert(fold.numbers.end(), s.scale.begin(), s.scale.end());
  fold.numbers.insert(fold.numbers.end(), s.shift.begin(), s.shift.end());
  return fold;
}

OrRefusal<FoldedWeights> fold(const Op& linear, const ScaleShift& s, const PassOptions& options) {
  const Tensor* weights = linear.own(1)->constant();
  const auto bias = biasOf(linear, s.channels());
  if (!bias) return std::unexpected(bias.error());
  const std::vector<uint32_t> output = outputChannels(linear);
  std::vector<double> numbers = doublesOf(*weights);
  const double alpha = alphaOf(linear);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] *= alpha * s.scale[output[i]];
  FoldedWeights result;
  auto rounded = roundedWeights(std::move(numbers), *weights, options, result.found);
  if (!rounded) return std::unexpected(rounded.error());
  result.weights = *std::move(rounded);
  measureWeights(result.weights, output, s.channels(), result.found);
  if (!linear.own(2) && !s.hasShift()) return result;
  std::vector<double> shifted(s.shift);
  for (size_t c = 0; c < shifted.size(); ++c) shifted[c] += (*bias)[c] * s.scale[c];
  auto roundedBias = roundedBiases(std::move(shifted), weights->elem(), options, result.found);
  if (!roundedBias) return std::unexpected(roundedBias.error());
  result.bias = *std::move(roundedBias);
  return result;
}

/// Weights and bias of the linear op with the scale and shift in them.
OrRefusal<FoldedWeights> folded(const Op& linear, const ScaleShift& s, const PassOptions& options) {
  if (!linear.own(1)->constant())
    return refuse(Reason::WeightsNotConstant, "the weights are computed");
  const bool isBiasKnown = !linear.own(2) || linear.own(2)->constant();
  if (!options.folds || !isBiasKnown) return fold(linear, s, options);
  const FoldMemory::Fold what = foldOf(linear, s, options);
  if (auto known = options.folds->find(what)) return *std::move(known);
  auto result = fold(linear, s, options);
  if (result) options.folds->add(what, *result);
  return result;
}

OrRefusal<void> checkPair(const Op& linear, const Op& op, const Value* between) {
  if (between->outputUses() != 0)
    return refuse(Reason::GraphOutput,
                  fmt::format("%{} is an output of the model", between->name()));
  if (!isOnlyUsedBy(between, &op))
    return refuse(Reason::ConvMultiUse,
                  fmt::format("%{} has {} readers", between->name(), between->numUses()));
  if (!linear.epilogue().empty())
    return refuse(Reason::FusedElsewhere, "the convolution already carries an epilogue");
  if (std::ranges::count(op.operands(), between) != 1)
    return refuse(Reason::DataDependent, "it reads the convolution twice");
  if (linear.kind() == OpKind::MatMul && linear.own(1)->type().rank() != 2)
    return refuse(Reason::WeightsNotConstant, "the product is not by one matrix");
  if (linear.kind() == OpKind::MatMul && linear.own(0)->type().rank() < 2)
    return refuse(Reason::OtherAxis, "the product of a vector has no batch");
  return {};
}

/// Ops that one after the other scale and shift what a linear op produces, and what they do
/// together.
struct Chain {
  std::vector<Op*> ops;
  ScaleShift s;
};

/// The chain that starts with `op`, as long as nothing else reads what lies between.
OrRefusal<Chain> chainFrom(Op& op, const Value* between, int64_t axis, const PassOptions& options) {
  auto first = scaleShiftOf(op, between, axis, options);
  if (!first) return std::unexpected(first.error());
  Chain chain{{&op}, *std::move(first)};
  for (;;) {
    const Value* last = chain.ops.back()->result();
    Op* next = onlyUser(last);
    if (!next || std::ranges::count(next->operands(), last) != 1 || !isScaleShiftKind(*next, last))
      return chain;
    const auto s = scaleShiftOf(*next, last, axis, options);
    if (!s || !chain.s.then(*s).isFinite()) return chain;
    chain.ops.push_back(next);
    chain.s = chain.s.then(*s);
  }
}

/// A matmul has no bias operand: with a shift it becomes a gemm, or, of more than two dimensions,
/// keeps an addition behind it.
bool keepsAddition(const Op& linear) {
  return linear.kind() == OpKind::MatMul && linear.own(0)->type().rank() != 2;
}

/// Whether the chain is already what would be made of it: the addition of a bias.
bool isFolded(const Op& linear, const Chain& chain) {
  return keepsAddition(linear) && chain.ops.size() == 1 &&
         chain.ops.front()->kind() == OpKind::Add && !chain.s.hasScale() && chain.s.hasShift();
}

std::unordered_set<const Op*> rebuild(PassContext& context, Op& linear, const Chain& chain,
                                      FoldedWeights folded) {
  Rewriter& rewriter = context.rewriter();
  Op& last = *chain.ops.back();
  const std::string stem = linear.own(1)->name();
  Value* weights = rewriter.constant(std::move(folded.weights), stem + "_folded", &linear);
  Value* bias = folded.bias ? rewriter.constant(*folded.bias, stem + "_bias", &linear) : nullptr;
  OpSpec spec{.kind = linear.kind(), .operands = {linear.own(0), weights}, .attrs = linear.attrs()};
  spec.attrs.erase("alpha");
  spec.attrs.erase("beta");
  const bool addAfter = bias && keepsAddition(linear);
  if (linear.kind() == OpKind::MatMul && bias && !addAfter) spec.kind = OpKind::Gemm;
  if (bias && !addAfter) spec.operands.push_back(bias);
  spec.origins.assign(linear.origins().begin(), linear.origins().end());
  Op* made = rewriter.create(std::move(spec), &last);
  if (addAfter)
    made = rewriter.create({.kind = OpKind::Add, .operands = {made->result(), bias}}, &last);
  for (const Op* op : chain.ops) rewriter.addOrigins(made, op->origins());
  const std::string name = last.result()->name();
  rewriter.replace(last.result(), made->result());
  const auto erased = rewriter.eraseDead(&last);
  rewriter.rename(made->result(), name);
  return erased;
}

/// A normalization with nothing in front to fold into is reported; other arithmetic is not, since
/// nobody expects it to vanish.
void reportAlone(PassContext& context, const Op& op) {
  if (op.kind() != OpKind::BatchNormalization) return;
  const auto what = scaleShiftOf(op, op.own(0), channelAxis(op), context.options());
  if (!what) return context.refused(what.error(), op);
  context.refused(Reason::NotAfterConv, op, "its input is not the result of a convolution");
}

/// Folds `op` and perhaps some behind it; what is erased is added to `gone`.
void tryFold(PassContext& context, Op& op, std::unordered_set<const Op*>& gone) {
  Value* between = scaledOperand(op);
  if (!between) return reportAlone(context, op);
  Op& linear = *between->producer();
  if (auto pair = checkPair(linear, op, between); !pair) return context.refused(pair.error(), op);
  const auto chain = chainFrom(op, between, outputChannelAxis(linear), context.options());
  if (!chain) return context.refused(chain.error(), op);
  if (isFolded(linear, *chain)) return;
  if (context.options().unfolded.contains(chain->ops.back()->result()->name()))
    return context.refused(Reason::RolledBack, op, "folding it costs more accuracy than allowed");
  auto result = folded(linear, chain->s, context.options());
  if (!result) return context.refused(result.error(), op);
  if (!context.begin(op)) return;
  context.count("denormals", result->found.denormals);
  for (const Op* member : chain->ops) {
    context.applied(Reason::Folded, *member,
                    fmt::format("multiplied into the weights of {}{}", linear.describe(),
                                describe(result->found, context.options())),
                    numbersOf(result->found, *chain->ops.back()));
  }
  gone.merge(rebuild(context, linear, *chain, *std::move(result)));
}

} // namespace

Result<> foldBatchNorm(PassContext& context) {
  std::vector<Op*> ops;
  for (const auto& op : context.graph().ops()) ops.push_back(op.get());
  // A fold erases more than the candidate: the rest of its chain, and their constants.
  std::unordered_set<const Op*> gone;
  for (Op* op : ops)
    if (!gone.contains(op)) tryFold(context, *op, gone);
  return {};
}

} // namespace enfold
