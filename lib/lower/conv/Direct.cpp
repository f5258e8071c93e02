// Direct convolution: any window, stride, dilation, padding, group and rank up to 3; input blocked,
// or plain with few channels; output blocked. Groups whose channels do not fill whole blocks are
// merged until they do, without products between channels of different groups.
//
// A register tile of P pixels by B channel blocks is accumulated over all taps and input channels:
// for every input channel and tap, B weight vectors are loaded and P pixels broadcast for P*B fused
// multiply-adds (TapRow). Weights are packed in the order they are read. The loop nest and its
// register blocking follow Georganas et al., "Anatomy of High-Performance Deep Learning
// Convolutions on SIMD Architectures" (SC 2018), section II.
#include "lower/conv/Direct.h"

#include "lower/Epilogue.h"
#include "lower/FetchAhead.h"
#include "lower/conv/Groups.h"
#include "lower/conv/TapRow.h"
#include "lower/conv/Ways.h"
#include "lower/movement/StridedCopy.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

class DirectConv {
public:
  /// `source` holds the input of the run's problem, which may have fewer pixels than that of the
  /// op, with the channels of all groups.
  DirectConv(const Op& op, const GroupRun& run, BufferRef source, const ConvPart& part,
             Lowering& lowering)
      : op_(op), lowering_(lowering), lanes_(lowering.target().lanes(kir::Scalar::F32)), run_(run),
        p_(run_.problem), source_(source), part_(part), schedule_(part.schedule),
        epilogue_(op, lowering), plainInput_(op.own(0)->type().layout.isPlain()) {
    channelBlocks_ = (p_.coutPerGroup() + lanes_ - 1) / lanes_;
    step_ = plainInput_ ? p_.cinPerGroup() : lanes_;
    inputBlocks_ = (p_.cinPerGroup() + step_ - 1) / step_;
    for (const TileRun& tiles : tileRow(p_, schedule_.pixels)) tilesInRow_ += tiles.count;
  }

  /// `next`: see CallFacts::runnerUp.
  void lower(std::string next);

private:
  BufferRef packedWeights() const;
  std::vector<float> packBias() const;
  void strides();
  void row(const Index& od, const Index& oh);
  void tile(const Index& od, const Index& oh, int64_t begin, const Index& shift, int64_t pixels);
  void taps(const Index& od, const Index& oh, int64_t begin, const Index& shift, int64_t pixels);
  void fetchAhead(const Index& rowOfWeights);
  void finish(const Index& od, const Index& oh, int64_t begin, const Index& shift, int64_t pixels);
  int64_t firstInput() const { return run_.first * (p_.cinPerGroup() / run_.merge); }
  /// Of the result.
  int64_t firstChannel() const { return run_.first * (p_.coutPerGroup() / run_.merge); }
  kir::Var& accumulator(int64_t pixel, int64_t block) {
    return accumulators_[static_cast<size_t>(pixel * schedule_.blocks + block)];
  }

  const Op& op_;
  Lowering& lowering_;
  const int64_t lanes_;
  const GroupRun run_;
  const WindowProblem& p_; ///< of the run
  const BufferRef source_;
  const ConvPart part_;
  const ConvSchedule schedule_;
  Epilogue epilogue_;
  const bool plainInput_;
  int64_t channelBlocks_; ///< of output, per group
  int64_t inputBlocks_;   ///< of input, per group
  int64_t step_;          ///< input channels in a block
  int64_t tilesInRow_ = 0;

  kir::Builder b_{"conv_direct"};
  std::optional<kir::Buffer> src_, wei_, bia_, dst_;
  std::vector<kir::Var> accumulators_;
  // Of the iteration being written.
  Index n_ = 0, group_ = 0;
  Index block_ = 0;                     ///< of output channels, among those of the part and group
  Index firstRow_ = 0, tileNumber_ = 0; ///< of the iteration, and among its tiles
  // Element strides of the input.
  int64_t strideN_ = 0, strideBlock_ = 0, strideC_ = 0;
  WindowProblem::Spatial strideX_{};
};

/// [group][block group][input block][kd][kh][a row as TapRow reads it][block][lane]
BufferRef DirectConv::packedWeights() const {
  const int64_t cing = p_.cinPerGroup(), coutg = p_.coutPerGroup(), taps = p_.taps();
  const int64_t kw = p_.kernel[2], outer = p_.kernel[0] * p_.kernel[1];
  const int64_t groups = p_.groups, inputBlocks = inputBlocks_, step = step_;
  const int64_t firstK = part_.firstBlock * lanes_, vectors = schedule_.blocks * lanes_;
  const int64_t endK = firstK + part_.numBlocks * lanes_, firstChannel = this->firstChannel();
  // Of the groups of the op itself.
  const int64_t cown = cing / run_.merge, kown = coutg / run_.merge;
  const bool merged = run_.merge > 1;
  const auto pack = [=, order = TapRow::weightOrder(schedule_, step_, kw)](const Tensor& weights,
                                                                           float* to, int64_t) {
    const float* data = weights.data<float>();
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t first = firstK; first < endK; first += vectors)
        for (int64_t cb = 0; cb < inputBlocks; ++cb)
          for (int64_t t = 0; t < outer; ++t)
            for (const auto& [channel, x] : order) {
              const int64_t c = cb * step + channel, ofGroup = c / cown * kown;
              const float* from = data + c % cown * taps + t * kw + x;
              const int64_t end = c < cing ? std::min(first + vectors, ofGroup + kown) : 0;
              if (merged) std::fill_n(to, vectors, TapRow::kOfOtherGroup);
              for (int64_t k = std::max(first, ofGroup); k < end; ++k)
                to[k - first] = from[(firstChannel + g * coutg + k) * cown * taps] + 0.0f;
              to += vectors;
            }
  };
  return lowering_.packed<float>(*op_.own(1)->constant(),
                                 fmt::format("direct {} {} {} {} {} {} {} {}", groups, run_.first,
                                             run_.merge, firstK, endK, vectors, step,
                                             schedule_.sharesPixels),
                                 groups * (endK - firstK) * inputBlocks * step * taps, pack);
}

std::vector<float> DirectConv::packBias() const {
  std::vector<float> packed(static_cast<size_t>(p_.groups * channelBlocks_ * lanes_));
  const float* bias = op_.own(2)->constant()->data<float>() + firstChannel();
  std::copy(bias, bias + p_.cout, packed.begin());
  return packed;
}

void DirectConv::strides() {
  const int64_t element = plainInput_ ? 1 : lanes_;
  strideX_ = {p_.in[1] * p_.in[2] * element, p_.in[2] * element, element};
  strideC_ = plainInput_ ? p_.inPixels() : 1;
  strideBlock_ = p_.inPixels() * step_;
  strideN_ = p_.inPixels() * storedChannels(op_.own(0)->type());
}

void DirectConv::lower(std::string next) {
  strides();
  const Type& y = op_.result()->type();
  std::vector<BufferRef> buffers = {source_, packedWeights()};
  src_ = b_.input("src", kir::Scalar::F32, p_.batch * strideN_);
  wei_ = b_.input("wei", kir::Scalar::F32,
                  p_.groups * part_.numBlocks * lanes_ * inputBlocks_ * step_ * p_.taps());
  if (op_.own(2)) {
    bia_ = b_.input("bia", kir::Scalar::F32, p_.groups * channelBlocks_ * lanes_);
    buffers.push_back(lowering_.constant(packBias()));
  }
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  dst_ = b_.output("dst", kir::Scalar::F32, y.numBytes() / 4);
  buffers.push_back(lowering_.storage(op_.result()));

  const int64_t blockGroups = part_.numBlocks / schedule_.blocks;
  const int64_t pieces = (p_.out[1] + schedule_.rows - 1) / schedule_.rows;
  const int64_t extents[] = {p_.batch, p_.out[0], pieces, p_.groups, blockGroups};
  const std::string_view names[] = {"n", "od", "piece", "g", "kb"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    n_ = at[0];
    group_ = at[3];
    block_ = at[4] * schedule_.blocks;
    firstRow_ = at[2] * schedule_.rows;
    b_.forLoop("oh", firstRow_, min(firstRow_ + schedule_.rows, Index(p_.out[1])),
               [&](const Index& oh) { row(at[1], oh); });
  });
  const auto elements = static_cast<double>(y.numElements());
  const double share = static_cast<double>(p_.cout * part_.numBlocks) /
                       static_cast<double>(op_.result()->shape()[1] * channelBlocks_);
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = fmt::format("conv_direct {}{}x{}", schedule_.sharesPixels ? "shared " : "",
                                schedule_.pixels, schedule_.blocks),
       .runnerUp = std::move(next),
       .flops = share * (windowProblem(op_).flops() + elements * epilogue_.flopsPerElement())});
}

void DirectConv::row(const Index& od, const Index& oh) {
  int64_t before = 0;
  for (const TileRun& run : tileRow(p_, schedule_.pixels)) {
    b_.forLoop("tile", 0, run.count, [&](const Index& t) {
      tileNumber_ = (oh - firstRow_) * tilesInRow_ + before + t;
      tile(od, oh, run.begin, t * run.pixels, run.pixels);
    });
    before += run.count;
  }
}

/// Pixels [begin + shift, begin + shift + pixels) of a row. Which taps are inside the input depends
/// on `begin` alone.
void DirectConv::tile(const Index& od, const Index& oh, int64_t begin, const Index& shift,
                      int64_t pixels) {
  accumulators_.clear();
  for (int64_t pixel = 0; pixel < pixels; ++pixel)
    for (int64_t block = 0; block < schedule_.blocks; ++block)
      accumulators_.push_back(b_.var("acc", b_.zero(kir::f32(int(lanes_)))));
  taps(od, oh, begin, shift, pixels);
  finish(od, oh, begin, shift, pixels);
}

void DirectConv::taps(const Index& od, const Index& oh, int64_t begin, const Index& shift,
                      int64_t pixels) {
  const int64_t kw = p_.kernel[2], vectors = schedule_.blocks * lanes_;
  const int64_t rowWeights = step_ * kw * vectors;
  const TapRange depth = tapsInside(p_, 0, od), height = tapsInside(p_, 1, oh);
  const Index source = n_ * strideN_ + firstInput() * p_.inPixels() +
                       group_ * (strideBlock_ * inputBlocks_) +
                       (od * p_.strides[0] - p_.padsBegin[0]) * strideX_[0] +
                       (oh * p_.strides[1] - p_.padsBegin[1]) * strideX_[1] +
                       ((begin + shift) * p_.strides[2] - p_.padsBegin[2]) * strideX_[2];
  const Index weights = (group_ * part_.numBlocks + block_) *
                        (inputBlocks_ * p_.kernel[0] * p_.kernel[1] * step_ * kw * lanes_);
  const auto block = [&](const Index& cb, int64_t count) {
    b_.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
      b_.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
        const Index src = source + cb * strideBlock_ + kd * (p_.dilations[0] * strideX_[0]) +
                          kh * (p_.dilations[1] * strideX_[1]);
        const Index wei = weights + ((cb * p_.kernel[0] + kd) * p_.kernel[1] + kh) * rowWeights;
        fetchAhead(wei);
        TapRow(b_, p_, schedule_, lanes_, run_.merge > 1)
            .reduce({*src_, src, strideC_, strideX_[2]}, {*wei_, wei, step_}, count, begin, pixels,
                    accumulators_);
      });
    });
  };
  // Lanes past the last channel hold anything, so a ragged last block is shorter.
  const int64_t rest = p_.cinPerGroup() % step_;
  const int64_t whole = p_.cinPerGroup() / step_;
  b_.forLoop("cb", 0, whole, [&](const Index& cb) { block(cb, step_); });
  if (rest) block(whole, rest);
}

/// While a group of output channels is computed, the weights of the next one come from memory into
/// the second-level cache, every tile fetching its share.
void DirectConv::fetchAhead(const Index& rowOfWeights) {
  const int64_t row = step_ * p_.kernel[2] * schedule_.blocks * lanes_;
  const int64_t group = row * inputBlocks_ * p_.kernel[0] * p_.kernel[1];
  if (part_.numBlocks == schedule_.blocks || 4 * group < kWorthFetching) return;
  fetchShare(b_, (*wei_)[rowOfWeights + group], row, tileNumber_,
             tilesInRow_ * std::min(schedule_.rows, p_.out[1]));
}

/// The bias comes last: begun with, a bias much larger than the products would round each of them.
void DirectConv::finish(const Index& od, const Index& oh, int64_t begin, const Index& shift,
                        int64_t pixels) {
  const int64_t blocksInAll = storedChannels(op_.result()->type()) / lanes_;
  for (int64_t block = 0; block < schedule_.blocks; ++block) {
    const Index ofRun = group_ * channelBlocks_ + part_.firstBlock + block_ + block;
    const Index kb = firstChannel() / lanes_ + ofRun;
    std::optional<Value> bias;
    if (bia_) bias = b_.load((*bia_)[ofRun * lanes_], int(lanes_));
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const Index ow = begin + shift + pixel;
      const Index linear = (od * p_.out[1] + oh) * p_.out[2] + ow;
      const std::vector<Index> at = blockedCoordinates(op_.result()->type(), n_, kb, linear);
      const Value sum = accumulator(pixel, block);
      const Value value = epilogue_.apply(b_, bias ? sum + *bias : sum, at);
      b_.store((*dst_)[((n_ * blocksInAll + kb) * p_.outPixels() + linear) * lanes_], value);
    }
  }
}

/// The pixels of the input that a window of one tap reads.
BufferRef copySamples(const Op& op, const WindowProblem& p, Lowering& lowering) {
  const int64_t lanes = lowering.target().lanes(kir::Scalar::F32);
  const Type& x = op.own(0)->type();
  const int64_t size = x.numBytes() / 4, planes = size / (p.inPixels() * lanes);
  const int64_t rows = p.out[1], columns = p.out[2];
  StridedCopy copy = {
      .elem = kir::Scalar::F32,
      .extents = {planes, p.out[0], rows, columns, lanes},
      .srcStrides = {p.inPixels() * lanes, p.strides[0] * p.in[1] * p.in[2] * lanes,
                     p.strides[1] * p.in[2] * lanes, p.strides[2] * lanes, 1},
      .dstStrides = {p.outPixels() * lanes, rows * columns * lanes, columns * lanes, lanes, 1},
      .srcSize = size,
      .dstSize = planes * p.outPixels() * lanes};
  const BufferRef samples = lowering.temporary(4 * copy.dstSize);
  lowering.call(stridedCopyKernel(std::move(copy), int(lanes)),
                {lowering.storage(op.own(0)), samples}, {.algorithm = "strided_copy"});
  return samples;
}

} // namespace

void lowerConvDirect(const Op& op, Lowering& lowering) {
  const int64_t lanes = lowering.target().lanes(kir::Scalar::F32);
  const BufferRef source =
      isSampled(op) ? copySamples(op, windowProblem(op), lowering) : lowering.storage(op.own(0));
  for (const GroupRun& run : mergedGroups(directProblem(op), lanes)) {
    const DirectWay way = chooseDirect(op, run.problem, lowering.target());
    const std::string next = runnerUp(op, lowering.target(), way.name());
    for (const ConvPart& part : way.parts) DirectConv(op, run, source, part, lowering).lower(next);
  }
}

} // namespace enfold::lower
