// fold-batchnorm: y = (W x + b) * scale + shift becomes (W scale) x + (b scale + shift), where the
// scale and shift come from an inference-mode batch normalization or from arithmetic with
// per-channel constants. Computed in double and rounded once. The result of the convolution must be
// read by nothing else, and constants are never changed in place: other convolutions may share
// them.
#include "passes/Match.h"
#include "passes/Weights.h"

#include <fmt/format.h>

#include <algorithm>

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

/// Weights and bias of the linear op with the scale and shift in them.
struct Folded {
  Tensor weights;
  std::optional<Tensor> bias;
  FoldedNumbers found;
};

OrRefusal<Folded> folded(const Op& linear, const ScaleShift& s, const PassOptions& options) {
  const Tensor* weights = linear.own(1)->constant();
  if (!weights) return refuse(Reason::WeightsNotConstant, "the weights are computed");
  const Value* biasValue = linear.own(2);
  const Tensor* bias = biasValue ? biasValue->constant() : nullptr;
  if (biasValue && !bias) return refuse(Reason::WeightsNotConstant, "the bias is computed");
  const bool isGemm = linear.kind() == OpKind::Gemm;
  const double beta = isGemm ? linear.real("beta") : 1;
  if (bias && bias->numElements() != 1 && bias->numElements() != s.channels())
    return refuse(Reason::OtherAxis, "the bias varies along another axis than the channels");

  Folded result;
  const WeightChannels channels = weightChannels(linear);
  std::vector<double> numbers(channels.output.size());
  std::vector<bool> alive(s.scale.size(), false);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto c = static_cast<size_t>(channels.output[i]);
    numbers[i] = weights->asDouble(static_cast<int64_t>(i)) * s.scale[c];
    if (numbers[i] != 0) alive[c] = true;
  }
  auto rounded = roundedWeights(numbers, *weights, options, result.found);
  if (!rounded) return std::unexpected(rounded.error());
  result.weights = *std::move(rounded);
  result.found.deadChannels = std::ranges::count(alive, false);

  // Gemm adds beta * c, so c is made to hold the bias divided by beta.
  if (isGemm && beta == 0)
    return refuse(Reason::WeightsNotConstant, "the product ignores its bias");
  std::vector<double> shifted(s.shift);
  for (size_t c = 0; bias && c < shifted.size(); ++c)
    shifted[c] +=
        bias->asDouble(bias->numElements() == 1 ? 0 : static_cast<int64_t>(c)) * beta * s.scale[c];
  if (!bias && !s.hasShift()) return result;
  for (double& value : shifted) value /= beta;
  FoldedNumbers ignored;
  auto roundedBias =
      roundedWeights(shifted, Tensor(weights->elem(), {s.channels()}), options, ignored);
  if (!roundedBias) return std::unexpected(roundedBias.error());
  result.bias = *std::move(roundedBias);
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
  if (std::ranges::count(op.ownOperands(), between) != 1)
    return refuse(Reason::DataDependent, "it reads the convolution twice");
  if (linear.kind() == OpKind::MatMul && linear.own(1)->type().rank() != 2)
    return refuse(Reason::WeightsNotConstant, "the product is not by one matrix");
  if (linear.kind() == OpKind::MatMul && linear.own(0)->type().rank() < 2)
    return refuse(Reason::OtherAxis, "the product of a vector has no batch");
  return {};
}

/// A matmul has no bias operand: with a shift it becomes a gemm, or keeps an addition behind it.
void rebuild(PassContext& context, Op& linear, Op& op, Folded folded) {
  Rewriter& rewriter = context.rewriter();
  const std::string stem = linear.own(1)->name();
  Value* weights = rewriter.constant(std::move(folded.weights), stem + "_folded", &linear);
  Value* bias = folded.bias ? rewriter.constant(*folded.bias, stem + "_bias", &linear) : nullptr;
  OpSpec spec{.kind = linear.kind(), .operands = {linear.own(0), weights}, .attrs = linear.attrs()};
  const bool addAfter =
      linear.kind() == OpKind::MatMul && bias && linear.own(0)->type().rank() != 2;
  if (linear.kind() == OpKind::MatMul && bias && !addAfter) spec.kind = OpKind::Gemm;
  if (bias && !addAfter) spec.operands.push_back(bias);
  spec.resultNames = {op.result()->name()};
  spec.origins.assign(linear.origins().begin(), linear.origins().end());
  Op* made = rewriter.create(std::move(spec), &op);
  rewriter.addOrigins(made, op.origins());
  if (addAfter) {
    made = rewriter.create({.kind = OpKind::Add, .operands = {made->result(), bias}}, &op);
    rewriter.addOrigins(made, op.origins());
  }
  const std::string name = op.result()->name();
  rewriter.replace(op.result(), made->result());
  rewriter.erase(&op);
  rewriter.eraseDead(&linear);
  rewriter.rename(made->result(), name);
}

void tryFold(PassContext& context, Op& op) {
  Value* between = scaledOperand(op);
  if (!between) {
    if (op.kind() == OpKind::BatchNormalization) {
      const auto what = scaleShiftOf(op, op.own(0), 1, context.options());
      if (what)
        context.refused(Reason::NotAfterConv, op, "its input is not the result of a convolution");
      else
        context.refused(what.error(), op);
    }
    return;
  }
  Op& linear = *between->producer();
  if (auto pair = checkPair(linear, op, between); !pair) return context.refused(pair.error(), op);
  const auto s = scaleShiftOf(op, between, outputChannelAxis(linear), context.options());
  if (!s) return context.refused(s.error(), op);
  auto result = folded(linear, *s, context.options());
  if (!result) return context.refused(result.error(), op);
  if (!context.begin(op)) return;
  context.count("denormals", result->found.denormals);
  std::string message = fmt::format("multiplied into the weights of {}", linear.describe());
  if (result->found.deadChannels)
    message += fmt::format("; {} dead channels", result->found.deadChannels);
  if (result->found.denormals)
    message += fmt::format("; {} denormal weights {}", result->found.denormals,
                           context.options().denormals == Denormals::Flush ? "flushed" : "kept");
  context.applied(Reason::Folded, op, message,
                  {{"channels", static_cast<double>(s->channels())},
                   {"dead_channels", static_cast<double>(result->found.deadChannels)},
                   {"denormals", static_cast<double>(result->found.denormals)}});
  rebuild(context, linear, op, *std::move(result));
}

} // namespace

Result<> foldBatchNorm(PassContext& context) {
  // A fold erases the op and its convolution, which stands before it.
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    tryFold(context, op);
  }
  return {};
}

} // namespace enfold
