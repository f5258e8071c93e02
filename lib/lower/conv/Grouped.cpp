// Convolutions whose groups are as wide as or narrower than a block of channels and divide it:
// depthwise ones, of one channel a group, and those of ResNeXt and RegNet. A block of output
// channels needs the same block of the input only: for every channel of a group, the lanes of a
// pixel are replaced by that channel of their own group, and every tap of a pixel is one fused
// multiply-add. A pixel is loaded once for all taps of a row, whose weights stay in registers when
// they are few.
//
// Lanes past the last channel hold anything, but in groups of their own.
#include "lower/conv/Grouped.h"

#include "lower/Epilogue.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Taps of a row whose weights stay in registers, of 16 or of 32: with more, too few are left.
constexpr int64_t kFewTaps = 7;
/// Pixels of a tile at most. Of depthwise convolutions more gain nothing; of others, every pixel
/// more shares the weights and the shuffles.
constexpr int64_t kMaxDepthwisePixels = 8, kMaxPixels = 16;

class GroupedConv {
public:
  GroupedConv(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), p_(windowProblem(op)), width_(int(p_.cinPerGroup())),
        lanes_(lowering.target().lanes(kir::Scalar::F32)), blocks_((p_.cout + lanes_ - 1) / lanes_),
        fewTaps_(p_.kernel[2] <= kFewTaps), epilogue_(op, lowering) {}

  void lower();

private:
  BufferRef packedWeights() const;
  std::vector<float> packBias() const;
  void tile(int64_t begin, const Index& shift, int64_t pixels);
  void rowOfFewTaps(const Index& src, const Index& wei, int64_t begin, int64_t pixels);
  void rowOfTaps(const Index& src, const Index& wei, int64_t begin, int64_t pixels);
  void finish(const Index& pixel, int64_t pixels);
  Value load(const kir::Buffer& from, const Index& at) { return b_.load(from[at], lanes_); }
  Value channelOfGroup(const Value& pixel, int channel);
  void accumulate(int64_t pixel, const Value& value, const Value& weight);

  const Op& op_;
  Lowering& lowering_;
  const WindowProblem p_;
  const int width_; ///< channels of a group
  const int lanes_;
  const int64_t blocks_;
  const bool fewTaps_;
  Epilogue epilogue_;

  kir::Builder b_{"conv_grouped"};
  std::optional<kir::Buffer> src_, wei_, bia_, dst_;
  std::vector<kir::Var> accumulators_;
  // Of the iteration being written.
  Index n_ = 0, block_ = 0, od_ = 0, oh_ = 0;
};

/// [channel block][kd][kh] rows of [channel of a group][kw][lane], or [kw][channel of a
/// group][lane] for many taps.
BufferRef GroupedConv::packedWeights() const {
  const int64_t kw = p_.kernel[2], rows = p_.kernel[0] * p_.kernel[1];
  const auto pack = [=, cout = p_.cout, width = width_, lanes = lanes_,
                     fewTaps = fewTaps_](const Tensor& weights, float* to, int64_t) {
    const float* data = weights.data<float>();
    for (int64_t k = 0; k < cout; ++k)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t c = 0; c < width; ++c)
          for (int64_t x = 0; x < kw; ++x) {
            const int64_t inRow = fewTaps ? c * kw + x : x * width + c;
            const int64_t vector = (k / lanes * rows + row) * width * kw + inRow;
            to[vector * lanes + k % lanes] = data[((k * width + c) * rows + row) * kw + x];
          }
  };
  return lowering_.packed<float>(*op_.own(1)->constant(), "grouped",
                                 blocks_ * p_.taps() * width_ * lanes_, pack);
}

std::vector<float> GroupedConv::packBias() const {
  std::vector<float> packed(static_cast<size_t>(blocks_ * lanes_));
  std::copy_n(op_.own(2)->constant()->data<float>(), p_.cout, packed.begin());
  return packed;
}

void GroupedConv::lower() {
  const Type& type = op_.result()->type();
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0)), packedWeights()};
  src_ = b_.input("src", kir::Scalar::F32, op_.own(0)->type().numBytes() / 4);
  wei_ = b_.input("wei", kir::Scalar::F32, blocks_ * p_.taps() * width_ * lanes_);
  if (op_.own(2)) {
    bia_ = b_.input("bia", kir::Scalar::F32, blocks_ * lanes_);
    buffers.push_back(lowering_.constant(packBias()));
  }
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers);
  dst_ = b_.output("dst", kir::Scalar::F32, type.numBytes() / 4);
  buffers.push_back(lowering_.storage(op_.result()));

  // Accumulators beside the weights, a pixel, one channel of it and what the scheduler takes.
  const int64_t held = (fewTaps_ ? p_.kernel[2] : 1) + 3;
  const int64_t most = width_ == 1 ? kMaxDepthwisePixels : kMaxPixels;
  const int64_t pixels =
      std::clamp<int64_t>(lowering_.target().machine.vectorRegisters - held, 1, most);
  const int64_t extents[] = {p_.batch, blocks_, p_.out[0], p_.out[1]};
  const std::string_view names[] = {"n", "cb", "od", "oh"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    n_ = at[0], block_ = at[1], od_ = at[2], oh_ = at[3];
    for (const TileRun& run : tileRow(p_, pixels))
      b_.forLoop("tile", 0, run.count,
                 [&](const Index& t) { tile(run.begin, t * run.pixels, run.pixels); });
  });
  const double elements = static_cast<double>(type.numElements());
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = fmt::format("{} {}", width_ == 1 ? "conv_depthwise" : "conv_grouped", pixels),
       .flops = p_.flops() + elements * epilogue_.flopsPerElement()});
}

/// Pixels [begin + shift, begin + shift + pixels) of a row. Which taps are inside the input depends
/// on `begin` alone.
void GroupedConv::tile(int64_t begin, const Index& shift, int64_t pixels) {
  accumulators_.clear();
  for (int64_t i = 0; i < pixels; ++i)
    accumulators_.push_back(b_.var("acc", b_.zero(kir::f32(lanes_))));
  const TapRange depth = tapsInside(p_, 0, od_), height = tapsInside(p_, 1, oh_);
  b_.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
    b_.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
      const Index id = od_ * p_.strides[0] - p_.padsBegin[0] + kd * p_.dilations[0];
      const Index ih = oh_ * p_.strides[1] - p_.padsBegin[1] + kh * p_.dilations[1];
      const Index iw = shift * p_.strides[2] + p_.inputAt(2, begin, 0);
      const Index line = ((n_ * blocks_ + block_) * p_.in[0] + id) * p_.in[1] + ih;
      const Index src = (line * p_.in[2] + iw) * lanes_;
      const Index wei =
          ((block_ * p_.kernel[0] + kd) * p_.kernel[1] + kh) * (width_ * p_.kernel[2] * lanes_);
      fewTaps_ ? rowOfFewTaps(src, wei, begin, pixels) : rowOfTaps(src, wei, begin, pixels);
    });
  });
  finish((od_ * p_.out[1] + oh_) * p_.out[2] + begin + shift, pixels);
}

/// Every column of the input is loaded once for all taps of the row.
void GroupedConv::rowOfFewTaps(const Index& src, const Index& wei, int64_t begin, int64_t pixels) {
  const int64_t kw = p_.kernel[2];
  for (int c = 0; c < width_; ++c) {
    if (c > 0) b_.barrier(); // each channel loads the pixels anew: registers cannot hold them
    std::vector<Value> weights;
    for (int64_t x = 0; x < kw; ++x) weights.push_back(load(*wei_, wei + (c * kw + x) * lanes_));
    for (const TileColumn& column : tileColumns(p_, begin, pixels)) {
      const Value v = channelOfGroup(load(*src_, src + column.at * lanes_), c);
      for (const auto& [pixel, tap] : column.uses)
        accumulate(pixel, v, weights[static_cast<size_t>(tap)]);
    }
  }
}

void GroupedConv::rowOfTaps(const Index& src, const Index& wei, int64_t begin, int64_t pixels) {
  for (const TapRun& run : tapRuns(p_, begin, pixels))
    b_.forLoop("x", run.lo, run.hi, [&](const Index& x) {
      for (int c = 0; c < width_; ++c) {
        const Value weight = load(*wei_, wei + (x * width_ + c) * lanes_);
        for (int64_t i = 0; i < pixels; ++i) {
          if (!tapInside(p_, begin + i, run.lo)) continue;
          const Index column = x * p_.dilations[2] + i * p_.strides[2];
          accumulate(i, channelOfGroup(load(*src_, src + column * lanes_), c), weight);
        }
      }
    });
}

/// Every lane holds that channel of the group it belongs to.
Value GroupedConv::channelOfGroup(const Value& pixel, int channel) {
  if (width_ == 1) return pixel;
  std::vector<int> mask;
  for (int lane = 0; lane < lanes_; ++lane) mask.push_back(lane / width_ * width_ + channel);
  return b_.shuffle(pixel, pixel, mask);
}

void GroupedConv::accumulate(int64_t pixel, const Value& value, const Value& weight) {
  kir::Var& sum = accumulators_[static_cast<size_t>(pixel)];
  sum.set(b_.fma(value, weight, sum));
}

/// Pixels of the result from `first` on.
void GroupedConv::finish(const Index& first, int64_t pixels) {
  std::optional<Value> bias;
  if (bia_) bias = load(*bia_, block_ * lanes_);
  for (int64_t i = 0; i < pixels; ++i) {
    const Value sum = accumulators_[static_cast<size_t>(i)];
    const auto at = blockedCoordinates(op_.result()->type(), n_, block_, first + i);
    const Value value = epilogue_.apply(b_, bias ? sum + *bias : sum, at);
    b_.store((*dst_)[((n_ * blocks_ + block_) * p_.outPixels() + first + i) * lanes_], value);
  }
}

} // namespace

std::string refuseConvGrouped(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (x.elem != ElemType::F32) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(1)->type().numElements() == 0) return "nothing to multiply";
  if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  const int block = target.lanes(kir::Scalar::F32);
  if (x.layout.block != block || y.layout != x.layout) return "not channel-blocked";
  const WindowProblem p = windowProblem(op);
  const int64_t width = p.cinPerGroup();
  if (p.cout != p.cin) return "groups of unequal channels";
  if (width != 1 && (width >= block || block % width != 0 || p.groups == 1))
    return "groups that do not divide a block";
  return epilogueRefusal(op);
}

void lowerConvGrouped(const Op& op, Lowering& lowering) { GroupedConv(op, lowering).lower(); }

} // namespace enfold::lower
