// Convolutions whose groups are as wide as or narrower than a block of channels and divide it:
// depthwise ones, of one channel a group, and those of ResNeXt and RegNet. A block of output
// channels needs the same block of the input only: for every channel of a group, the lanes of a
// pixel are replaced by that channel of their own group, and every tap of a pixel is one fused
// multiply-add. A pixel is loaded once for all taps of a row, whose weights stay in registers when
// they are few.
//
// Lanes past the last channel hold anything, but in groups of their own.
//
// Integers of depthwise convolutions are multiplied in words of four bytes, where the processor has
// dot products of them: four neighbouring pixels of a channel with as many taps. Else they are
// multiplied in pairs of 16 bits: with a few taps in a row two neighbouring pixels of a channel
// with two taps; otherwise a pixel, widened to the lanes of sums, and a second number with a weight
// of zero. Those of larger groups are multiplied in words of neighbouring channels, the lanes of a
// pixel being replaced by a word of their own group; where words are larger than groups, those of
// their neighbours have weights of zero. Pairs of bf16 are multiplied likewise, where an
// instruction does so; a number that no tap reads is taken out of a pair, for it may be infinite.
#include "lower/conv/Grouped.h"

#include "ir/Products.h"
#include "lower/Layouts.h"
#include "lower/Scalars.h"
#include "lower/conv/BorderSums.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/FloatWeights.h"
#include "lower/conv/Groups.h"
#include "lower/conv/IntegerOperands.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <utility>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Taps of a row whose weights stay in registers, of 16 or of 32: with more, too few are left.
constexpr int64_t kFewTaps = 7;
/// Pixels of a tile at most. Of depthwise convolutions more gain nothing; of others, every pixel
/// more shares the weights and the shuffles.
constexpr int64_t kMaxDepthwisePixels = 8, kMaxPixels = 16;

/// Bytes of a word.
constexpr int kQuad = 4;

class GroupedConv {
public:
  GroupedConv(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), p_(windowProblem(op)), width_(int(p_.cinPerGroup())),
        lanes_(op.result()->type().layout.block), blocks_((p_.cout + lanes_ - 1) / lanes_),
        fewTaps_(p_.kernel[2] <= kFewTaps), isInteger_(op.kind() == OpKind::ConvInteger),
        bytes_(bytesFor(lowering.target().machine)),
        words_(isInteger_ && width_ > 1 ? (multipliesBytes() ? bytes_ : kPairs) : Words{}),
        steps_(std::max(1, width_ / words_.channels)), quads_(quadsOf()),
        pairs_(width_ == 1 && quads_.empty() && (isInteger_ || multipliesHalves())
                   ? pairsOf(p_, registers(lowering))
                   : Pairs{}),
        rowVectors_(!quads_.empty()   ? quads_.vectors()
                    : !pairs_.empty() ? pairs_.vectors()
                                      : steps_ * p_.kernel[2]),
        wholeRun_(wholeRunOf(p_)), result_(op, lowering),
        border_(op, wholeRun_, zeroPoint(), lanes_) {}

  void lower();

private:
  /// A row of the result in a block of channels.
  struct Row {
    Index image, block, od, oh;
  };
  /// Pixels [begin + shift, begin + shift + pixels) of a row. Which taps are inside the input
  /// depends on `begin` alone.
  struct Tile {
    int64_t begin;
    Index shift;
    int64_t pixels;
  };
  /// The sums of a tile.
  using Sums = std::vector<kir::Var>;
  /// How taps of a row are paired, if they are: tiles read pairs of pixels from an even column of
  /// theirs on. A window that begins at such a column sees its taps in pairs from the first one on,
  /// `even` of them; other windows, of which there are none where strides are even, see the first
  /// tap as the second of a pair, and `odd` pairs.
  struct Pairs {
    int64_t even = 0, odd = 0;

    bool empty() const { return even == 0; }
    int64_t vectors() const { return even + odd; }
  };

  /// How taps of a row are multiplied in words of four columns: so many pixels of a tile share
  /// `words` words, which begin at the first one's first column. Each pixel has weights of its own.
  struct Quads {
    int64_t pixels = 0, words = 0;

    bool empty() const { return pixels == 0; }
    int64_t vectors() const { return pixels * words; }
  };

  static int64_t registers(const Lowering& lowering) {
    return lowering.target().machine.vectorRegisters;
  }
  /// Pairs where at least half as many sums as usual fit beside their weights, two pixels and a
  /// product.
  static Pairs pairsOf(const WindowProblem& p, int64_t registers) {
    const int64_t taps = p.kernel[2];
    if (taps == 1 || p.dilations[2] != 1) return {};
    const Pairs pairs = {(taps + 1) / 2, p.strides[2] % 2 == 0 ? 0 : (taps + 2) / 2};
    return registers - pairs.vectors() - 3 >= kMaxDepthwisePixels / 2 ? pairs : Pairs{};
  }

  /// Whether pairs of bf16 take fewer cycles than their numbers as f32.
  bool multipliesHalves() const {
    const kir::Machine& machine = lowering_.target().machine;
    if (!sumsHalvesInF32(op_) || !hasDot(machine, kHalves)) return false;
    const auto taps = static_cast<double>(p_.kernel[2]), pairs = std::ceil((taps + 1) / 2);
    return pairs / dotsOf(machine, kHalves).of(machine.vectorBytes) <
           taps / machine.fma.of(machine.vectorBytes);
  }
  /// Numbers of a pair.
  kir::Scalar pairElem() const { return isInteger_ ? kir::Scalar::I16 : kir::Scalar::BF16; }

  /// Whether an instruction multiplies the bytes of the operands.
  bool multipliesBytes() const {
    return lanes_ >= kQuad && hasDot(lowering_.target().machine, bytes_) &&
           IntegerWeights(op_).areBytes(*op_.own(1)->constant());
  }
  bool areBytes() const { return !quads_.empty() || words_ == bytes_; }

  /// As pairsOf() does, where weights are bytes.
  Quads quadsOf() const {
    const int64_t taps = p_.kernel[2];
    if (!isInteger_ || width_ != 1 || taps == 1 || p_.dilations[2] != 1 || !multipliesBytes())
      return {};
    const int64_t words = (taps + kQuad - 1) / kQuad;
    const Quads quads = {(kQuad * words - taps) / p_.strides[2] + 1, words};
    return registers(lowering_) - quads.vectors() - 3 >= kMaxDepthwisePixels / 2 ? quads : Quads{};
  }
  InputZero zeroPoint() const {
    if (!isInteger_) return {};
    return areBytes() ? zeroPointOf(op_, bytes_) : InputZero(op_);
  }

  /// All groups as one.
  static GroupRun wholeRunOf(WindowProblem p) {
    const int64_t groups = std::exchange(p.groups, 1);
    return {0, groups, p};
  }
  template <typename T, typename NumberOf>
  BufferRef packed(const std::string& order, NumberOf of) const;
  BufferRef packedWeights() const;
  Value loadPixel(const Index& at);
  Value loadWeight(const Index& vector);
  Value addProduct(const Value& sum, const Value& pixel, const Value& weight);
  void tile(const Row& row, const Tile& tile);
  void rowOfQuads(const Index& src, const Index& wei, const Tile& tile, Sums& sums);
  Value loadBytes(const Index& at, int count);
  std::optional<Value> loadQuad(const Index& src, const Tile& tile, int64_t column);
  void rowOfPairs(const Index& src, const Index& wei, const Tile& tile, Sums& sums);
  Value onlyTaps(const Value& pair, int64_t tap);
  std::optional<Value> loadPair(const Index& src, const Tile& tile, int64_t column);
  void rowOfFewTaps(const Index& src, const Index& wei, const Tile& tile, Sums& sums);
  void rowOfTaps(const Index& src, const Index& wei, const Tile& tile, Sums& sums);
  void finish(const Row& row, const Tile& tile, const Sums& sums);
  Value channelOfGroup(const Value& pixel, int step);

  const Op& op_;
  Lowering& lowering_;
  const WindowProblem p_;
  const int width_; ///< channels of a group
  const int lanes_;
  const int64_t blocks_;
  const bool fewTaps_, isInteger_;
  const Words bytes_; ///< that quads are
  const Words words_; ///< of channels
  const int steps_;   ///< words of a group, or its channels
  const Quads quads_;
  const Pairs pairs_;
  const int64_t rowVectors_; ///< of weights, for a row of taps
  const GroupRun wholeRun_;
  ConvResult result_;
  BorderSums border_;

  kir::Builder b_{"conv_grouped"};
  std::optional<kir::Buffer> src_, wei_;
};

/// [channel block][kd][kh] rows of [channel of a group][kw][lane], or [kw][channel of a
/// group][lane] for many taps. A lane of integers is a pair or four bytes; rows of pairs are [even,
/// then odd pair][lane], of quads [pixel that shares words][word][lane]. of(weights)(i, channel) is
/// number i of the op's weights, which is of that output channel.
template <typename T, typename NumberOf>
BufferRef GroupedConv::packed(const std::string& order, NumberOf of) const {
  const int64_t perLane = sizeof(float) / sizeof(T);
  const int64_t kw = p_.kernel[2], rows = p_.kernel[0] * p_.kernel[1];
  const auto pack = [=, cout = p_.cout, width = width_, perWord = words_.channels, steps = steps_,
                     lanes = lanes_, fewTaps = fewTaps_, pairs = pairs_, quads = quads_,
                     stride = p_.strides[2],
                     rowVectors = rowVectors_](const Tensor& weights, T* to, int64_t) {
    const auto number = of(weights);
    for (int64_t k = 0; k < cout; ++k)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t c = 0; c < width; ++c)
          for (int64_t x = 0; x < kw; ++x) {
            const auto weight = static_cast<T>(number(((k * width + c) * rows + row) * kw + x, k));
            const auto at = [&](int64_t inRow) {
              const int64_t vector = (k / lanes * rows + row) * rowVectors + inRow;
              return to + (vector * lanes + k % lanes) * perLane;
            };
            if (!quads.empty()) {
              for (int64_t pixel = 0; pixel < quads.pixels; ++pixel) {
                const int64_t column = pixel * stride + x;
                at(pixel * quads.words + column / kQuad)[column % kQuad] = weight;
              }
              continue;
            }
            if (pairs.empty()) {
              const int64_t first = k % lanes / width * width, channel = first + c;
              const int64_t step = channel / perWord - first / perWord;
              at(fewTaps ? step * kw + x : x * steps + step)[channel % perWord] = weight;
              continue;
            }
            at(x / 2)[x % 2] = weight;
            if (pairs.odd > 0) at(pairs.even + (x + 1) / 2)[(x + 1) % 2] = weight;
          }
  };
  return lowering_.packed<T>(
      *op_.own(1)->constant(),
      fmt::format("{} {} {} {} {}", order, lanes_, fewTaps_, p_.kernel, p_.strides[2]),
      perLane * blocks_ * rows * rowVectors_ * lanes_, pack);
}

BufferRef GroupedConv::packedWeights() const {
  if (!isInteger_ && !pairs_.empty())
    return packed<uint16_t>(
        fmt::format("grouped bf16 {} {}", pairs_.even, pairs_.odd), [](const Tensor& weights) {
          return [halves = weights.data<BFloat16>()](int64_t i, int64_t) { return halves[i].bits; };
        });
  if (!isInteger_)
    return packed<float>("grouped", [](const Tensor& weights) {
      return [values = std::make_shared<FloatWeights>(weights)](int64_t i, int64_t) {
        return values->data()[i];
      };
    });
  const IntegerWeights values(op_);
  const auto of = [values](const Tensor& weights) {
    return [&](int64_t i, int64_t channel) { return values.at(weights, i, channel); };
  };
  if (areBytes())
    return packed<int8_t>(
        fmt::format("grouped bytes {} {} {}", quads_.pixels, quads_.words, values.key()), of);
  return packed<int16_t>(
      fmt::format("grouped pairs {} {} {}", pairs_.even, pairs_.odd, values.key()), of);
}

void GroupedConv::lower() {
  std::vector<BufferRef> buffers = {lowering_.storage(op_.own(0)), packedWeights()};
  const int64_t weights = blocks_ * p_.kernel[0] * p_.kernel[1] * rowVectors_ * lanes_;
  src_ = b_.input("src", *scalarOf(op_.own(0)->elem()), elementsOf(op_.own(0)->type()));
  wei_ = areBytes()                      ? b_.input("wei", bytes_.weight, kQuad * weights)
         : isInteger_ || !pairs_.empty() ? b_.input("wei", pairElem(), 2 * weights)
                                         : b_.input("wei", kir::Scalar::F32, weights);
  border_.declare(b_, buffers, lowering_);
  if (isInteger_) result_.joinSums();
  // Accumulators beside the weights, a pixel, one channel of it and what the scheduler takes.
  const int64_t held = !quads_.empty() || !pairs_.empty()
                           ? rowVectors_ + 3
                           : (fewTaps_ ? p_.kernel[2] : 1) + 3 + isInteger_;
  const int64_t most = width_ == 1 ? kMaxDepthwisePixels : kMaxPixels;
  const int64_t fitting = std::clamp<int64_t>(registers(lowering_) - held, 1, most);
  const int64_t pixels = p_.anyWidth ? tileForAnyWidth(p_, fitting) : fitting;
  result_.declare(b_, buffers, pixels);

  // Rows before channels, so that a thread reads what it wrote in the convolution before.
  const int64_t rows =
      partsOfIteration(p_.out[1], 0, p_.batch * blocks_ * p_.out[0], lowering_.target().machine);
  const int64_t extents[] = {p_.batch, p_.out[0], (p_.out[1] + rows - 1) / rows, blocks_};
  const std::string_view names[] = {"n", "od", "piece", "cb"};
  result_.measure(b_, buffers, extents[0] * extents[1] * extents[2] * extents[3]);
  b_.parallelGrid(extents, names, {2}, [&](std::span<const Index> at) {
    const Index count = kir::looseNumber(b_, rows), first = at[2] * count;
    result_.iteration(b_, numberOf(at, extents), [&] {
      b_.forLoop("oh", first, min(first + count, Index(p_.out[1])), [&](const Index& oh) {
        for (const TileRun& run : tileRow(p_, pixels))
          b_.forLoop("tile", 0, run.bound(b_), [&](const Index& t) {
            tile({at[0], at[3], at[1], oh}, {run.begin, run.shift(b_, t), run.pixels});
          });
      });
    });
  });
  lowering_.call(
      b_.finish(), std::move(buffers),
      {.algorithm = fmt::format("{} {}", width_ == 1 ? "conv_depthwise" : "conv_grouped", pixels),
       .flops = p_.flops() + result_.flops(),
       .multiplies = areBytes()                      ? bytes_.pixel
                     : isInteger_ || !pairs_.empty() ? pairElem()
                                                     : kir::Scalar::F32});
  result_.lowerScale();
}

void GroupedConv::tile(const Row& row, const Tile& tile) {
  const TapRange depth = tapsInside(p_, 0, row.od), height = tapsInside(p_, 1, row.oh);
  Sums sums;
  for (int64_t i = 0; i < tile.pixels; ++i)
    sums.push_back(b_.var(
        "acc", isInteger_
                   ? result_.begun(b_, border_.at(b_, depth, height, tile.begin + i, row.block),
                                   row.image, row.block)
                   : b_.zero(kir::f32(lanes_))));
  b_.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
    b_.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
      const Index id = row.od * p_.strides[0] - p_.padsBegin[0] + kd * p_.dilations[0];
      const Index ih = row.oh * p_.strides[1] - p_.padsBegin[1] + kh * p_.dilations[1];
      const Index iw = tile.shift * p_.strides[2] + p_.inputAt(2, tile.begin, 0);
      const Index line = ((row.image * blocks_ + row.block) * p_.in[0] + id) * p_.in[1] + ih;
      const Index src = (line * p_.in[2] + iw) * lanes_;
      const Index wei = ((row.block * p_.kernel[0] + kd) * p_.kernel[1] + kh) * rowVectors_;
      if (!quads_.empty())
        rowOfQuads(src, wei, tile, sums);
      else if (!pairs_.empty())
        rowOfPairs(src, wei, tile, sums);
      else
        fewTaps_ ? rowOfFewTaps(src, wei, tile, sums) : rowOfTaps(src, wei, tile, sums);
    });
  });
  finish(row, tile, sums);
}

/// Every word of columns is loaded once for the pixels that share it.
void GroupedConv::rowOfQuads(const Index& src, const Index& wei, const Tile& tile, Sums& sums) {
  std::vector<Value> weights;
  for (int64_t i = 0; i < quads_.vectors(); ++i) weights.push_back(loadWeight(wei + i));
  const int64_t stride = p_.strides[2];
  for (int64_t first = 0; first < tile.pixels; first += quads_.pixels)
    for (int64_t word = 0; word < quads_.words; ++word) {
      const auto quad = loadQuad(src, tile, first * stride + word * kQuad);
      if (!quad) continue;
      for (int64_t i = 0; i < quads_.pixels && first + i < tile.pixels; ++i) {
        const int64_t tap = word * kQuad - i * stride; // of the word's first column
        if (tap <= -kQuad || tap >= p_.kernel[2]) continue;
        kir::Var& sum = sums[static_cast<size_t>(first + i)];
        sum.set(b_.dot(sum, *quad, weights[static_cast<size_t>(i * quads_.words + word)]));
      }
    }
}

/// As the processor multiplies them.
Value GroupedConv::loadBytes(const Index& at, int count) {
  const Value stored = b_.load((*src_)[at], count);
  if (stored.type().scalar == bytes_.pixel) return stored;
  return b_.bitcast(stored, bytes_.pixel) ^ (bytes_.pixel == kir::Scalar::U8 ? 128 : -128);
}

/// Columns from `column` of a tile on as words, one for each channel; 0 in place of those that are
/// outside the input, or that no tap reads. Nothing if all are.
std::optional<Value> GroupedConv::loadQuad(const Index& src, const Tile& tile, int64_t column) {
  const int64_t first = p_.inputAt(2, tile.begin, 0);
  const int64_t columns = (tile.pixels - 1) * p_.strides[2] + p_.kernel[2];
  const int64_t lo = std::max(column, -first);
  const int64_t hi = std::min({column + kQuad, columns, p_.in[2] - first});
  if (lo >= hi) return std::nullopt;
  const auto load = [&](int64_t at, int64_t count) -> Value {
    return loadBytes(src + at * lanes_, static_cast<int>(count) * lanes_);
  };
  const auto columnOf = [&](int64_t at) {
    return at >= lo && at < hi ? load(at, 1) : b_.zero({bytes_.pixel, lanes_});
  };
  const auto pairOf = [&](int64_t at) {
    return at >= lo && at + 2 <= hi ? load(at, 2) : b_.concat(columnOf(at), columnOf(at + 1));
  };
  const Value bytes = lo == column && hi == column + kQuad
                          ? load(column, kQuad)
                          : b_.concat(pairOf(column), pairOf(column + 2));
  // First four channels of all columns together, then the columns of each channel.
  std::vector<int> fours, singles;
  for (int four = 0; four < lanes_ / kQuad; ++four)
    for (int i = 0; i < kQuad; ++i) fours.push_back(i * (lanes_ / kQuad) + four);
  for (int word = 0; word < lanes_; ++word)
    for (int i = 0; i < kQuad; ++i)
      singles.push_back(word / kQuad * kQuad * kQuad + i * kQuad + word % kQuad);
  const Value channels = b_.bitcast(bytes, kir::Scalar::I32);
  const Value together = b_.bitcast(b_.shuffle(channels, channels, fours), bytes_.pixel);
  return b_.shuffle(together, together, singles);
}

/// Every pair of columns of the input is loaded once for all taps of the row.
void GroupedConv::rowOfPairs(const Index& src, const Index& wei, const Tile& tile, Sums& sums) {
  std::vector<Value> weights;
  for (int64_t i = 0; i < pairs_.vectors(); ++i) weights.push_back(loadWeight(wei + i));
  const int64_t stride = p_.strides[2], columns = (tile.pixels - 1) * stride + p_.kernel[2];
  for (int64_t column = 0; column < columns; column += 2) {
    const std::optional<Value> pair = loadPair(src, tile, column);
    if (!pair) continue;
    for (int64_t pixel = 0; pixel < tile.pixels; ++pixel) {
      const int64_t tap = column - pixel * stride; // of the pair's first column
      if (tap <= -2 || tap >= p_.kernel[2]) continue;
      const int64_t number = tap % 2 == 0 ? tap / 2 : pairs_.even + (tap + 1) / 2;
      kir::Var& sum = sums[static_cast<size_t>(pixel)];
      sum.set(b_.dot(sum, onlyTaps(*pair, tap), weights[static_cast<size_t>(number)]));
    }
  }
}

/// A pair of columns, the first of them under that tap, without a column under none: as integers
/// those have weights of zero.
Value GroupedConv::onlyTaps(const Value& pair, int64_t tap) {
  if (isInteger_ || (tap >= 0 && tap + 1 < p_.kernel[2])) return pair;
  const Value words = b_.bitcast(pair, kir::Scalar::U32);
  return b_.bitcast(words & (tap < 0 ? int64_t{0xffff0000} : int64_t{0xffff}), pairElem());
}

/// Columns `column` and the next one of a tile, alternating; 0 in place of those that are outside
/// the input, or that no tap reads. Nothing if both are.
std::optional<Value> GroupedConv::loadPair(const Index& src, const Tile& tile, int64_t column) {
  const int64_t columns = (tile.pixels - 1) * p_.strides[2] + p_.kernel[2];
  const int64_t first = p_.inputAt(2, tile.begin, 0);
  const auto isInside = [&](int64_t c) {
    return c < columns && first + c >= 0 && first + c < p_.in[2];
  };
  const kir::Place place = (*src_)[src + column * lanes_];
  if (isInside(column) && isInside(column + 1)) {
    std::vector<int> mask;
    for (int lane = 0; lane < lanes_; ++lane) mask.insert(mask.end(), {lane, lanes_ + lane});
    const Value both = b_.load(place, 2 * lanes_);
    return b_.cast(b_.shuffle(both, both, mask), pairElem());
  }
  const Value zero = b_.zero({pairElem(), lanes_});
  if (isInside(column)) return b_.interleave(b_.loadAs(pairElem(), place, lanes_), zero);
  if (isInside(column + 1))
    return b_.interleave(zero, b_.loadAs(pairElem(), place + lanes_, lanes_));
  return std::nullopt;
}

/// Every column of the input is loaded once for all taps of the row.
void GroupedConv::rowOfFewTaps(const Index& src, const Index& wei, const Tile& tile, Sums& sums) {
  const int64_t kw = p_.kernel[2];
  for (int c = 0; c < steps_; ++c) {
    if (c > 0) b_.barrier(); // each channel loads the pixels anew: registers cannot hold them
    std::vector<Value> weights;
    for (int64_t x = 0; x < kw; ++x) weights.push_back(loadWeight(wei + c * kw + x));
    for (const TileColumn& column : tileColumns(p_, tile.begin, tile.pixels)) {
      const Value v = channelOfGroup(loadPixel(src + column.at * lanes_), c);
      for (const auto& [pixel, tap] : column.uses) {
        kir::Var& sum = sums[static_cast<size_t>(pixel)];
        sum.set(addProduct(sum, v, weights[static_cast<size_t>(tap)]));
      }
    }
  }
}

void GroupedConv::rowOfTaps(const Index& src, const Index& wei, const Tile& tile, Sums& sums) {
  for (const TapRun& run : tapRuns(p_, tile.begin, tile.pixels))
    b_.forLoop("x", run.lo, run.hi, [&](const Index& x) {
      for (int c = 0; c < steps_; ++c) {
        const Value weight = loadWeight(wei + x * steps_ + c);
        for (int64_t i = 0; i < tile.pixels; ++i) {
          if (!tapInside(p_, tile.begin + i, run.lo)) continue;
          const Index column = x * p_.dilations[2] + i * p_.strides[2];
          const Value v = channelOfGroup(loadPixel(src + column * lanes_), c);
          kir::Var& sum = sums[static_cast<size_t>(i)];
          sum.set(addProduct(sum, v, weight));
        }
      }
    });
}

/// A lane for every channel, or for every word of them.
Value GroupedConv::loadPixel(const Index& at) {
  if (words_ == bytes_) return b_.bitcast(loadBytes(at, lanes_), kir::Scalar::I32);
  if (words_ == kPairs)
    return b_.bitcast(b_.loadAs(kir::Scalar::I16, (*src_)[at], lanes_), kir::Scalar::I32);
  return b_.loadAs(isInteger_ ? kir::Scalar::I32 : kir::Scalar::F32, (*src_)[at], lanes_);
}

Value GroupedConv::loadWeight(const Index& vector) {
  const int elements = (areBytes() ? kQuad : isInteger_ || !pairs_.empty() ? 2 : 1) * lanes_;
  return b_.load((*wei_)[vector * elements], elements);
}

Value GroupedConv::addProduct(const Value& sum, const Value& pixel, const Value& weight) {
  if (!isInteger_) return b_.fma(pixel, weight, sum);
  return b_.dot(sum, b_.bitcast(pixel, areBytes() ? bytes_.pixel : kir::Scalar::I16), weight);
}

/// Every lane holds that channel, or word, of the group it belongs to.
Value GroupedConv::channelOfGroup(const Value& pixel, int step) {
  if (width_ == 1) return pixel;
  std::vector<int> mask;
  for (int lane = 0; lane < lanes_; ++lane)
    mask.push_back(lane / width_ * width_ / words_.channels + step);
  return b_.shuffle(pixel, pixel, mask);
}

void GroupedConv::finish(const Row& row, const Tile& tile, const Sums& sums) {
  const Index pixel = (row.od * p_.out[1] + row.oh) * p_.out[2] + tile.begin + tile.shift;
  result_.store(b_, sums, {row.image, row.block, pixel});
}

} // namespace

std::string refuseConvGrouped(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (op.kind() == OpKind::ConvInteger) {
    if (std::string reason = refuseIntegerOperands(op); !reason.empty()) return reason;
  } else {
    if (!sumsInF32(op)) return "element type is not f32";
    if (!op.own(1)->constant()) return "weights are not constant";
    if (op.own(1)->type().numElements() == 0) return "nothing to multiply";
    if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  }
  const int block = x.layout.block;
  if (!isVector(x.layout, target) || y.layout != x.layout) return "not channel-blocked alike";
  const WindowProblem p = windowProblem(op);
  if (p.cout != p.cin) return "groups of unequal channels";
  const int64_t width = p.cinPerGroup();
  if (width != 1 && (width == block || p.groups == 1 || !staysWithinBlocks(p, block)))
    return "groups that do not divide a block";
  return epilogueRefusal(op);
}

void lowerConvGrouped(const Op& op, Lowering& lowering) { GroupedConv(op, lowering).lower(); }

} // namespace enfold::lower
