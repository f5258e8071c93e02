// lstm, gru and rnn, step by step. What the standard leaves open is as in ONNX Runtime: clip bounds
// what the gates apply their functions to, peepholes included, but not the cell.
#include "ir/Recurrence.h"

#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "reference/Reference.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

using Row = std::vector<double>;

/// f of every number.
Result<Row> activated(const RecurrentActivation& f, Row row) {
  if (f.form == RecurrentActivation::Form::Affine) {
    for (double& x : row) x = f.alpha * x + f.beta;
    return row;
  }
  if (f.form == RecurrentActivation::Form::ScaledTanh) {
    for (double& x : row) x = f.alpha * std::tanh(f.beta * x);
    return row;
  }
  const Type type{ElemType::F64, {static_cast<int64_t>(row.size())}, {}};
  const Tensor x = Tensor::of<double>(type.shape, row);
  const Tensor* const operands[] = {&x};
  ENFOLD_TRY(const auto y, evaluate(f.kind, operands, f.attrs, std::span(&type, 1)));
  return load<double>(y.front());
}

/// One direction of one op, for one sequence at a time.
class Cell {
public:
  Cell(const EvalContext& context, const RecurrentShape& shape,
       std::span<const RecurrentActivation> functions, int64_t direction)
      : context_(context), s_(shape), functions_(functions), direction_(direction),
        hidden_(static_cast<size_t>(shape.hidden)), kind_(context.info().kind) {
    r_ = part(2);
    if (!s_.projected) w_ = part(1);
    const Row b = context.has(3) ? part(3) : Row(s_.projected ? rows() : 2 * rows());
    if (!s_.projected) wb_.assign(b.begin(), b.begin() + static_cast<ptrdiff_t>(rows()));
    rb_.assign(b.end() - static_cast<ptrdiff_t>(rows()), b.end());
    if (context.has(7)) p_ = part(7);
  }

  /// From the state behind a step to that behind the next one. `x` is the input's row.
  Result<> step(const Row& x, Row& h, Row& c) const {
    Row in = s_.projected ? Row(x.begin() + direction_ * static_cast<ptrdiff_t>(rows()),
                                x.begin() + (direction_ + 1) * static_cast<ptrdiff_t>(rows()))
                          : product(w_, x, 0, rows());
    for (size_t i = 0; i < wb_.size(); ++i) in[i] += wb_[i];
    if (kind_ == OpKind::LSTM) return stepLSTM(in, h, c);
    if (kind_ == OpKind::GRU) return stepGRU(in, h);
    ENFOLD_TRY(h, gate(0, 0, in, product(r_, h, 0, rows()), {}));
    return {};
  }

private:
  size_t rows() const { return hidden_ * static_cast<size_t>(s_.gates); }

  /// This direction's part of an operand.
  Row part(size_t operand) const {
    const Row all = load<double>(context_.operand(operand));
    const auto size = static_cast<ptrdiff_t>(all.size()) / s_.directions;
    return Row(all.begin() + direction_ * size, all.begin() + (direction_ + 1) * size);
  }

  /// Rows [first, last) of a matrix, at the same places of the result, times a vector.
  static Row product(const Row& matrix, const Row& x, size_t first, size_t last) {
    Row y(last);
    for (size_t i = first; i < last; ++i)
      for (size_t k = 0; k < x.size(); ++k) y[i] += matrix[i * x.size() + k] * x[k];
    return y;
  }

  double clipped(double x) const {
    if (!context_.hasAttr("clip")) return x;
    const double bound = context_.real("clip");
    return std::isnan(x) ? x : std::clamp(x, -bound, bound);
  }

  /// What gate number `g` gives: function number f of all that adds up there.
  Result<Row> gate(size_t f, size_t g, const Row& in, const Row& recurrent,
                   const Row& peephole) const {
    Row sum(hidden_);
    for (size_t i = 0; i < hidden_; ++i) {
      const size_t at = g * hidden_ + i;
      sum[i] = clipped(in[at] + recurrent[at] + rb_[at] + (peephole.empty() ? 0 : peephole[i]));
    }
    return activated(functions_[f], std::move(sum));
  }

  /// The part of the peepholes for a gate, times the cell.
  Row peephole(size_t which, const Row& c) const {
    if (p_.empty()) return {};
    Row y(hidden_);
    for (size_t i = 0; i < hidden_; ++i) y[i] = p_[which * hidden_ + i] * c[i];
    return y;
  }

  Result<> stepLSTM(const Row& in, Row& h, Row& c) const {
    const Row recurrent = product(r_, h, 0, rows());
    ENFOLD_TRY(const Row i, gate(0, 0, in, recurrent, peephole(0, c)));
    ENFOLD_TRY(Row f, gate(0, 2, in, recurrent, peephole(2, c)));
    ENFOLD_TRY(const Row g, gate(1, 3, in, recurrent, {}));
    for (size_t k = 0; k < hidden_; ++k) {
      if (context_.integer("input_forget")) f[k] = 1 - i[k];
      c[k] = f[k] * c[k] + i[k] * g[k];
    }
    ENFOLD_TRY(const Row o, gate(0, 1, in, recurrent, peephole(1, c)));
    ENFOLD_TRY(h, activated(functions_[2], c));
    for (size_t k = 0; k < hidden_; ++k) h[k] *= o[k];
    return {};
  }

  Result<> stepGRU(const Row& in, Row& h) const {
    Row recurrent = product(r_, h, 0, rows());
    ENFOLD_TRY(const Row z, gate(0, 0, in, recurrent, {}));
    ENFOLD_TRY(const Row r, gate(0, 1, in, recurrent, {}));
    Row sum(hidden_);
    Row reset(hidden_);
    for (size_t k = 0; k < hidden_; ++k) reset[k] = r[k] * h[k];
    const bool behind = context_.integer("linear_before_reset") != 0;
    if (!behind) recurrent = product(r_, reset, 2 * hidden_, rows());
    for (size_t k = 0; k < hidden_; ++k) {
      const size_t at = 2 * hidden_ + k;
      const double part = behind ? r[k] * (recurrent[at] + rb_[at]) : recurrent[at] + rb_[at];
      sum[k] = clipped(in[at] + part);
    }
    ENFOLD_TRY(const Row g, activated(functions_[1], std::move(sum)));
    for (size_t k = 0; k < hidden_; ++k) h[k] = (1 - z[k]) * g[k] + z[k] * h[k];
    return {};
  }

  const EvalContext& context_;
  const RecurrentShape& s_;
  std::span<const RecurrentActivation> functions_;
  const int64_t direction_;
  const size_t hidden_;
  const OpKind kind_;
  Row w_, r_, wb_, rb_, p_;
};

Row rowOf(const Row& all, int64_t row, int64_t size) {
  return Row(all.begin() + row * size, all.begin() + (row + 1) * size);
}

void setRow(Row& all, int64_t row, const Row& from) {
  std::ranges::copy(from, all.begin() + row * static_cast<ptrdiff_t>(from.size()));
}

/// The lengths of the sequences, checked.
Result<std::vector<int64_t>> lengths(const EvalContext& context, const RecurrentShape& s) {
  std::vector<int64_t> all(static_cast<size_t>(s.batch), s.time);
  if (!context.has(4)) return all;
  all = context.operand(4).toInts();
  for (const int64_t length : all)
    if (length < 0 || length > s.time)
      return failure(
          ErrorCode::BadData,
          fmt::format("a sequence of length {} in an input of {} steps", length, s.time));
  return all;
}

Result<> recur(EvalContext& context) {
  std::vector<const Shape*> shapes;
  for (size_t i = 0; i < context.info().operands.size(); ++i)
    shapes.push_back(context.has(i) ? &context.shape(i) : nullptr);
  const RecurrentShape s = recurrentShape(context.info().kind, shapes, context.attrs());
  ENFOLD_TRY(const auto functions, recurrentActivations(context.info().kind, context.attrs()));
  ENFOLD_TRY(const auto length, lengths(context, s));
  const Row x = load<double>(context.operand());
  const int64_t width = context.shape(0)[2];
  Row y(static_cast<size_t>(s.time * s.directions * s.batch * s.hidden));
  const auto initial = [&](size_t operand) {
    return context.has(operand) ? load<double>(context.operand(operand))
                                : Row(static_cast<size_t>(s.directions * s.batch * s.hidden));
  };
  Row hs = initial(5), cs = initial(6);
  const size_t each = activationsOf(context.info().kind);
  for (int64_t d = 0; d < s.directions; ++d) {
    const Cell cell(context, s, std::span(functions).subspan(static_cast<size_t>(d) * each, each),
                    d);
    for (int64_t b = 0; b < s.batch; ++b) {
      const int64_t steps = length[static_cast<size_t>(b)];
      Row h = rowOf(hs, s.stateRow(d, b), s.hidden), c = rowOf(cs, s.stateRow(d, b), s.hidden);
      for (int64_t i = 0; i < steps; ++i) {
        const int64_t t = s.goesBackward(d) ? steps - 1 - i : i;
        ENFOLD_RETURN_IF_ERROR(cell.step(rowOf(x, s.inputRow(t, b), width), h, c));
        setRow(y, s.resultRow(t, d, b), h);
      }
      setRow(hs, s.stateRow(d, b), h);
      setRow(cs, s.stateRow(d, b), c);
    }
  }
  store(context.result(0), y);
  if (context.numResults() > 1) store(context.result(1), hs);
  if (context.numResults() > 2) store(context.result(2), cs);
  return {};
}

} // namespace

Result<> evalLSTM(EvalContext& context) { return recur(context); }
Result<> evalGRU(EvalContext& context) { return recur(context); }
Result<> evalRNN(EvalContext& context) { return recur(context); }

} // namespace enfold::reference
