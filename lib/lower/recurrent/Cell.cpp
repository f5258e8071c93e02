// The formulas are those of reference/Recurrence.cpp.
#include "lower/recurrent/Cell.h"

#include "lower/Elementwise.h"

namespace enfold::lower {

using kir::Value;

Value Cell::activated(size_t f, const Value& x) const {
  const RecurrentActivation& function = functions_[f];
  switch (function.form) {
  case RecurrentActivation::Form::Affine:
    return x * function.alpha + function.beta;
  case RecurrentActivation::Form::ScaledTanh:
    return b_.tanh(x * function.beta) * function.alpha;
  case RecurrentActivation::Form::Elementwise:
    break;
  }
  const std::optional<Value> args[] = {x};
  return emitElementwise(b_, function.kind, function.attrs, args, op_.result()->elem());
}

Value Cell::gate(size_t f, const Value& sum) const {
  if (!op_.hasAttr("clip")) return activated(f, sum);
  const Value bound = kir::constantLike(sum, static_cast<double>(op_.real("clip")));
  return activated(f, b_.minFast(bound, b_.maxFast(-bound, sum)));
}

CellState Cell::stepLSTM(const CellInputs& in) const {
  enum Gate : size_t { I, O, F, C };
  const auto sum = [&](size_t gate) { return in.input[gate] + in.recurrent[gate]; };
  const auto peep = [&](size_t gate, const Value& cell) {
    return in.peepholes.empty() ? sum(gate) : b_.fma(in.peepholes[gate], cell, sum(gate));
  };
  const Value i = gate(0, peep(I, *in.c));
  const Value f = op_.integer("input_forget") != 0 ? 1.0 - i : gate(0, peep(F, *in.c));
  const Value c = b_.fma(f, *in.c, i * gate(1, sum(C)));
  const Value o = gate(0, peep(O, c));
  return {o * activated(2, c), c};
}

std::pair<Value, Value> Cell::resetState(const CellInputs& in) const {
  const Value z = gate(0, in.input[0] + in.recurrent[0]);
  const Value r = gate(0, in.input[1] + in.recurrent[1]);
  return {z, r * *in.h};
}

Value Cell::updatedState(const Value& z, const Value& input, const Value& recurrent,
                         const Value& h) const {
  const Value g = gate(1, input + recurrent);
  return b_.fma(z, h, (1.0 - z) * g);
}

CellState Cell::step(const CellInputs& in) const {
  if (op_.kind() == OpKind::LSTM) return stepLSTM(in);
  if (op_.kind() == OpKind::RNN) return {gate(0, in.input[0] + in.recurrent[0]), std::nullopt};
  const Value z = gate(0, in.input[0] + in.recurrent[0]);
  const Value r = gate(0, in.input[1] + in.recurrent[1]);
  return {updatedState(z, in.input[2], r * in.recurrent[2], *in.h), std::nullopt};
}

} // namespace enfold::lower
