// fold-forward: W (x * scale + shift) + b becomes (W scale) x + (b + W shift), for a normalization
// or per-channel arithmetic whose only reader is a convolution or matrix product. Zero padding is
// not shifted by the op, so with a shift the convolution must not pad.
#include "passes/Match.h"
#include "passes/Weights.h"

#include <fmt/format.h>

#include <algorithm>

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

OrRefusal<void> checkPair(const Op& op, const Op& linear, const ScaleShift& s) {
  if (linear.own(0) != op.result() || linear.own(1) == op.result() ||
      std::ranges::count(linear.operands(), op.result()) != 1)
    return refuse(Reason::NotBeforeConv, "its reader does not take it as input alone");
  if (!linear.own(1)->constant() || (linear.own(2) && !linear.own(2)->constant()))
    return refuse(Reason::WeightsNotConstant, "the weights of its reader are computed");
  if (linear.kind() != OpKind::Conv)
    return refuse(Reason::NotBeforeConv, "its reader is not a convolution");
  if (s.hasShift() && pads(linear))
    return refuse(Reason::Padding, "the convolution pads, and the shift would move the padding");
  return {};
}

void rebuild(PassContext& context, Op& op, Op& linear, Value* x, Tensor weights, Tensor bias) {
  Rewriter& rewriter = context.rewriter();
  const std::string stem = linear.own(1)->name();
  Value* w = rewriter.constant(std::move(weights), stem + "_folded", &linear);
  Value* b = rewriter.constant(std::move(bias), stem + "_bias", &linear);
  OpSpec spec{.kind = linear.kind(), .operands = {x, w, b}, .attrs = linear.attrs()};
  spec.resultNames = {linear.result()->name()};
  spec.origins.assign(op.origins().begin(), op.origins().end());
  spec.epilogue.assign(linear.epilogue().begin(), linear.epilogue().end());
  Op* made = rewriter.create(std::move(spec), &linear);
  rewriter.addOrigins(made, linear.origins());
  const std::string name = linear.result()->name();
  rewriter.replace(linear.result(), made->result());
  rewriter.eraseDead(&linear);
  rewriter.rename(made->result(), name);
}

void tryFold(PassContext& context, Op& op) {
  Value* x = scaledOperand(op);
  if (!x || x->type().rank() < 3) return;
  Op* linear = onlyUser(op.result());
  if (!linear || !isLinear(linear->kind()) || !linear->epilogue().empty()) return;
  const auto s = scaleShiftOf(op, x, 1, context.options());
  if (!s) return context.refused(s.error(), op);
  if (auto pair = checkPair(op, *linear, *s); !pair) return context.refused(pair.error(), op);

  const Tensor& weights = *linear->own(1)->constant();
  const WeightChannels channels = weightChannels(*linear);
  std::vector<double> numbers(channels.output.size());
  std::vector<double> bias(static_cast<size_t>(linear->result()->shape()[1]), 0);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double w = weights.asDouble(static_cast<int64_t>(i));
    const auto c = static_cast<size_t>(channels.input[i]);
    numbers[i] = w * s->scale[c];
    bias[static_cast<size_t>(channels.output[i])] += w * s->shift[c];
  }
  for (size_t k = 0; linear->own(2) && k < bias.size(); ++k)
    bias[k] += linear->own(2)->constant()->asDouble(static_cast<int64_t>(k));
  FoldedNumbers found;
  auto w = roundedWeights(numbers, weights, context.options(), found);
  auto b = roundedWeights(bias, Tensor(weights.elem(), {static_cast<int64_t>(bias.size())}),
                          context.options(), found);
  if (!w || !b) return context.refused(w ? b.error() : w.error(), op);
  if (!context.begin(op)) return;
  context.applied(Reason::Folded, op,
                  fmt::format("multiplied into the weights of {} behind it", linear->describe()),
                  {{"channels", static_cast<double>(s->channels())}});
  rebuild(context, op, *linear, x, *std::move(w), *std::move(b));
}

} // namespace

Result<> foldForward(PassContext& context) {
  // A fold erases the op itself and its reader, which stands behind it: collect first.
  std::vector<Value*> candidates;
  for (const auto& op : context.graph().ops())
    if (op->numResults() >= 1 && scaledOperand(*op)) candidates.push_back(op->result());
  for (Value* candidate : candidates) tryFold(context, *candidate->producer());
  return {};
}

} // namespace enfold
