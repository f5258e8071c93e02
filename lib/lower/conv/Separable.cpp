// Depthwise-separable convolution: some rows of the depthwise convolution, of all channels, are
// computed into the thread's scratch, which stays in the cache, and a direct 1x1 convolution reads
// them there. Both compute and sum up as they would alone.
#include "lower/conv/Separable.h"

#include "ir/Products.h"
#include "kernel/LooseRanges.h"
#include "lower/Scalars.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/Conv.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/FloatWeights.h"
#include "lower/conv/Grouped.h"
#include "lower/conv/TapRow.h"
#include "lower/window/Tiles.h"

#include <fmt/format.h>

#include <utility>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr std::string_view kName = "conv_separable";
/// Pixels of a depthwise tile; and taps of a row, whose weights stay in registers.
constexpr int64_t kDepthwisePixels = 8, kMostTaps = 7;
/// The rows in scratch are this part of the second-level cache at most, so that the weights and the
/// rows of the input stay there as well.
constexpr int64_t kShareOfCache = 8;
/// Of the cycles of the pointwise convolution, what must be saved.
constexpr double kWorthIt = 0.03;

bool isF32(const Op& op) {
  return op.kind() == OpKind::Conv && op.own(0)->elem() == ElemType::F32 &&
         op.result()->elem() == ElemType::F32;
}

bool isOfFamily(const Op& op, const kir::Target& target) {
  const Family* family = familyFor(op, target);
  return family && family->lower == lowerConv;
}

/// So many pixels in a row, of a 1x1 window between all channels.
WindowProblem pixelsInRow(const WindowProblem& pointwise, int64_t pixels) {
  WindowProblem p;
  p.cin = pointwise.cin;
  p.cout = pointwise.cout;
  p.in = p.out = {1, 1, pixels};
  return p;
}

struct Schedule {
  int64_t rows; ///< that are in scratch
  DirectCandidate pointwise;
};

Schedule scheduleOf(const WindowProblem& depthwise, const WindowProblem& pointwise, int64_t lanes,
                    const kir::Target& narrowed) {
  const int64_t channels = ceilDiv(depthwise.cout, lanes) * lanes;
  const int64_t bytes = 4 * channels * depthwise.out[2];
  const int64_t rows =
      partsOfIteration(depthwise.out[1], kShareOfCache * bytes, depthwise.batch, narrowed.machine);
  const WindowProblem row = pixelsInRow(pointwise, rows * depthwise.out[2]);
  return {rows, directCandidates(row, narrowed).front()};
}

/// Whether the depthwise result, which is written and read, is worth being kept in the cache.
bool isWorthIt(const Op& depthwise, const Op& pointwise, const kir::Target& target) {
  const kir::Machine& machine = target.machine;
  const WindowProblem d = windowProblem(depthwise), p = windowProblem(pointwise);
  const int64_t lanes = depthwise.result()->type().layout.block;
  const kir::Target narrowed = target.withLanes(pointwise.result()->type().layout.block);
  const Schedule schedule = scheduleOf(d, p, lanes, narrowed);
  const double pieces = static_cast<double>(d.batch * ceilDiv(d.out[1], schedule.rows));
  const double apart = convCandidates(pointwise, target).front().cycles;
  const int64_t bytes = depthwise.result()->type().numBytes();
  const int64_t held = bytes + depthwise.own(0)->type().numBytes();
  const double saved =
      2 * static_cast<double>(bytes) *
      (1 / machine.bytesPerCycle(held / machine.threads) -
       1 / machine.bytesPerCycle(bytes / ceilDiv(d.batch * d.out[1], schedule.rows)));
  return saved > pieces * schedule.pointwise.cycles - apart + kWorthIt * apart;
}

class SeparableConv {
public:
  SeparableConv(const Op& depthwise, const Op& pointwise, Lowering& lowering)
      : depthwise_(depthwise), pointwise_(pointwise), lowering_(lowering),
        d_(windowProblem(depthwise)), p_(windowProblem(pointwise)),
        lanes_(depthwise.result()->type().layout.block), blocks_(ceilDiv(d_.cout, lanes_)),
        resultLanes_(pointwise.result()->type().layout.block),
        schedule_(scheduleOf(d_, p_, lanes_,
                             lowering.target().withLanes(static_cast<int>(resultLanes_)))),
        inner_(depthwise, lowering), result_(pointwise, lowering) {}

  void lower();

private:
  BufferRef depthwiseWeights() const;
  BufferRef pointwiseWeights(const ConvPart& part) const;
  void depthwiseRows(const Index& image, const Index& first, int64_t rows);
  void depthwiseTile(const Index& image, const Index& block, const Index& row, const Index& to,
                     const TileRun& run, const Index& shift);
  void pointwiseRows(const Index& image, const Index& first, int64_t rows);
  void pointwiseTile(const ConvPart& part, const kir::Buffer& weights, const Index& image,
                     const Index& block, const Index& firstPixel, const WindowProblem& row,
                     const TileRun& run, const Index& shift);

  const Op &depthwise_, &pointwise_;
  Lowering& lowering_;
  const WindowProblem d_, p_;
  const int64_t lanes_, blocks_; ///< of the depthwise convolution
  const int64_t resultLanes_;
  const Schedule schedule_;
  ConvResult inner_, result_;

  kir::Builder b_{std::string(kName)};
  std::optional<kir::Buffer> src_, depthwiseWeights_, rows_;
  std::vector<kir::Buffer> weights_; ///< of each part
};

/// [channel block][kh][kw][lane]
BufferRef SeparableConv::depthwiseWeights() const {
  const int64_t taps = d_.kernel[1] * d_.kernel[2];
  return lowering_.packed<float>(
      *depthwise_.own(1)->constant(), fmt::format("separable {}", lanes_), blocks_ * taps * lanes_,
      [=, channels = d_.cout, lanes = lanes_](const Tensor& weights, float* to, int64_t) {
        const FloatWeights values(weights);
        for (int64_t k = 0; k < channels; ++k)
          for (int64_t tap = 0; tap < taps; ++tap)
            to[(k / lanes * taps + tap) * lanes + k % lanes] = values.data()[k * taps + tap];
      });
}

/// [group of blocks][input block] rows as TapRow reads them.
BufferRef SeparableConv::pointwiseWeights(const ConvPart& part) const {
  const int64_t vectors = part.schedule.blocks * resultLanes_;
  const int64_t begin = part.firstBlock * resultLanes_;
  const int64_t end = begin + part.numBlocks * resultLanes_;
  const GroupRun run = {0, 1, pixelsInRow(p_, 1)};
  const std::string order = fmt::format("separable {} {} {} {}", begin, end, vectors, lanes_);
  return lowering_.packed<float>(
      *pointwise_.own(1)->constant(), order, (end - begin) * blocks_ * lanes_,
      [=, lanes = lanes_, blocks = blocks_, words = TapRow::weightOrder(part.schedule, lanes_, 1)](
          const Tensor& weights, float* to, int64_t) {
        const FloatWeights values(weights);
        const int64_t cin = run.problem.cin;
        for (int64_t first = begin; first < end; first += vectors)
          for (int64_t cb = 0; cb < blocks; ++cb)
            to = TapRow::packRow(
                run, words, 1, cb * lanes, first, vectors, to,
                [&](int64_t c, int64_t k, int64_t) { return values.data()[k * cin + c]; });
      });
}

void SeparableConv::lower() {
  std::vector<BufferRef> buffers = {lowering_.storage(depthwise_.own(0)), depthwiseWeights()};
  src_ = b_.input("src", kir::Scalar::F32, elementsOf(depthwise_.own(0)->type()));
  depthwiseWeights_ =
      b_.input("wd", kir::Scalar::F32, blocks_ * d_.kernel[1] * d_.kernel[2] * lanes_);
  int64_t vectors = 0;
  for (const ConvPart& part : schedule_.pointwise.parts) {
    buffers.push_back(pointwiseWeights(part));
    weights_.push_back(
        b_.input("wp", kir::Scalar::F32, part.numBlocks * resultLanes_ * blocks_ * lanes_));
    vectors = std::max(vectors, part.schedule.pixels * part.schedule.blocks);
  }
  inner_.declareOperands(b_, buffers);
  result_.declare(b_, buffers, vectors);
  rows_ = b_.scratch("rows", kir::Scalar::F32, blocks_ * schedule_.rows * d_.out[2] * lanes_);

  const int64_t rows = schedule_.rows, rest = d_.out[1] % rows;
  const int64_t extents[] = {d_.batch, ceilDiv(d_.out[1], rows)};
  const std::string_view names[] = {"n", "piece"};
  b_.parallelGrid(extents, names, [&](std::span<const Index> at) {
    const Index first = at[1] * rows;
    const auto piece = [&](int64_t count) {
      depthwiseRows(at[0], first, count);
      pointwiseRows(at[0], first, count);
    };
    if (rest == 0) return piece(rows);
    b_.ifElse(first + rows <= Index(d_.out[1]), [&] { piece(rows); }, [&] { piece(rest); });
  });
  lowering_.call(b_.finish(), std::move(buffers),
                 {.algorithm = fmt::format("{} {}", kName, schedule_.pointwise.name()),
                  .flops = d_.flops() + p_.flops() + inner_.flops() + result_.flops(),
                  .within = &depthwise_});
}

/// [channel block][row][pixel][lane] of scratch.
void SeparableConv::depthwiseRows(const Index& image, const Index& first, int64_t rows) {
  b_.forLoop("cb", 0, blocks_, [&](const Index& block) {
    b_.forLoop("row", 0, rows, [&](const Index& row) {
      const Index to = (block * rows + row) * d_.out[2];
      for (const TileRun& run : tileRow(d_, kDepthwisePixels))
        b_.forLoop("tile", 0, run.count, [&](const Index& t) {
          depthwiseTile(image, block, first + row, to, run, run.shift(b_, t));
        });
    });
  });
}

void SeparableConv::depthwiseTile(const Index& image, const Index& block, const Index& row,
                                  const Index& to, const TileRun& run, const Index& shift) {
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < run.pixels; ++i)
    sums.push_back(b_.var("acc", b_.zero(kir::f32(static_cast<int>(lanes_)))));
  const TapRange height = tapsInside(d_, 1, row);
  const int64_t kw = d_.kernel[2];
  b_.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
    const Index ih = row * d_.strides[1] - d_.padsBegin[1] + kh * d_.dilations[1];
    const Index iw = shift * d_.strides[2] + d_.inputAt(2, run.begin, 0);
    const Index src = (((image * blocks_ + block) * d_.in[1] + ih) * d_.in[2] + iw) * lanes_;
    const Index vector = (block * d_.kernel[1] + kh) * kw;
    std::vector<Value> weights;
    for (int64_t x = 0; x < kw; ++x)
      weights.push_back(b_.load((*depthwiseWeights_)[(vector + x) * lanes_], int(lanes_)));
    for (const TileColumn& column : tileColumns(d_, run.begin, run.pixels)) {
      const Value v = b_.load((*src_)[src + column.at * lanes_], int(lanes_));
      for (const auto& [pixel, tap] : column.uses) {
        kir::Var& sum = sums[static_cast<size_t>(pixel)];
        sum.set(b_.fma(v, weights[static_cast<size_t>(tap)], sum));
      }
    }
  });
  const std::optional<Value> bias = inner_.bias(b_, block);
  const auto finish = [&](const Value& sum, const Index& pixel) {
    b_.store((*rows_)[(to + pixel) * lanes_],
             inner_.finished(b_, sum, bias, image, block, row * d_.out[2] + pixel));
  };
  const Index first = run.begin + shift;
  if (!inner_.isLong()) {
    for (int64_t i = 0; i < run.pixels; ++i) finish(sums[static_cast<size_t>(i)], first + i);
    return;
  }
  for (int64_t i = 0; i < run.pixels; ++i)
    b_.store((*rows_)[(to + first + i) * lanes_], sums[static_cast<size_t>(i)]);
  b_.forLoop("pixel", first, first + run.pixels, [&](const Index& pixel) {
    finish(b_.load((*rows_)[(to + pixel) * lanes_], int(lanes_)), pixel);
  });
}

void SeparableConv::pointwiseRows(const Index& image, const Index& first, int64_t rows) {
  const WindowProblem row = pixelsInRow(p_, rows * d_.out[2]);
  for (size_t i = 0; i < weights_.size(); ++i) {
    const ConvPart& part = schedule_.pointwise.parts[i];
    b_.forLoop("kb", 0, part.numBlocks, part.schedule.blocks, [&](const Index& block) {
      for (const TileRun& run : tileRow(row, part.schedule.pixels))
        b_.forLoop("tile", 0, run.count, [&](const Index& t) {
          pointwiseTile(part, weights_[i], image, block, first * d_.out[2], row, run,
                        run.shift(b_, t));
        });
    });
  }
}

void SeparableConv::pointwiseTile(const ConvPart& part, const kir::Buffer& weights,
                                  const Index& image, const Index& block, const Index& firstPixel,
                                  const WindowProblem& row, const TileRun& run,
                                  const Index& shift) {
  const int64_t vectors = part.schedule.blocks;
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < run.pixels * vectors; ++i)
    sums.push_back(b_.var("acc", b_.zero(kir::f32(static_cast<int>(resultLanes_)))));
  const Index pixel = run.begin + shift;
  const auto reduce = [&](const Index& cb, int64_t channels) {
    const Index at = (cb * row.out[2] + pixel) * lanes_;
    const Index weight = (block * blocks_ + cb * vectors) * (lanes_ * resultLanes_);
    TapRow(b_, row, part.schedule, resultLanes_, false)
        .reduce({*rows_, at, 1, lanes_}, {weights, weight, lanes_}, channels, run.begin, run.pixels,
                sums);
  };
  const int64_t rest = d_.cout % lanes_;
  b_.forLoop("cb", 0, d_.cout / lanes_, [&](const Index& cb) { reduce(cb, lanes_); });
  if (rest > 0) reduce(blocks_ - 1, rest);
  result_.store(b_, sums, {image, part.firstBlock + block, firstPixel + pixel, vectors});
}

} // namespace

const Op* depthwiseWithin(const Op& op, const kir::Target& target) {
  if (target.disabledKernels.contains(kName) || target.disabledKernels.contains("conv_direct") ||
      kir::LooseRanges::areWanted() || !isF32(op))
    return nullptr;
  const std::string algorithm = op.string("algorithm");
  if (algorithm != "auto" && algorithm != kSeparable) return nullptr;
  const enfold::Value* between = op.own(0);
  const Op* depthwise = between->producer();
  if (!depthwise || between->numUses() != 1 || !isF32(*depthwise) ||
      depthwise->string("algorithm") != "auto")
    return nullptr;
  if (!isOfFamily(op, target) || !isOfFamily(*depthwise, target)) return nullptr;
  if (!refuseConvGrouped(*depthwise, target).empty()) return nullptr;
  const WindowProblem d = windowProblem(*depthwise), p = windowProblem(op);
  const bool isPlane = d.in[0] == 1 && d.out[0] == 1 && d.kernel[0] == 1;
  if (d.cinPerGroup() != 1 || !isPlane || d.kernel[2] > kMostTaps || d.anyWidth || p.anyWidth)
    return nullptr;
  if (p.groups != 1 || !p.isPointwise() || op.result()->type().layout.isPlain()) return nullptr;
  return algorithm == kSeparable || isWorthIt(*depthwise, op, target) ? depthwise : nullptr;
}

bool isWithinPointwise(const Op& op, const kir::Target& target) {
  const std::span<Op* const> users = op.result()->users();
  return users.size() == 1 && depthwiseWithin(*users.front(), target) == &op;
}

void lowerConvSeparable(const Op& depthwise, const Op& pointwise, Lowering& lowering) {
  SeparableConv(depthwise, pointwise, lowering).lower();
}

} // namespace enfold::lower
