// Products of the state with the weights in registers, then the gates.
#include "lower/recurrent/Steps.h"

#include "lower/Scalars.h"

#include <algorithm>

namespace enfold::lower {

using kir::Buffer;
using kir::Index;
using kir::Value;

namespace {

RecurrentShape shapeOf(const Op& op) {
  std::vector<const Shape*> shapes;
  for (size_t i = 0; i < op.info().operands.size(); ++i)
    shapes.push_back(op.own(i) ? &op.own(i)->shape() : nullptr);
  return recurrentShape(op.kind(), shapes, op.attrs());
}

/// Sequences and vectors of units whose products are added up in registers side by side.
struct Tile {
  int64_t rows, vectors;
};

/// The tile with the most products for each number loaded.
Tile chooseTile(int64_t gates, int64_t batch, int64_t units, int64_t lanes,
                const kir::Machine& machine) {
  Tile best{1, 1};
  double bestRatio = 0;
  const int64_t needed = (units + lanes - 1) / lanes;
  for (int64_t rows = 1; rows <= batch; ++rows)
    for (int64_t vectors = 1; vectors <= needed; ++vectors) {
      const int64_t sums = rows * gates * vectors;
      if (sums + rows + 1 > machine.vectorRegisters && sums > gates) break;
      const int64_t blocks = (needed + vectors - 1) / vectors;
      const int64_t tiles = (batch + rows - 1) / rows;
      const double useful = double(needed * batch) / double(blocks * vectors * tiles * rows);
      const double ratio = useful * double(sums) / double(rows + gates * vectors + 1);
      if (ratio <= bestRatio) continue;
      bestRatio = ratio;
      best = {rows, vectors};
    }
  return best;
}

} // namespace

RecurrentProblem::RecurrentProblem(const Op& source, const kir::Target& target)
    : op(source), sizes(shapeOf(source)), elem(*scalarOf(source.result()->elem())),
      lanes(target.lanes(elem)), functions(*recurrentActivations(source.kind(), source.attrs())) {
  if (op.kind() == OpKind::GRU && op.integer("linear_before_reset") == 0) {
    phases = {{{0, 1}}, {{2}}};
  } else {
    phases = {{}};
    for (int64_t g = 0; g < sizes.gates; ++g) phases[0].gates.push_back(g);
  }
  for (GatePhase& phase : phases) {
    const auto gates = static_cast<int64_t>(phase.gates.size());
    const Tile tile = chooseTile(gates, sizes.batch, sizes.hidden, lanes, target.machine);
    if (isFirst(phase)) rows = tile.rows;
    phase.vectors = tile.rows == rows ? tile.vectors : 1;
  }
  tiles = (sizes.batch + rows - 1) / rows;
}

int64_t RecurrentProblem::packedSize(const GatePhase& phase) const {
  return sizes.directions * blocks(phase) * sizes.hidden *
         static_cast<int64_t>(phase.gates.size()) * panel(phase);
}

/// The state times the weights: for each sequence, gate and vector a sum.
std::vector<kir::Var> StepWriter::products(const GatePhase& phase, const StepPlace& at,
                                           const Index& block) {
  const auto gates = static_cast<int64_t>(phase.gates.size());
  const int64_t vectors = gates * phase.vectors;
  const auto lanes = static_cast<int>(p_.lanes);
  // So many sums of a result that none waits for the one before.
  const int64_t split = std::clamp<int64_t>(
      machine_.chains(machine_.vectorBytes) / (at.rows * vectors), 1, s_.hidden);
  const bool second = !p_.isFirst(phase);
  const Buffer& state = second ? *m_.reset : *m_.h;
  const Buffer& weights = m_.weights[second && m_.weights.size() > 1 ? 1 : 0];
  const Index base = (at.direction * p_.blocks(phase) + block) * s_.hidden * vectors * p_.lanes;
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < split * at.rows * vectors; ++i)
    sums.push_back(b_.var("sum", b_.zero({p_.elem, lanes})));
  const auto step = [&](const Index& k, int64_t part) {
    std::vector<Value> h;
    for (int64_t r = 0; r < at.rows; ++r)
      h.push_back(b_.broadcast(state[at.stateRow(r) * s_.hidden + k], lanes));
    for (int64_t v = 0; v < vectors; ++v) {
      const Value w = b_.load(weights[base + (k * vectors + v) * p_.lanes], lanes);
      for (int64_t r = 0; r < at.rows; ++r) {
        const kir::Var& sum = sums[static_cast<size_t>((part * at.rows + r) * vectors + v)];
        sum.set(b_.fma(h[static_cast<size_t>(r)], w, sum));
      }
    }
  };
  const int64_t unroll = std::max<int64_t>(split, 2), whole = s_.hidden / unroll * unroll;
  b_.forLoop("k", 0, whole, unroll, [&](const Index& k) {
    for (int64_t u = 0; u < unroll; ++u) step(k + u, u % split);
  });
  for (int64_t k = whole; k < s_.hidden; ++k) step(k, (k - whole) % split);
  for (int64_t i = 0; i < at.rows * vectors; ++i)
    for (int64_t part = 1; part < split; ++part) {
      const auto first = static_cast<size_t>(i);
      sums[first].set(sums[first] + sums[static_cast<size_t>(part * at.rows * vectors + i)]);
    }
  return sums;
}

/// The gates of one sequence and one vector of units, which begins at `unit`.
void StepWriter::finishVector(const GatePhase& phase, const Cell& cell, const StepPlace& at,
                              int64_t r, const Index& unit, const std::vector<Value>& sums) {
  const int lanes = sums.front().lanes();
  const Index batch = at.batch + r, state = at.stateRow(r) * s_.hidden + unit;
  const Index gates = at.direction * s_.gates * s_.hidden + unit;
  const Index input = s_.inputRow(at.time, batch) * (s_.directions * s_.gates * s_.hidden) + gates;
  CellInputs in;
  for (size_t i = 0; i < phase.gates.size(); ++i) {
    const int64_t gate = phase.gates[i] * s_.hidden;
    in.input.push_back(b_.load((*m_.x)[input + gate], lanes));
    in.recurrent.push_back(m_.bias ? sums[i] + b_.load((*m_.bias)[gates + gate], lanes) : sums[i]);
  }
  const auto load = [&](const std::optional<Buffer>& buffer) {
    return b_.load((*buffer)[state], lanes);
  };
  in.h = load(m_.h);
  if (m_.c) in.c = load(m_.c);
  if (m_.peepholes)
    for (int64_t p = 0; p < 3; ++p)
      in.peepholes.push_back(
          b_.load((*m_.peepholes)[at.direction * 3 * s_.hidden + p * s_.hidden + unit], lanes));
  if (p_.hasTwoPhases() && p_.isFirst(phase)) {
    const auto [z, reset] = cell.resetState(in);
    b_.store((*m_.z)[state], z);
    b_.store((*m_.reset)[state], reset);
    return;
  }
  CellState next =
      p_.hasTwoPhases()
          ? CellState{cell.updatedState(load(m_.z), in.input[0], in.recurrent[0], *in.h),
                      std::nullopt}
          : cell.step(in);
  Value y = next.h;
  if (m_.lengths) { // behind the end of a sequence the state stays, and results are 0
    const Index length = b_.index(b_.load((*m_.lengths)[batch]), {0, s_.time});
    const Value active = b_.value(at.time < length);
    y = b_.select(active, y, kir::constantLike(y, 0.0));
    next.h = b_.select(active, next.h, *in.h);
    if (next.c) next.c = b_.select(active, *next.c, *in.c);
  }
  b_.store((*m_.y)[s_.resultRow(at.time, at.direction, batch) * s_.hidden + unit], y);
  b_.store((*m_.newH)[state], next.h);
  if (next.c) b_.store((*m_.newC)[state], *next.c);
}

void StepWriter::finishBlock(const GatePhase& phase, const StepPlace& at, const Index& first,
                             int64_t columns, const std::vector<kir::Var>& sums) {
  const size_t each = activationsOf(p_.op.kind());
  const auto withFunctions = [&](size_t direction) {
    const Cell cell(p_.op, b_, std::span(p_.functions).subspan(direction * each, each));
    for (int64_t r = 0; r < at.rows; ++r)
      for (int64_t v = 0; v * p_.lanes < columns; ++v) {
        const int lanes = static_cast<int>(std::min(p_.lanes, columns - v * p_.lanes));
        std::vector<Value> own;
        for (size_t g = 0; g < phase.gates.size(); ++g) {
          const auto gates = static_cast<int64_t>(phase.gates.size());
          const int64_t i = (r * gates + static_cast<int64_t>(g)) * phase.vectors + v;
          const Value sum = sums[static_cast<size_t>(i)];
          own.push_back(lanes < sum.lanes() ? b_.slice(sum, 0, lanes) : sum);
        }
        finishVector(phase, cell, at, r, first + v * p_.lanes, own);
      }
  };
  const auto same = [](const RecurrentActivation& a, const RecurrentActivation& b) {
    return a.form == b.form && a.kind == b.kind && a.attrs == b.attrs && a.alpha == b.alpha &&
           a.beta == b.beta;
  };
  const auto begin = p_.functions.begin(), middle = begin + static_cast<ptrdiff_t>(each);
  if (s_.directions == 1 || std::equal(begin, middle, middle, same)) return withFunctions(0);
  b_.ifElse(at.direction == 0, [&] { withFunctions(0); }, [&] { withFunctions(1); });
}

void StepWriter::block(const GatePhase& phase, const StepPlace& at, const Index& number) {
  const std::vector<kir::Var> sums = products(phase, at, number);
  const int64_t count = p_.blocks(phase), units = p_.panel(phase);
  const int64_t last = s_.hidden - (count - 1) * units;
  const auto finish = [&](int64_t some) { finishBlock(phase, at, number * units, some, sums); };
  if (last == units) return finish(units);
  b_.ifElse(number < count - 1, [&] { finish(units); }, [&] { finish(last); });
}

} // namespace enfold::lower
