// How the steps of a recurrent op are cut into tiles, and the part of a kernel that computes one.
#pragma once

#include "lower/Lowering.h"
#include "lower/recurrent/Cell.h"

#include <optional>
#include <vector>

namespace enfold::lower {

/// Operands of recurrent ops.
namespace recurrent {
enum Operand : size_t { X, W, R, B, SequenceLens, InitialH, InitialC, P };
} // namespace recurrent

/// Gates whose products are computed together, for all units.
struct GatePhase {
  std::vector<int64_t> gates;
  int64_t vectors = 1; ///< of units in a block
  BufferRef weights;
};

/// Sizes, tiles and functions of a recurrent op.
struct RecurrentProblem {
  RecurrentProblem(const Op& op, const kir::Target& target);

  int64_t panel(const GatePhase& phase) const {
    return phase.vectors * lanes;
  } ///< units of a block
  int64_t blocks(const GatePhase& phase) const {
    return (sizes.hidden + panel(phase) - 1) / panel(phase);
  }
  bool isFirst(const GatePhase& phase) const { return &phase == &phases.front(); }
  bool isLast(const GatePhase& phase) const { return &phase == &phases.back(); }
  bool hasTwoPhases() const { return phases.size() > 1; }
  int64_t states() const { return sizes.directions * sizes.batch * sizes.hidden; }
  /// Of the packed weights of a phase.
  int64_t packedSize(const GatePhase& phase) const;

  const Op& op;
  RecurrentShape sizes;
  kir::Scalar elem;
  int64_t lanes;
  std::vector<RecurrentActivation> functions;
  std::vector<GatePhase> phases; ///< two of a gru that resets the state before its last product
  int64_t rows = 1;              ///< sequences of a tile
  int64_t tiles = 1;             ///< of sequences
};

/// The buffers of a kernel; what it does not use is absent.
struct StepBuffers {
  std::optional<kir::Buffer> x, bias, lengths, times, peepholes, y;
  std::optional<kir::Buffer> h, c, newH, newC; ///< the states before and behind a step
  std::optional<kir::Buffer> z, reset;         ///< between the phases of a gru
  std::vector<kir::Buffer> weights;            ///< for each phase
};

/// Where a kernel is: a direction, its step, and some sequences with their rows of the states.
struct StepPlace {
  kir::Index direction, time, batch; ///< of the first sequence
  int64_t rows;                      ///< how many sequences
  kir::Index row;                    ///< of the first one's state
  int64_t nextRow;                   ///< from one to the next

  kir::Index stateRow(int64_t r) const { return row + r * nextRow; }
};

/// Writes the part of a kernel that computes a block of units for a tile of sequences.
class StepWriter {
public:
  StepWriter(kir::Builder& b, const RecurrentProblem& problem, const StepBuffers& buffers,
             const kir::Machine& machine)
      : b_(b), p_(problem), s_(problem.sizes), m_(buffers), machine_(machine) {}

  /// Calls body(sequences) for tile number `tile`: the last one may have fewer.
  template <typename F> void forRows(const kir::Index& tile, F&& body);
  /// Block number `number` of a phase.
  void block(const GatePhase& phase, const StepPlace& at, const kir::Index& number);

private:
  std::vector<kir::Var> products(const GatePhase& phase, const StepPlace& at,
                                 const kir::Index& block);
  void finishBlock(const GatePhase& phase, const StepPlace& at, const kir::Index& first,
                   int64_t units, const std::vector<kir::Var>& sums);
  void finishVector(const GatePhase& phase, const Cell& cell, const StepPlace& at, int64_t r,
                    const kir::Index& unit, const std::vector<kir::Value>& sums);

  kir::Builder& b_;
  const RecurrentProblem& p_;
  const RecurrentShape& s_;
  const StepBuffers& m_;
  const kir::Machine& machine_;
};

template <typename F> void StepWriter::forRows(const kir::Index& tile, F&& body) {
  const int64_t last = s_.batch - (p_.tiles - 1) * p_.rows;
  if (last == p_.rows) return body(p_.rows);
  b_.ifElse(tile < p_.tiles - 1, [&] { body(p_.rows); }, [&] { body(last); });
}

} // namespace enfold::lower
