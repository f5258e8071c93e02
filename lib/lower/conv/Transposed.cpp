// Transposed convolution: any window, stride, dilation, padding, group and rank up to 3; input
// blocked, or plain with few channels; output blocked. No output is written twice: each is gathered
// from the inputs that reach it. An output row is computed phase by phase along the width, where it
// is a direct convolution of stride 1 with every stride-th tap; along depth and height the loops
// over taps step by the stride. The register tile is that of conv/Direct.cpp.
#include "lower/conv/Transposed.h"

#include "lower/Epilogue.h"
#include "lower/FetchAhead.h"
#include "lower/conv/Groups.h"
#include "lower/conv/Phases.h"
#include "lower/conv/Schedule.h"
#include "lower/conv/TapRow.h"
#include "lower/window/Tiles.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Plain inputs are read through this many channels at most; above, the blocked layout is better.
constexpr int64_t kMaxPlainChannels = 16;

/// The schedule of the phase with the most taps; the others are narrower by a pixel at most.
ConvSchedule scheduleOf(const std::vector<Phase>& phases, const kir::Target& target) {
  WindowProblem p = phases.front().problem;
  for (const Phase& phase : phases)
    p.kernel[2] = std::max({p.kernel[2], phase.problem.kernel[2], int64_t{1}});
  return scheduleConv(p, target);
}

class TransposedConv {
public:
  TransposedConv(const Op& op, const GroupRun& run, Lowering& lowering)
      : op_(op), lowering_(lowering), lanes_(lowering.target().lanes(kir::Scalar::F32)), run_(run),
        p_(run_.problem), phases_(phasesOf(p_)), schedule_(scheduleOf(phases_, lowering.target())),
        epilogue_(op, lowering), plainInput_(op.own(0)->type().layout.isPlain()),
        channelBlocks_((p_.coutPerGroup() + lanes_ - 1) / lanes_),
        step_(plainInput_ ? p_.cinPerGroup() : lanes_),
        inputBlocks_((p_.cinPerGroup() + step_ - 1) / step_), vectors_(schedule_.blocks * lanes_) {
    for (const Phase& phase : phases_) widthTaps_ += phase.problem.kernel[2];
    const int64_t element = plainInput_ ? 1 : lanes_;
    strideX_ = {p_.in[1] * p_.in[2] * element, p_.in[2] * element, element};
    strideC_ = plainInput_ ? p_.inPixels() : 1;
    strideBlock_ = p_.inPixels() * step_;
    strideN_ = p_.inPixels() * storedChannels(op.own(0)->type());
  }

  void lower();

private:
  /// Weights of a block of output channels, for one tap of the width.
  int64_t weightsPerTap() const {
    return inputBlocks_ * p_.kernel[0] * p_.kernel[1] * step_ * lanes_;
  }
  int64_t weightsPerBlock() const { return weightsPerTap() * widthTaps_; }
  BufferRef packedWeights() const;
  std::vector<float> packBias() const;
  int64_t firstInput() const { return run_.first * (p_.cinPerGroup() / run_.merge); }
  /// Of the result.
  int64_t firstChannel() const { return run_.first * (p_.coutPerGroup() / run_.merge); }
  /// Rows of an iteration that the same taps reach, at most.
  int64_t rowsOfResidue() const {
    return (std::min(schedule_.rows, p_.out[1]) + p_.strides[1] - 1) / p_.strides[1];
  }
  void row(const Index& od, const Index& oh);
  void tile(const TileRun& run, const Index& shift);
  void taps(const TileRun& run, const Index& shift);
  void finish(const TileRun& run, const Index& shift);
  kir::Var& accumulator(int64_t pixel, int64_t block) {
    return accumulators_[static_cast<size_t>(pixel * schedule_.blocks + block)];
  }

  const Op& op_;
  Lowering& lowering_;
  const int64_t lanes_;
  const GroupRun run_;
  const WindowProblem& p_; ///< of the run
  const std::vector<Phase> phases_;
  const ConvSchedule schedule_;
  Epilogue epilogue_;
  const bool plainInput_;
  const int64_t channelBlocks_; ///< of output, per group
  const int64_t step_;          ///< input channels in a block
  const int64_t inputBlocks_;   ///< of input, per group
  const int64_t vectors_;       ///< output channels of a tile
  int64_t widthTaps_ = 0;       ///< of all phases
  // Element strides of the input.
  int64_t strideN_ = 0, strideBlock_ = 0, strideC_ = 0;
  WindowProblem::Spatial strideX_{};

  kir::Builder b_{"conv_transposed"};
  std::optional<kir::Buffer> src_, wei_, bia_, dst_;
  std::vector<kir::Var> accumulators_;
  // Of the row being written; firstBlock_ counts output channel blocks over all groups.
  Index n_ = 0, group_ = 0, firstBlock_ = 0, od_ = 0, oh_ = 0;
  Index rowNumber_ = 0, tileNumber_ = 0; ///< among those that the same taps reach
  int64_t tilesInRow_ = 0;               ///< of the phase
  const Phase* phase_ = nullptr;
  int64_t phaseWeights_ = 0; ///< where those of the phase begin
};

/// [group][block group][phase][input block][kd][kh][a row as TapRow reads it][block][lane]
BufferRef TransposedConv::packedWeights() const {
  const int64_t cing = p_.cinPerGroup(), coutg = p_.coutPerGroup(), groups = p_.groups;
  const int64_t kw = p_.kernel[2], outer = p_.kernel[0] * p_.kernel[1];
  // Of the groups of the op itself.
  const int64_t cown = cing / run_.merge, kown = coutg / run_.merge;
  const auto pack = [=, phases = phases_, schedule = schedule_, step = step_, vectors = vectors_,
                     inputBlocks = inputBlocks_, merged = run_.merge > 1,
                     firstInput = firstInput()](const Tensor& weights, float* to, int64_t) {
    const float* data = weights.data<float>();
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t first = 0; first < coutg; first += vectors)
        for (const Phase& phase : phases) {
          const auto order = TapRow::weightOrder(schedule, step, std::ssize(phase.taps));
          for (int64_t cb = 0; cb < inputBlocks; ++cb)
            for (int64_t t = 0; t < outer; ++t)
              for (const auto& [channel, tap] : order) {
                const int64_t c = cb * step + channel, ofGroup = c / cown * kown;
                const int64_t x = phase.taps[static_cast<size_t>(tap)];
                const float* from =
                    data + (((firstInput + g * cing + c) * kown - ofGroup) * outer + t) * kw + x;
                const int64_t end = c < cing ? std::min(first + vectors, ofGroup + kown) : 0;
                if (merged) std::fill_n(to, vectors, TapRow::kOfOtherGroup);
                for (int64_t k = std::max(first, ofGroup); k < end; ++k)
                  to[k - first] = from[k * outer * kw] + 0.0f;
                to += vectors;
              }
        }
  };
  return lowering_.packed<float>(
      *op_.own(1)->constant(),
      fmt::format("transposed {} {} {} {} {} {} {} {} {}", groups, run_.first, run_.merge, vectors_,
                  step_, schedule_.sharesPixels, p_.strides, p_.dilations, p_.padsBegin),
      groups * channelBlocks_ * weightsPerBlock(), pack);
}

std::vector<float> TransposedConv::packBias() const {
  std::vector<float> packed(static_cast<size_t>(p_.groups * channelBlocks_ * lanes_));
  const float* bias = op_.own(2)->constant()->data<float>() + firstChannel();
  std::copy(bias, bias + p_.cout, packed.begin());
  return packed;
}

void TransposedConv::lower() {
  const Type &x = op_.own(0)->type(), &y = op_.result()->type();
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0)), packedWeights()};
  src_ = b_.input("src", kir::Scalar::F32, x.numBytes() / 4);
  wei_ = b_.input("wei", kir::Scalar::F32, p_.groups * channelBlocks_ * weightsPerBlock());
  if (op_.own(2)) {
    bia_ = b_.input("bia", kir::Scalar::F32, p_.groups * channelBlocks_ * lanes_);
    buffers.push_back(lowering_.constant(packBias()));
  }
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  dst_ = b_.output("dst", kir::Scalar::F32, y.numBytes() / 4);
  buffers.push_back(lowering_.storage(op_.result()));

  const int64_t pieces = (p_.out[1] + schedule_.rows - 1) / schedule_.rows;
  const int64_t extents[] = {p_.batch, p_.out[0], pieces, p_.groups,
                             channelBlocks_ / schedule_.blocks};
  const std::string_view names[] = {"n", "od", "piece", "g", "kb"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    n_ = at[0];
    group_ = at[3];
    firstBlock_ = at[3] * channelBlocks_ + at[4] * schedule_.blocks;
    const Index lo = at[2] * schedule_.rows;
    // Rows that the same taps reach follow each other, so that their weights stay in the cache.
    b_.forLoop("residue", 0, std::min(p_.strides[1], schedule_.rows), [&](const Index& residue) {
      b_.forLoop("oh", lo + residue, min(lo + schedule_.rows, Index(p_.out[1])), p_.strides[1],
                 [&](const Index& oh) {
                   rowNumber_ = (oh - lo) / p_.strides[1];
                   row(at[1], oh);
                 });
    });
  });
  const double elements = static_cast<double>(p_.batch * p_.cout * p_.outPixels());
  const double products = static_cast<double>(p_.batch * p_.inPixels() * p_.taps() * p_.cin) *
                          static_cast<double>(op_.own(1)->shape()[1]);
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = fmt::format("conv_transposed {}x{}", schedule_.pixels, schedule_.blocks),
       .flops = 2 * products + elements * epilogue_.flopsPerElement()});
}

void TransposedConv::row(const Index& od, const Index& oh) {
  od_ = od;
  oh_ = oh;
  phaseWeights_ = 0;
  for (const Phase& phase : phases_) {
    phase_ = &phase;
    const std::vector<TileRun> runs = tileRow(phase.problem, schedule_.pixels);
    tilesInRow_ = 0;
    for (const TileRun& run : runs) tilesInRow_ += run.count;
    int64_t before = 0;
    for (const TileRun& run : runs) {
      b_.forLoop("tile", 0, run.count, [&](const Index& t) {
        tileNumber_ = rowNumber_ * tilesInRow_ + before + t;
        tile(run, t * run.pixels);
      });
      before += run.count;
    }
    phaseWeights_ += weightsPerTap() * phase.problem.kernel[2] * schedule_.blocks;
  }
}

/// Pixels [begin + shift, begin + shift + pixels) of the phase's part of the row.
void TransposedConv::tile(const TileRun& run, const Index& shift) {
  accumulators_.clear();
  for (int64_t i = 0; i < run.pixels * schedule_.blocks; ++i)
    accumulators_.push_back(b_.var("acc", b_.zero(kir::f32(int(lanes_)))));
  if (phase_->problem.kernel[2] > 0) taps(run, shift);
  finish(run, shift);
}

void TransposedConv::taps(const TileRun& run, const Index& shift) {
  const ReachingTaps depth = tapsReaching(p_, 0, od_), height = tapsReaching(p_, 1, oh_);
  const int64_t rowWeights = step_ * phase_->problem.kernel[2] * vectors_;
  const Index image = n_ * strideN_ + firstInput() * p_.inPixels() +
                      group_ * (strideBlock_ * inputBlocks_) +
                      (run.begin + shift - phase_->problem.padsBegin[2]) * strideX_[2];
  const Index weights = firstBlock_ * weightsPerBlock() + phaseWeights_;
  const auto block = [&](const Index& cb, int64_t count) {
    b_.forLoop("jd", depth.lo, depth.hi, [&](const Index& jd) {
      b_.forLoop("jh", height.lo, height.hi, [&](const Index& jh) {
        const Index id = depth.firstInput - jd * depth.inputStep;
        const Index ih = height.firstInput - jh * height.inputStep;
        const Index kd = depth.firstTap + jd * depth.tapStep;
        const Index kh = height.firstTap + jh * height.tapStep;
        const Index src = image + cb * strideBlock_ + id * strideX_[0] + ih * strideX_[1];
        const Index wei = weights + ((cb * p_.kernel[0] + kd) * p_.kernel[1] + kh) * rowWeights;
        // The next group of output channels reads the same row of its own weights.
        if (channelBlocks_ > schedule_.blocks)
          fetchShare(b_, (*wei_)[wei + schedule_.blocks * weightsPerBlock()], rowWeights,
                     tileNumber_, tilesInRow_ * rowsOfResidue());
        TapRow(b_, phase_->problem, schedule_, lanes_, run_.merge > 1)
            .reduce({*src_, src, strideC_, strideX_[2]}, {*wei_, wei, step_}, count, run.begin,
                    run.pixels, accumulators_);
      });
    });
  };
  // Lanes past the last channel hold anything, so a ragged last block is shorter.
  const int64_t rest = p_.cinPerGroup() % step_, whole = p_.cinPerGroup() / step_;
  b_.forLoop("cb", 0, whole, [&](const Index& cb) { block(cb, step_); });
  if (rest) block(whole, rest);
}

/// The bias comes last: begun with, a bias much larger than the products would round each of them.
void TransposedConv::finish(const TileRun& run, const Index& shift) {
  const int64_t blocksInAll = storedChannels(op_.result()->type()) / lanes_;
  for (int64_t block = 0; block < schedule_.blocks; ++block) {
    const Index ofRun = firstBlock_ + block, kb = firstChannel() / lanes_ + ofRun;
    std::optional<Value> bias;
    if (bia_) bias = b_.load((*bia_)[ofRun * lanes_], int(lanes_));
    for (int64_t pixel = 0; pixel < run.pixels; ++pixel) {
      const Index ow = (run.begin + shift + pixel) * p_.strides[2] + phase_->residue;
      const Index linear = (od_ * p_.out[1] + oh_) * p_.out[2] + ow;
      const std::vector<Index> at = blockedCoordinates(op_.result()->type(), n_, kb, linear);
      const Value sum = accumulator(pixel, block);
      const Value value = epilogue_.apply(b_, bias ? sum + *bias : sum, at);
      const Index plane = (n_ * blocksInAll + kb) * p_.outPixels();
      b_.store((*dst_)[(plane + linear) * lanes_], value);
    }
  }
}

} // namespace

std::string refuseConvTransposed(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const int block = target.lanes(kir::Scalar::F32);
  if (x.elem != ElemType::F32) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (y.numElements() == 0) return "the result is empty";
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  if (y.layout.block != block) return "result is not channel-blocked";
  if (x.layout.isPlain() && x.shape[1] > kMaxPlainChannels) return "plain input with many channels";
  return epilogueRefusal(op);
}

void lowerConvTransposed(const Op& op, Lowering& lowering) {
  const int64_t lanes = lowering.target().lanes(kir::Scalar::F32);
  for (const GroupRun& run : mergedGroups(windowProblem(op), lanes))
    TransposedConv(op, run, lowering).lower();
}

} // namespace enfold::lower
