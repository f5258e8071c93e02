// expand-batchnorm: a batch normalization that no weights could take becomes arithmetic, which
// fuses into what produces its input. Constant parameters give a multiplication and an addition per
// channel; computed ones give the scale to be computed as well; training mode gives the moments of
// the batch and the running statistics as the operator defines them. None is left.
#include "passes/Match.h"
#include "passes/ScaleShift.h"
#include "passes/Weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// x * scale + shift is computed so as long as the shift is no larger than this: the product is
/// rounded before a large shift would cancel it, which (x - mean) * scale + bias avoids.
constexpr double kLargestShift = 32;

/// Makes the ops an expansion consists of, all in front of the normalization.
class Expansion {
public:
  Expansion(PassContext& context, Op& op)
      : rewriter_(context.rewriter()), op_(op), x_(op.own(0)), rank_(x_->type().rank()) {
    // Narrow types are computed as f32, like in one kernel; f64 when any operand is.
    elem_ = ElemType::F32;
    for (const Value* operand : op.ownOperands())
      if (operand->elem() == ElemType::F64) elem_ = ElemType::F64;
  }

  /// y = x * scale + shift by constants.
  Value* byConstants(const ScaleShift& s) {
    Value* y = x_;
    if (s.hasScale()) y = make(OpKind::Mul, {y, channels(s.scale, "scale")});
    if (s.hasShift()) y = make(OpKind::Add, {y, channels(s.shift, "shift")});
    return y;
  }

  /// y = (x - mean) * scale + bias by constants, in this order.
  Value* byCenteredConstants(const ScaleShift& s) {
    Value* centered = make(OpKind::Sub, {wide(x_), wideChannels(own(3), "mean")});
    Value* scaled = make(OpKind::Mul, {centered, wideChannels(s.scale, "scale")});
    return narrow(make(OpKind::Add, {scaled, wideChannels(own(2), "bias")}), x_->elem());
  }

  /// The same with computed parameters.
  Value* byValues() {
    Value* centered = make(OpKind::Sub, {wide(x_), column(wide(op_.own(3)))});
    return normalized(centered, column(wide(op_.own(4))));
  }

  /// By the moments of the batch; replaces the running statistics as well.
  Value* byBatch() {
    std::vector<int64_t> others = {0}; // also when a vector is a batch of one channel
    for (int64_t axis = 2; axis < rank_; ++axis) others.push_back(axis);
    Value* x = wide(x_);
    const auto meanOf = [&](Value* value) {
      return make(OpKind::ReduceMean, {value, ints(others, "axes")});
    };
    // A mean far from zero is rounded by as much as the elements differ: what is left of it after
    // the subtraction is subtracted as well.
    Value* mean = meanOf(x);
    Value* around = make(OpKind::Sub, {x, mean});
    Value* rest = meanOf(around);
    Value* centered = make(OpKind::Sub, {around, rest});
    Value* variance = meanOf(make(OpKind::Mul, {centered, centered}));
    if (op_.numResults() > 1) running(1, op_.own(3), make(OpKind::Add, {mean, rest}));
    running(2, op_.own(4), variance);
    return normalized(centered, variance);
  }

  /// Statistics that are not replaced by those of a batch stay what they are.
  void keepStatistics() {
    for (size_t i = 1; i < op_.numResults(); ++i)
      if (op_.result(i)->numUses() != 0)
        rewriter_.replace(op_.result(i), narrow(op_.own(2 + i), op_.result(i)->elem()));
  }

  /// Puts `y` in the place of the normalization.
  void finish(Value* y) {
    const std::string name = op_.result()->name();
    rewriter_.replace(op_.result(), y);
    rewriter_.eraseDead(&op_);
    if (y != x_) rewriter_.rename(y, name);
    for (const auto& [value, statistic] : statistics_) rewriter_.rename(value, statistic);
  }

private:
  Value* make(OpKind kind, std::vector<Value*> operands, AttrMap attrs = {}) {
    Op* made = rewriter_.create(
        {.kind = kind, .operands = std::move(operands), .attrs = std::move(attrs)}, &op_);
    rewriter_.addOrigins(made, op_.origins());
    return made->result();
  }

  Value* constant(Tensor tensor, const char* what) {
    return rewriter_.constant(std::move(tensor), fmt::format("{}_{}", op_.result()->name(), what),
                              &op_);
  }
  Value* ints(const std::vector<int64_t>& values, const char* what) {
    const std::span<const int64_t> span(values);
    return constant(Tensor::of({static_cast<int64_t>(values.size())}, span), what);
  }
  Value* number(double value, const char* what) {
    Tensor tensor(elem_, {});
    tensor.setDouble(0, value);
    return constant(std::move(tensor), what);
  }

  /// One number per channel, shaped to broadcast.
  Value* channels(std::span<const double> numbers, const char* what) {
    return constant(channelTensor(numbers, x_->elem(), channelAxis(op_), rank_), what);
  }
  Value* wideChannels(std::span<const double> numbers, const char* what) {
    return constant(channelTensor(numbers, elem_, channelAxis(op_), rank_), what);
  }
  std::vector<double> own(size_t i) const {
    const Tensor* tensor = op_.own(i)->constant();
    std::vector<double> numbers;
    for (int64_t c = 0; c < tensor->numElements(); ++c) numbers.push_back(tensor->asDouble(c));
    return numbers;
  }

  Value* wide(Value* value) { return narrow(value, elem_); }
  Value* narrow(Value* value, ElemType elem) {
    return value->elem() == elem ? value : make(OpKind::Cast, {value}, {{"to", elem}});
  }

  /// A vector of channels, shaped to broadcast.
  Value* column(Value* vector) {
    if (rank_ <= 2) return vector;
    Shape shape(static_cast<size_t>(rank_ - 1), 1);
    shape[0] = vector->shape()[0];
    return make(OpKind::Reshape, {vector, ints(shape, "column")}, {{"allowzero", int64_t{1}}});
  }

  /// centered * (scale / sqrt(variance + epsilon)) + bias, of x's type.
  Value* normalized(Value* centered, Value* variance) {
    Value* sum = make(OpKind::Add, {variance, number(op_.real("epsilon"), "epsilon")});
    Value* deviation = make(OpKind::Sqrt, {sum});
    Value* factor = make(OpKind::Div, {column(wide(op_.own(1))), deviation});
    Value* scaled = make(OpKind::Mul, {centered, factor});
    return narrow(make(OpKind::Add, {scaled, column(wide(op_.own(2)))}), x_->elem());
  }

  /// Result i becomes old * momentum + batch * (1 - momentum).
  void running(size_t i, Value* old, Value* batch) {
    if (i >= op_.numResults() || op_.result(i)->numUses() == 0) return;
    const double momentum = op_.real("momentum");
    Value* vector =
        make(OpKind::Reshape, {batch, ints(old->shape(), "vector")}, {{"allowzero", int64_t{1}}});
    Value* kept = make(OpKind::Mul, {wide(old), number(momentum, "momentum")});
    Value* added = make(OpKind::Mul, {vector, number(1 - momentum, "share")});
    Value* sum = narrow(make(OpKind::Add, {kept, added}), op_.result(i)->elem());
    const std::string name = op_.result(i)->name();
    rewriter_.replace(op_.result(i), sum);
    statistics_.emplace_back(sum, name);
  }

  Rewriter& rewriter_;
  Op& op_;
  Value* x_;
  int64_t rank_;
  ElemType elem_;
  std::vector<std::pair<Value*, std::string>> statistics_;
};

bool shiftsTooFar(const ScaleShift& s, const Op& op) {
  if (op.own(0)->elem() == ElemType::F16 || op.own(0)->elem() == ElemType::BF16) return true;
  return std::ranges::any_of(s.shift, [](double v) { return std::fabs(v) > kLargestShift; });
}

void expand(PassContext& context, Op& op) {
  const bool byBatch = op.integer("training_mode") != 0 && !context.options().assumeInferenceBn;
  const auto s = scaleShiftOf(op, op.own(0), channelAxis(op), context.options());
  if (!context.begin(op)) return;
  Expansion expansion(context, op);
  if (byBatch) {
    context.applied(Reason::ExpandedBatch, op,
                    "written as the moments of its batch and arithmetic");
    expansion.finish(expansion.byBatch());
    return;
  }
  expansion.keepStatistics();
  if (!s) {
    context.applied(Reason::ExpandedValues, op, "written as arithmetic with computed parameters");
    expansion.finish(expansion.byValues());
  } else {
    context.applied(Reason::Expanded, op, "written as a scale and a shift per channel");
    expansion.finish(shiftsTooFar(*s, op) ? expansion.byCenteredConstants(*s)
                                          : expansion.byConstants(*s));
  }
}

} // namespace

Result<> expandBatchNorm(PassContext& context) {
  for (auto it = context.graph().ops().begin(); it != context.graph().ops().end();) {
    Op& op = **it++;
    if (op.kind() == OpKind::BatchNormalization && op.epilogue().empty()) expand(context, op);
  }
  return {};
}

} // namespace enfold
