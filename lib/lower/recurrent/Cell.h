// What the gates of a recurrent op make of a step, in vectors of hidden units.
#pragma once

#include "ir/Graph.h"
#include "ir/Recurrence.h"
#include "kernel/Builder.h"

#include <optional>
#include <vector>

namespace enfold::lower {

/// One vector of units: what adds up in each gate, and the state before the step.
struct CellInputs {
  std::vector<kir::Value> input;     ///< of the input, a gate each
  std::vector<kir::Value> recurrent; ///< of the state, a gate each, its bias included
  std::optional<kir::Value> h, c;
  std::vector<kir::Value> peepholes; ///< of an lstm, for i, o and f; or none
};

struct CellState {
  kir::Value h;
  std::optional<kir::Value> c; ///< of an lstm
};

/// The formulas of one direction.
class Cell {
public:
  Cell(const Op& op, kir::Builder& b, std::span<const RecurrentActivation> functions)
      : op_(op), b_(b), functions_(functions) {}

  /// The state behind a step.
  CellState step(const CellInputs& in) const;
  /// The same of a gru in two parts, where the reset gate works on the state: z and r times h …
  std::pair<kir::Value, kir::Value> resetState(const CellInputs& in) const;
  /// … and, with what the last gate makes of the latter, the state behind.
  kir::Value updatedState(const kir::Value& z, const kir::Value& input, const kir::Value& recurrent,
                          const kir::Value& h) const;

private:
  /// Function number `f` of what adds up in a gate.
  kir::Value gate(size_t f, const kir::Value& sum) const;
  kir::Value activated(size_t f, const kir::Value& x) const;
  CellState stepLSTM(const CellInputs& in) const;

  const Op& op_;
  kir::Builder& b_;
  std::span<const RecurrentActivation> functions_;
};

} // namespace enfold::lower
