// A step of a recurrence multiplies the state with the weights of all gates of some hidden units
// and applies the gates in registers. Weights are packed once: for each block of units the gates
// of all its units lie together, in the order of the products.
//
// Where a step has work enough to be shared, it is a kernel of its own, called for each step, whose
// parallel loop runs over blocks of units. Otherwise one kernel goes through all steps, and
// directions and sequences are what runs in parallel. The last gate of a gru that resets the state
// needs that of all units: a step is two phases.
#include "lower/recurrent/Recurrence.h"

#include "lower/Nest.h"
#include "lower/Scalars.h"
#include "lower/index/Indices.h"
#include "lower/recurrent/Steps.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Buffer;
using kir::Index;
using kir::Scalar;
using kir::Value;

using namespace recurrent;

/// Work of a step, in times of what it costs that threads share it, from which on they do.
constexpr double kWorthSharing = 4;
/// Share of the peak that products with a vector reach, which read each weight once.
constexpr double kReached = 0.5;

class Recurrence {
public:
  Recurrence(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), p_(op, lowering.target()), s_(p_.sizes), elem_(p_.elem) {}

  void lower();

private:
  bool isLSTM() const { return op_.kind() == OpKind::LSTM; }
  double stepFlops(const GatePhase& phase) const {
    return 2.0 * double(p_.states()) * double(s_.hidden) * double(phase.gates.size());
  }
  double weightBytes(const GatePhase& phase) const {
    return double(s_.directions * s_.hidden * s_.hidden) * double(phase.gates.size()) *
           double(kir::sizeInBytes(elem_));
  }

  template <typename T> BufferRef packed(const GatePhase& phase);
  BufferRef packedWhenRun(const GatePhase& phase);
  void pack();
  bool isWorthSharing() const;
  void lowerSteps();
  void lowerWhole();
  StepBuffers declare(kir::Builder& b, const GatePhase* phase, std::vector<BufferRef>& buffers);
  BufferRef initialState(size_t operand);
  BufferRef wantedState(size_t result);

  const Op& op_;
  Lowering& lowering_;
  RecurrentProblem p_;
  const RecurrentShape& s_;
  const Scalar elem_;
};

// ---- Weights ------------------------------------------------------------------------------------

/// [direction][block][k][gate][unit in the block], zero past the last unit.
template <typename T> BufferRef Recurrence::packed(const GatePhase& phase) {
  const auto write = [gates = phase.gates, s = s_, panel = p_.panel(phase),
                      blocks = p_.blocks(phase)](const Tensor& r, T* to, int64_t piece) {
    const int64_t direction = piece / blocks, first = piece % blocks * panel;
    to += piece * s.hidden * static_cast<int64_t>(gates.size()) * panel;
    for (int64_t k = 0; k < s.hidden; ++k)
      for (const int64_t gate : gates)
        for (int64_t j = 0; j < panel; ++j, ++to)
          if (const int64_t unit = first + j; unit < s.hidden)
            *to = static_cast<T>(
                r.asDouble(((direction * s.gates + gate) * s.hidden + unit) * s.hidden + k));
  };
  return lowering_.packed<T>(
      *op_.own(R)->constant(),
      fmt::format("recurrence {} {} {}", phase.gates.front(), phase.gates.size(), p_.panel(phase)),
      p_.packedSize(phase), write, s_.directions * p_.blocks(phase));
}

/// The same by a kernel, of weights that are not constant.
BufferRef Recurrence::packedWhenRun(const GatePhase& phase) {
  kir::Builder b("pack_recurrence");
  const Buffer src = b.input("r", elem_, op_.own(R)->type().numElements());
  const Buffer dst = b.output("packed", elem_, p_.packedSize(phase));
  const auto gates = static_cast<int64_t>(phase.gates.size());
  const int64_t width = p_.panel(phase), count = p_.blocks(phase);
  const int64_t extents[] = {s_.directions, count, s_.hidden};
  const std::string_view names[] = {"d", "block", "k"};
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    for (int64_t g = 0; g < gates; ++g) {
      const int64_t gate = phase.gates[static_cast<size_t>(g)];
      const Index to = (((at[0] * count + at[1]) * s_.hidden + at[2]) * gates + g) * width;
      b.forLoop("j", 0, width, [&](const Index& j) {
        const Index unit = at[1] * width + j;
        const kir::Var number = b.var("number", b.zero({elem_, 1}));
        b.ifThen(unit < s_.hidden, [&] {
          number.set(
              b.load(src[((at[0] * s_.gates + gate) * s_.hidden + unit) * s_.hidden + at[2]]));
        });
        b.store(dst[to + j], number);
      });
    }
  });
  const BufferRef to =
      lowering_.temporary(p_.packedSize(phase) * static_cast<int64_t>(kir::sizeInBytes(elem_)));
  lowering_.call(b.finish(), {lowering_.storage(op_.own(R)), to}, {.algorithm = "pack_recurrence"});
  return to;
}

void Recurrence::pack() {
  for (GatePhase& phase : p_.phases)
    phase.weights = !op_.own(R)->constant() ? packedWhenRun(phase)
                    : elem_ == Scalar::F32  ? packed<float>(phase)
                                            : packed<double>(phase);
}

// ---- Kernels ------------------------------------------------------------------------------------

BufferRef Recurrence::initialState(size_t operand) {
  if (op_.own(operand)) return lowering_.storage(op_.own(operand));
  const auto count = static_cast<size_t>(p_.states());
  return elem_ == Scalar::F32 ? lowering_.constant(std::vector<float>(count))
                              : lowering_.constant(std::vector<double>(count));
}

/// Where the last state is to be: the result, or memory that nothing reads.
BufferRef Recurrence::wantedState(size_t result) {
  if (result < op_.numResults()) return lowering_.storage(op_.result(result));
  return lowering_.temporary(p_.states() * static_cast<int64_t>(kir::sizeInBytes(elem_)));
}

/// Declares what kernels of one phase, or of all, read besides states: its buffers in this order.
StepBuffers Recurrence::declare(kir::Builder& b, const GatePhase* phase,
                                std::vector<BufferRef>& buffers) {
  StepBuffers m;
  const auto operand = [&](std::string name, size_t i, Scalar scalar) -> std::optional<Buffer> {
    if (!op_.own(i)) return std::nullopt;
    buffers.push_back(lowering_.storage(op_.own(i)));
    return b.input(std::move(name), scalar, op_.own(i)->type().numElements());
  };
  m.x = operand("x", X, elem_);
  for (const GatePhase& each : p_.phases)
    if (!phase || phase == &each) {
      m.weights.push_back(b.input("r", elem_, p_.packedSize(each)));
      buffers.push_back(each.weights);
    }
  m.bias = operand("b", B, elem_);
  m.lengths = operand("lengths", SequenceLens, Scalar::I32);
  if (isLSTM()) m.peepholes = operand("p", P, elem_);
  if (phase && !p_.isLast(*phase)) return m;
  m.y = b.output("y", elem_, op_.result()->type().numElements());
  buffers.push_back(lowering_.storage(op_.result()));
  return m;
}

bool Recurrence::isWorthSharing() const {
  const kir::Machine& machine = lowering_.target().machine;
  double cycles = 0;
  for (const GatePhase& phase : p_.phases) {
    const double flops = 2.0 * double(machine.lanes(elem_)) * machine.fma.of(machine.vectorBytes);
    const double bytes = weightBytes(phase);
    cycles += std::max(stepFlops(phase) / (kReached * flops),
                       bytes / machine.bytesPerCycle(static_cast<int64_t>(bytes)));
  }
  return cycles > kWorthSharing * machine.barrierCycles * double(p_.phases.size());
}

/// A call for each phase of each step. Which step it is a kernel reads from a table.
void Recurrence::lowerSteps() {
  const int64_t bytes = p_.states() * static_cast<int64_t>(kir::sizeInBytes(elem_));
  std::vector<int64_t> times;
  for (int64_t t = 0; t < s_.time; ++t)
    for (int64_t d = 0; d < s_.directions; ++d)
      times.push_back(s_.goesBackward(d) ? s_.time - 1 - t : t);
  const BufferRef table = lowering_.constant(std::move(times));
  const int64_t nextRow = s_.batchFirst ? s_.directions : 1;
  BufferRef z, reset;
  if (p_.hasTwoPhases()) z = lowering_.temporary(bytes), reset = lowering_.temporary(bytes);
  std::vector<size_t> kernels;
  std::vector<std::vector<BufferRef>> common;
  for (const GatePhase& phase : p_.phases) {
    kir::Builder b(fmt::format("{}_step", op_.info().name));
    std::vector<BufferRef> buffers;
    StepBuffers m = declare(b, &phase, buffers);
    const bool first = p_.isFirst(phase), last = p_.isLast(phase);
    if (p_.hasTwoPhases()) {
      m.z = first ? b.output("z", elem_, p_.states()) : b.input("z", elem_, p_.states());
      m.reset =
          first ? b.output("reset", elem_, p_.states()) : b.input("reset", elem_, p_.states());
      buffers.insert(buffers.end(), {z, reset});
    }
    m.times = b.input("times", Scalar::I64, s_.directions);
    m.h = b.input("h", elem_, p_.states());
    if (isLSTM()) m.c = b.input("c", elem_, p_.states());
    if (last) m.newH = b.output("new_h", elem_, p_.states());
    if (isLSTM()) m.newC = b.output("new_c", elem_, p_.states());
    StepWriter writer(b, p_, m, lowering_.target().machine);
    const int64_t extents[] = {s_.directions, p_.tiles, p_.blocks(phase)};
    const std::string_view names[] = {"d", "tile", "block"};
    b.parallelGrid(extents, names, [&](std::span<const Index> at) {
      const Index time = b.index(b.load((*m.times)[at[0]]), {0, s_.time - 1});
      const Index batch = at[1] * p_.rows;
      writer.forRows(at[1], [&](int64_t rows) {
        writer.block(phase, {at[0], time, batch, rows, s_.stateRow(at[0], batch), nextRow}, at[2]);
      });
    });
    kernels.push_back(lowering_.addKernel(b.finish()));
    common.push_back(std::move(buffers));
  }
  // States go back and forth between two places.
  std::vector<BufferRef> before = {initialState(InitialH)};
  if (isLSTM()) before.push_back(initialState(InitialC));
  std::vector<std::vector<BufferRef>> places(
      static_cast<size_t>(std::min<int64_t>(2, s_.time - 1)));
  for (auto& place : places)
    for (size_t i = 0; i < before.size(); ++i) place.push_back(lowering_.temporary(bytes));
  for (int64_t t = 0; t < s_.time; ++t) {
    std::vector<BufferRef> behind;
    for (size_t i = 0; i < before.size(); ++i)
      behind.push_back(t + 1 == s_.time ? wantedState(i + 1)
                                        : places[static_cast<size_t>(t % 2)][i]);
    for (size_t p = 0; p < p_.phases.size(); ++p) {
      std::vector<BufferRef> buffers = common[p];
      buffers.push_back(
          {table.buffer, table.offset + t * s_.directions * static_cast<int64_t>(sizeof(int64_t))});
      buffers.insert(buffers.end(), before.begin(), before.end());
      if (p + 1 == p_.phases.size()) buffers.insert(buffers.end(), behind.begin(), behind.end());
      lowering_.call(kernels[p], std::move(buffers),
                     {.algorithm = fmt::format("recurrence {}x{}", p_.rows, p_.phases[p].vectors),
                      .flops = stepFlops(p_.phases[p]),
                      .bytes = weightBytes(p_.phases[p])});
    }
    before = std::move(behind);
  }
}

/// One call: some sequences of one direction go through all steps, with their states in scratch.
void Recurrence::lowerWhole() {
  kir::Builder b(op_.info().name);
  std::vector<BufferRef> buffers;
  StepBuffers m = declare(b, nullptr, buffers);
  const auto state = [&](std::string name, const BufferRef& place, bool isResult) {
    buffers.push_back(place);
    return isResult ? b.output(std::move(name), elem_, p_.states())
                    : b.input(std::move(name), elem_, p_.states());
  };
  std::vector<Buffer> initial = {state("initial_h", initialState(InitialH), false)}, last;
  if (isLSTM()) initial.push_back(state("initial_c", initialState(InitialC), false));
  for (size_t i = 1; i < op_.numResults(); ++i)
    last.push_back(state(i == 1 ? "y_h" : "y_c", wantedState(i), true));
  const int64_t own = p_.rows * s_.hidden;
  m.h = b.scratch("h", elem_, own);
  m.newH = b.scratch("new_h", elem_, own);
  if (isLSTM()) m.newC = m.c = b.scratch("c", elem_, own); // each unit reads its own alone
  if (p_.hasTwoPhases()) {
    m.z = b.scratch("z", elem_, own);
    m.reset = b.scratch("reset", elem_, own);
  }
  const auto lanes = static_cast<int>(p_.lanes);
  const auto copy = [&](const Buffer& from, const Index& fromRow, const Buffer& to,
                        const Index& toRow) {
    forVectors(b, 0, s_.hidden, {lanes, lanes}, [&](const Index& i, int width) {
      b.store(to[toRow * s_.hidden + i], b.load(from[fromRow * s_.hidden + i], width));
    });
  };
  StepWriter writer(b, p_, m, lowering_.target().machine);
  const int64_t extents[] = {s_.directions, p_.tiles};
  const std::string_view names[] = {"d", "tile"};
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    const Index &direction = at[0], batch = at[1] * p_.rows;
    writer.forRows(at[1], [&](int64_t rows) {
      const std::vector<Buffer> own = isLSTM() ? std::vector{*m.h, *m.c} : std::vector{*m.h};
      const auto forStates = [&](std::span<const Buffer> outside, auto&& body) {
        for (size_t i = 0; i < outside.size(); ++i)
          for (int64_t r = 0; r < rows; ++r)
            body(own[i], Index(r), outside[i], s_.stateRow(direction, batch + r));
      };
      forStates(initial, [&](const Buffer& inside, const Index& row, const Buffer& outside,
                             const Index& outer) { copy(outside, outer, inside, row); });
      b.forLoop("t", 0, s_.time, [&](const Index& t) {
        Index time = s_.reverse ? s_.time - 1 - t : t;
        if (s_.directions == 2)
          time = b.index(b.select(b.value(direction == 0), b.value(t), b.value(s_.time - 1 - t)),
                         {0, s_.time - 1});
        for (const GatePhase& phase : p_.phases)
          b.forLoop("block", 0, p_.blocks(phase), [&](const Index& number) {
            writer.block(phase, {direction, time, batch, rows, 0, 1}, number);
          });
        for (int64_t r = 0; r < rows; ++r) copy(*m.newH, r, *m.h, r);
      });
      forStates(last, [&](const Buffer& inside, const Index& row, const Buffer& outside,
                          const Index& outer) { copy(inside, row, outside, outer); });
    });
  });
  double flops = 0, bytes = 0;
  for (const GatePhase& phase : p_.phases) {
    flops += double(s_.time) * stepFlops(phase);
    bytes += double(s_.time) * weightBytes(phase);
  }
  lowering_.call(b.finish(), std::move(buffers),
                 {.algorithm = fmt::format("recurrence_whole {}x{}", p_.rows, p_.phases[0].vectors),
                  .flops = flops,
                  .bytes = bytes});
}

void Recurrence::lower() {
  if (op_.own(SequenceLens))
    checkIndices(op_, op_.own(SequenceLens), std::vector{IndexRange{0, s_.time}}, lowering_);
  pack();
  if (s_.time == 1 || isWorthSharing())
    lowerSteps();
  else
    lowerWhole();
}

} // namespace

std::string refuseRecurrence(const Op& op, const kir::Target&) {
  const ElemType elem = op.result()->elem();
  if (elem != ElemType::F32 && elem != ElemType::F64) return "element type is not f32 or f64";
  if (op.own(W)) return "the products with the input are not apart";
  if (op.result()->type().numElements() == 0) return "no steps";
  if (!op.own(SequenceLens)) return "";
  const int64_t time = op.own(X)->shape()[op.integer("layout") != 0 ? 1 : 0];
  return indicesRefusal(op.own(SequenceLens), std::vector{IndexRange{0, time}});
}

void lowerRecurrence(const Op& op, Lowering& lowering) { Recurrence(op, lowering).lower(); }

} // namespace enfold::lower
