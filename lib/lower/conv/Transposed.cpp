// Transposed convolution: any window, stride, dilation, padding, group and rank up to 3; input
// blocked, or plain with few channels; output blocked. No output is written twice: each is gathered
// from the inputs that reach it. An output row is computed phase by phase along the width, where it
// is a direct convolution of stride 1 with every stride-th tap; along depth and height the loops
// over taps step by the stride. The register tile is that of conv/Direct.cpp.
#include "lower/conv/Transposed.h"

#include "ir/Products.h"
#include "lower/FetchAhead.h"
#include "lower/Layouts.h"
#include "lower/Scalars.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/FloatWeights.h"
#include "lower/conv/IterationOrder.h"
#include "lower/conv/Phases.h"
#include "lower/conv/Schedule.h"
#include "lower/conv/TapRow.h"
#include "lower/conv/Winograd.h"
#include "lower/window/Tiles.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// The best tile for wide rows that adds up sums in the order of `own`, which is for this width.
ConvSchedule scheduleForAnyWidth(WindowProblem p, const ConvSchedule& own,
                                 const kir::Target& target) {
  constexpr int64_t kWide = 5040; // a multiple of the pixels of most tiles
  p.out[2] = kWide;
  for (const DirectCandidate& candidate : directCandidates(p, target)) {
    const ConvSchedule& schedule = candidate.parts.front().schedule;
    if (candidate.parts.size() == 1 && schedule.sharesPixels == own.sharesPixels) return schedule;
  }
  return own;
}

/// The schedule of the phase with the most taps; the others are narrower by a pixel at most.
ConvSchedule scheduleOf(const std::vector<Phase>& phases, const kir::Target& target) {
  WindowProblem p = phases.front().problem;
  for (const Phase& phase : phases)
    p.kernel[2] = std::max({p.kernel[2], phase.problem.kernel[2], int64_t{1}});
  ConvSchedule schedule = scheduleConv(p, target);
  if (p.anyWidth) return scheduleForAnyWidth(std::move(p), schedule, target);
  // Weights of a few blocks that do not stay in the second-level cache are read once for all rows.
  const kir::Machine& machine = target.machine;
  const int64_t lanes = target.lanes(kir::Scalar::F32);
  int64_t taps = 0;
  for (const Phase& phase : phases) taps += phase.problem.taps();
  const int64_t bytes = 4 * schedule.blocks * lanes * p.cinPerGroup() * taps;
  const int64_t others =
      p.batch * p.groups * p.out[0] * (ceilDiv(p.coutPerGroup(), lanes) / schedule.blocks);
  if (bytes > machine.l2.share() / 2 && others % machine.threads == 0) schedule.rows = p.out[1];
  return schedule;
}

class TransposedConv {
public:
  TransposedConv(const Op& op, const GroupRun& run, Lowering& lowering)
      : op_(op), lowering_(lowering), lanes_(op.result()->type().layout.block), run_(run),
        p_(run_.problem), phases_(phasesOf(p_)),
        schedule_(scheduleOf(phases_, lowering.target().withLanes(int(lanes_)))),
        input_(op.own(0)->type(), run_), result_(op, lowering),
        channelBlocks_((p_.coutPerGroup() + lanes_ - 1) / lanes_),
        vectors_(schedule_.blocks * lanes_) {
    for (const Phase& phase : phases_) widthTaps_ += phase.problem.kernel[2];
  }

  void lower();

private:
  /// A row of the result and the group of output channel blocks that is computed.
  struct Row {
    Index image, group, block; ///< block: among those of the run
    Index od, oh;
    Index number; ///< among the rows of the iteration that the same taps reach
  };
  /// Those of its pixels that are of one phase.
  struct PartOfRow {
    const Phase& phase;
    int64_t weights; ///< where those of the phase begin, among those of the blocks
    int64_t tiles;
  };
  /// Pixels [begin + shift, begin + shift + pixels) of the phase.
  struct Tile {
    int64_t begin;
    Index shift;
    int64_t pixels;
    Index number; ///< among the tiles of the iteration that the same taps reach
  };

  /// Weights of a block of output channels, for one tap of the width.
  int64_t weightsPerTap() const {
    return input_.blocks * p_.kernel[0] * p_.kernel[1] * input_.step * lanes_;
  }
  int64_t weightsPerBlock() const { return weightsPerTap() * widthTaps_; }
  BufferRef packedWeights() const;
  /// Rows of an iteration that the same taps reach, at most.
  int64_t rowsOfResidue() const {
    return (std::min(schedule_.rows, p_.out[1]) + p_.strides[1] - 1) / p_.strides[1];
  }
  void row(const Row& row);
  void tile(const Row& row, const PartOfRow& part, const Tile& tile);
  void taps(const Row& row, const PartOfRow& part, const Tile& tile, std::vector<kir::Var>& sums);
  void finish(const Row& row, const PartOfRow& part, const Tile& tile,
              const std::vector<kir::Var>& sums);

  const Op& op_;
  Lowering& lowering_;
  const int64_t lanes_;
  const GroupRun run_;
  const WindowProblem& p_; ///< of the run
  const std::vector<Phase> phases_;
  const ConvSchedule schedule_;
  const ConvInput input_;
  ConvResult result_;
  const int64_t channelBlocks_; ///< of output, per group
  const int64_t vectors_;       ///< output channels of a tile
  int64_t widthTaps_ = 0;       ///< of all phases

  kir::Builder b_{"conv_transposed"};
  std::optional<kir::Buffer> src_, wei_;
};

/// [group][block group][phase][input block][kd][kh][a row as TapRow reads it][block][lane]
BufferRef TransposedConv::packedWeights() const {
  const int64_t kw = p_.kernel[2], outer = p_.kernel[0] * p_.kernel[1];
  const int64_t step = input_.step, blocks = input_.blocks, vectors = vectors_;
  const auto pack = [=, run = run_, phases = phases_, schedule = schedule_](const Tensor& weights,
                                                                            float* to, int64_t) {
    const FloatWeights values(weights);
    const float* data = values.data();
    const int64_t cing = run.problem.cinPerGroup(), coutg = run.problem.coutPerGroup();
    const int64_t kown = coutg / run.merge;
    for (int64_t g = 0; g < run.problem.groups; ++g)
      for (int64_t first = 0; first < coutg; first += vectors)
        for (const Phase& phase : phases) {
          const auto order = TapRow::weightOrder(schedule, step, std::ssize(phase.taps));
          for (int64_t cb = 0; cb < blocks; ++cb)
            for (int64_t t = 0; t < outer; ++t)
              to = TapRow::packRow(run, order, 1, cb * step, first, vectors, to,
                                   [&](int64_t c, int64_t k, int64_t x) {
                                     const int64_t channel = run.firstInput() + g * cing + c;
                                     return data[((channel * kown + k % kown) * outer + t) * kw +
                                                 phase.taps[static_cast<size_t>(x)]];
                                   });
        }
  };
  return lowering_.packed<float>(*op_.own(1)->constant(),
                                 fmt::format("transposed {} {} {} {} {} {} {} {} {} {} {}",
                                             p_.groups, run_.first, run_.merge, vectors, step,
                                             schedule_.sharesPixels, p_.kernel, p_.strides,
                                             p_.dilations, p_.padsBegin, phases_.size()),
                                 p_.groups * channelBlocks_ * weightsPerBlock(), pack);
}

void TransposedConv::lower() {
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0)), packedWeights()};
  src_ = b_.input("src", *scalarOf(op_.own(0)->elem()), elementsOf(op_.own(0)->type()));
  wei_ = b_.input("wei", kir::Scalar::F32, p_.groups * channelBlocks_ * weightsPerBlock());
  result_.declare(b_, buffers, schedule_.pixels * schedule_.blocks);

  const int64_t pieces = (p_.out[1] + schedule_.rows - 1) / schedule_.rows;
  const ConvIterations iterations = {.rows = {p_.batch, p_.out[0], pieces},
                                     .rowNames = {"n", "od", "piece"},
                                     .groups = p_.groups,
                                     .blocks = channelBlocks_ / schedule_.blocks,
                                     .inputBytes = 4 * p_.batch * p_.cin * p_.inPixels(),
                                     .weightBytes =
                                         4 * p_.groups * channelBlocks_ * weightsPerBlock()};
  const auto iteration = [&](std::span<const Index> at, std::span<const Index> channels) {
    const Index rows = kir::looseNumber(b_, schedule_.rows), lo = at[2] * rows;
    const Index residues = kir::looseNumber(b_, std::min(p_.strides[1], schedule_.rows));
    // Rows that the same taps reach follow each other, so that their weights stay in the cache.
    b_.forLoop("residue", 0, residues, [&](const Index& residue) {
      b_.forLoop("oh", lo + residue, min(lo + rows, Index(p_.out[1])), p_.strides[1],
                 [&](const Index& oh) {
                   row({at[0], channels[0],
                        channels[0] * channelBlocks_ + channels[1] * schedule_.blocks, at[1], oh,
                        (oh - lo) / p_.strides[1]});
                 });
    });
  };
  parallelRows(b_, iterations, lowering_.target().machine, {2}, iteration);
  const double products = static_cast<double>(p_.batch * p_.inPixels() * p_.taps() * p_.cin) *
                          static_cast<double>(op_.own(1)->shape()[1]);
  const double share = static_cast<double>(p_.cout) / static_cast<double>(op_.result()->shape()[1]);
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = fmt::format("conv_transposed {}x{}", schedule_.pixels, schedule_.blocks),
       .flops = 2 * products + share * result_.flops()});
}

void TransposedConv::row(const Row& row) {
  int64_t weights = 0;
  for (const Phase& phase : phases_) {
    const int64_t pixels =
        p_.anyWidth ? tileForAnyWidth(phase.problem, schedule_.pixels) : schedule_.pixels;
    const std::vector<TileRun> runs = tileRow(phase.problem, pixels);
    PartOfRow part{phase, weights, 0};
    for (const TileRun& run : runs) part.tiles += run.count;
    int64_t before = 0;
    for (const TileRun& run : runs) {
      b_.forLoop("tile", 0, run.bound(b_), [&](const Index& t) {
        tile(row, part,
             {run.begin, run.shift(b_, t), run.pixels, row.number * part.tiles + before + t});
      });
      before += run.count;
    }
    weights += weightsPerTap() * phase.problem.kernel[2] * schedule_.blocks;
  }
}

void TransposedConv::tile(const Row& row, const PartOfRow& part, const Tile& tile) {
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < tile.pixels * schedule_.blocks; ++i)
    sums.push_back(b_.var("acc", b_.zero(kir::f32(int(lanes_)))));
  if (part.phase.problem.kernel[2] > 0) taps(row, part, tile, sums);
  finish(row, part, tile, sums);
}

void TransposedConv::taps(const Row& row, const PartOfRow& part, const Tile& tile,
                          std::vector<kir::Var>& sums) {
  const WindowProblem& p = part.phase.problem;
  const ReachingTaps depth = tapsReaching(p_, 0, row.od), height = tapsReaching(p_, 1, row.oh);
  const int64_t rowWeights = input_.step * p.kernel[2] * vectors_;
  const Index column = (tile.begin + tile.shift - p.padsBegin[2]) * input_.pixel[2];
  const Index weights = row.block * weightsPerBlock() + part.weights;
  const auto block = [&](const Index& cb, int64_t count) {
    b_.forLoop("jd", depth.lo, depth.hi, [&](const Index& jd) {
      b_.forLoop("jh", height.lo, height.hi, [&](const Index& jh) {
        const Index id = depth.firstInput - jd * depth.inputStep;
        const Index ih = height.firstInput - jh * height.inputStep;
        const Index kd = depth.firstTap + jd * depth.tapStep;
        const Index kh = height.firstTap + jh * height.tapStep;
        const Index src = input_.at(row.image, row.group, cb) + column + id * input_.pixel[0] +
                          ih * input_.pixel[1];
        const Index wei = weights + ((cb * p_.kernel[0] + kd) * p_.kernel[1] + kh) * rowWeights;
        // The next group of output channels reads the same row of its own weights.
        if (channelBlocks_ > schedule_.blocks)
          fetchShare(b_, (*wei_)[wei + schedule_.blocks * weightsPerBlock()], rowWeights,
                     tile.number, part.tiles * rowsOfResidue());
        TapRow(b_, p, schedule_, lanes_, run_.merge > 1)
            .reduce({*src_, src, input_.channel, input_.pixel[2]}, {*wei_, wei, input_.step}, count,
                    tile.begin, tile.pixels, sums);
      });
    });
  };
  // Lanes past the last channel hold anything, so a ragged last block is shorter.
  const int64_t rest = p_.cinPerGroup() % input_.step, whole = p_.cinPerGroup() / input_.step;
  b_.forLoop("cb", 0, whole, [&](const Index& cb) { block(cb, input_.step); });
  if (rest) block(whole, rest);
}

void TransposedConv::finish(const Row& row, const PartOfRow& part, const Tile& tile,
                            const std::vector<kir::Var>& sums) {
  const Index block = run_.firstOutput() / lanes_ + row.block;
  const Index column = (tile.begin + tile.shift) * p_.strides[2] + part.phase.residue;
  const Index pixel = (row.od * p_.out[1] + row.oh) * p_.out[2] + column;
  result_.store(b_, sums, {row.image, block, pixel, schedule_.blocks, p_.strides[2]});
}

} // namespace

std::string refuseConvTransposed(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!sumsInF32(op)) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (y.numElements() == 0) return "the result is empty";
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  if (!isVector(y.layout, target)) return "result is not channel-blocked";
  if (!x.layout.isPlain() && !isVector(x.layout, target)) return "operand is blocked otherwise";
  if (x.layout.isPlain() && x.shape[1] > kMaxPlainChannels) return "plain input with many channels";
  return epilogueRefusal(op);
}

double transposedCycles(const Op& op, const kir::Target& target) {
  const kir::Target narrowed = target.withLanes(op.result()->type().layout.block);
  double cycles = 0;
  for (const GroupRun& run : mergedGroups(windowProblem(op), op))
    for (const Phase& phase : phasesOf(run.problem)) {
      // Only every stride-th row of taps reaches a row, from inside the input for the most part.
      const WindowProblem::Spatial& strides = run.problem.strides;
      WindowProblem rows = phase.problem;
      for (size_t d = 0; d < 2; ++d) {
        rows.in[d] = rows.out[d] + rows.kernel[d] - 1;
        rows.padsBegin[d] = 0;
        rows.dilations[d] = 1;
      }
      if (rows.kernel[2] > 0)
        cycles += directCandidates(rows, narrowed).front().cycles /
                  static_cast<double>(strides[0] * strides[1]);
    }
  return cycles;
}

void lowerConvTransposed(const Op& op, Lowering& lowering) {
  const ConvChoice choice = chooseConv(op, lowering.target());
  if (const auto* winograd = std::get_if<WinogradCandidate>(&choice.chosen.how)) {
    lowerConvWinograd(op, *winograd, choice.secondChoice, lowering);
    return;
  }
  for (const GroupRun& run : mergedGroups(windowProblem(op), op))
    TransposedConv(op, run, lowering).lower();
}

} // namespace enfold::lower
