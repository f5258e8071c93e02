// What inference, reference and kernels share of lstm, gru and rnn: sizes, gates and activations.
//
// Gates stand in ONNX's order: i, o, f, c of an lstm; z, r, h of a gru. An op has one or two
// directions, each with weights of its own; the second of two, or the only one of a reverse op,
// goes from the last step to the first. Of a sequence shorter than the time axis the steps behind
// its end are left out, and their results are 0.
#pragma once

#include "ir/OpInfo.h"

#include <span>
#include <string>
#include <vector>

namespace enfold {

class Value;

/// An activation of a recurrent op: the elementwise op of that kind, or a formula that ONNX has no
/// op for.
struct RecurrentActivation {
  enum class Form : uint8_t {
    Elementwise, ///< the op of that kind
    Affine,      ///< alpha x + beta
    ScaledTanh,  ///< alpha tanh(beta x)
  };
  Form form = Form::Elementwise;
  OpKind kind = OpKind::Identity;
  AttrMap attrs = {};
  double alpha = 1, beta = 0;
};

/// Gates of a cell: 4, 3 or 1.
int64_t gatesOf(OpKind kind);
/// Functions a direction applies: f, g and h of an lstm, f and g of a gru, f of an rnn.
size_t activationsOf(OpKind kind);
bool isRecurrent(OpKind kind);

/// The activations of an op, direction by direction; an error if they are not of ONNX or too few.
Result<std::vector<RecurrentActivation>> recurrentActivations(OpKind kind, const AttrMap& attrs);

/// Sizes and places of the axes. Of states and results each direction and each batch has its own
/// row of `hidden` numbers; the layout says in which order they lie.
struct RecurrentShape {
  int64_t time = 0, batch = 0, hidden = 0, gates = 0, directions = 1;
  bool reverse = false;    ///< the only direction goes backward
  bool batchFirst = false; ///< layout 1
  bool projected = false;  ///< x holds products: w is absent

  /// Whether a direction goes from the last step to the first.
  bool goesBackward(int64_t direction) const { return reverse || direction == 1; }
  // Rows by number, for integers and what computes like them.

  /// Number of the row of a state: initial_h, initial_c, y_h, y_c.
  template <typename N> N stateRow(const N& direction, const N& b) const {
    return batchFirst ? b * directions + direction : direction * batch + b;
  }
  /// Number of the row of y.
  template <typename N> N resultRow(const N& t, const N& direction, const N& b) const {
    return batchFirst ? (b * time + t) * directions + direction
                      : (t * directions + direction) * batch + b;
  }
  /// Number of the row of x.
  template <typename N> N inputRow(const N& t, const N& b) const {
    return batchFirst ? b * time + t : t * batch + b;
  }
};

/// Of operands (null: absent) and attributes that inference accepts.
RecurrentShape recurrentShape(OpKind kind, std::span<const Shape* const> operands,
                              const AttrMap& attrs);

} // namespace enfold
