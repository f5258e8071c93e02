// An iteration copies the rows of the input that it reads into scratch, in the order in which tiles
// want them, multiplies them with one group of output channels after the other, and stores what the
// sums of a group become. Copying costs little: every pixel of the copy meets all taps and output
// channels. The zero point of an input of integers fills the padding, so that what it adds to a sum
// is the same everywhere: sums begin with minus that.
//
// Memory, innermost last: copy [unit][plane][row][column][byte], weights [group][unit][step]
// [half of the group][word][channel][byte of word], sums [half of the group][pixel][channel].
#include "lower/conv/TileConv.h"

#include "ir/Products.h"
#include "kernel/LooseRanges.h"
#include "lower/Access.h"
#include "lower/FetchAhead.h"
#include "lower/ZeroSums.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/IntegerOperands.h"
#include "lower/conv/TileCopy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kRows = kir::kTileRows;
/// Elements of a tile of weights are bytes or halves; its sums have 32 bits.
constexpr int64_t kTileSums = kRows * kRows;
/// The tiles' numbers: four sums, two of pixels, two of weights.
constexpr int kPixelTile = 4, kWeightTile = 6;

/// Numbers as they are stored.
Words wordsOf(const Op& op) {
  const ElemType elem = op.own(0)->elem();
  return elem == ElemType::BF16 ? kHalves : elem == ElemType::U8 ? kBytes : kSignedBytes;
}

/// The input, or a copy whose plain channels are a block.
Type sourceType(const Op& op) {
  const Type& x = op.own(0)->type();
  return x.layout.isPlain() ? stagedType(op, wordsOf(op)) : x;
}

class TileConv {
public:
  TileConv(const Op& op, Lowering& lowering, const TileSchedule& schedule)
      : op_(op), lowering_(lowering), p_(windowProblem(op)), s_(schedule),
        pixel_(wordsOf(op).pixel), block_(sourceType(op).layout.block),
        lanes_(op.result()->type().layout.block), g_(p_, pixel_, block_),
        zero_(kir::isInteger(pixel_) ? InputZero(op).number() : 0),
        stored_(storedChannels(op.result()->type())), tiles_(g_.tiles(s_.rows)),
        result_(op, lowering) {}

  void lower(const std::string& name, const std::string& secondChoice);

private:
  static constexpr int64_t kGroup = TileSchedule::kGroupChannels;

  /// What an iteration computes.
  struct Piece {
    Index image, firstRow, firstGroup;
  };

  int64_t elements(int64_t bytes) const { return bytes / g_.elementBytes; }
  int64_t tileElements() const { return elements(kRows * kTileBytes); }
  bool isInteger() const { return kir::isInteger(pixel_); }
  int64_t groups() const { return ceilDiv(stored_, kGroup); }
  int64_t weightBlocks() const { return ceilDiv(stored_, kRows); }
  int64_t blockWeights() const { return g_.units * std::ssize(g_.steps) * tileElements(); }
  BufferRef packedWeights() const;

  void group(const Piece& piece, const Index& group, int64_t channels);
  void products(const Index& firstBlock, const Index& pair, int64_t halves);
  void step(const Index& pixels, const Index& weights, const Index& pair, int64_t halves);
  void fetchAhead(const Index& weights, const Index& pair);
  void finish(const Piece& piece, const Index& firstBlock, int64_t blocks);

  const Op& op_;
  Lowering& lowering_;
  const WindowProblem p_;
  const TileSchedule s_;
  const kir::Scalar pixel_;
  const int64_t block_, lanes_; ///< channels in a block of the input, and of the result
  const TileGeometry g_;
  const int64_t zero_;   ///< of the input
  const int64_t stored_; ///< output channels, with those that fill blocks
  const int64_t tiles_;  ///< of pixels
  ConvResult result_;

  kir::Builder b_{"conv_tiles"};
  std::optional<kir::Buffer> weights_, zeroSums_, copy_, sums_;
};

// ---- Constants ----

BufferRef TileConv::packedWeights() const {
  const auto pack = [=, g = g_, p = p_, blocks = weightBlocks()](auto number, auto* to,
                                                                 int64_t group) {
    const int64_t perTap = g.pixelBytes / g.elementBytes;
    const int64_t perWord = 4 / g.elementBytes, perRow = kTileBytes / g.elementBytes;
    const auto weight = [&](int64_t k, const TileStep& step, int64_t unit, int64_t i) {
      const int64_t at = step.firstTap * perTap + step.firstByte / g.elementBytes + i;
      const int64_t tap = at / perTap, c = unit * perTap + at % perTap;
      const bool isOther = g.kind == TileRow::Pixel && tap != step.firstTap;
      if (k >= p.cout || c >= p.cin || tap >= p.kernel[2] || isOther)
        return decltype(number(0, 0)){};
      return number(((k * p.cin + c) * p.kernel[1] + step.kh) * p.kernel[2] + tap, k);
    };
    constexpr int64_t kBlocks = kGroup / kRows;
    to += group * kBlocks * g.units * std::ssize(g.steps) * kRows * perRow;
    const int64_t first = group * kBlocks, last = std::min(first + kBlocks, blocks);
    for (int64_t unit = 0; unit < g.units; ++unit)
      for (const TileStep& step : g.steps)
        for (int64_t block = first; block < last; ++block)
          for (int64_t i = 0; i < perRow; i += perWord)
            for (int64_t k = 0; k < kRows; ++k)
              for (int64_t j = 0; j < perWord; ++j)
                *to++ = weight(block * kRows + k, step, unit, i + j);
  };
  const int64_t count = weightBlocks() * blockWeights();
  const Tensor& weights = *op_.own(1)->constant();
  const std::string order =
      fmt::format("tiles {} {} {} {} {} {}", p_.kernel, p_.strides[2], p_.dilations[2], block_,
                  g_.pixelBytes, static_cast<int>(g_.kind));
  if (!isInteger())
    return lowering_.packed<uint16_t>(
        weights, order, count,
        [pack](const Tensor& from, uint16_t* to, int64_t group) {
          const auto* halves = from.data<BFloat16>();
          pack([&](int64_t i, int64_t) { return halves[i].bits; }, to, group);
        },
        groups());
  return lowering_.packed<int8_t>(
      weights, order + " " + IntegerWeights(op_).key(), count,
      [pack, values = IntegerWeights(op_)](const Tensor& from, int8_t* to, int64_t group) {
        pack([&](int64_t i, int64_t k) { return static_cast<int8_t>(values.at(from, i, k)); }, to,
             group);
      },
      groups());
}

// ---- Products ----

/// One step of two tiles of pixels by one or two of weights.
void TileConv::step(const Index& pixels, const Index& weights, const Index& pair, int64_t halves) {
  const int64_t stride = elements(g_.columnBytes);
  b_.tileLoad(kPixelTile, (*copy_)[pixels], stride);
  for (int64_t half = 0; half < halves; ++half) {
    b_.tileLoad(kWeightTile + int(half), (*weights_)[weights + half * tileElements()],
                elements(kTileBytes));
    b_.tileDot(int(half), kPixelTile, kWeightTile + int(half), pixel_);
  }
  b_.tileLoad(kPixelTile + 1, (*copy_)[pixels + kRows * stride], stride);
  fetchAhead(weights, pair);
  for (int64_t half = 0; half < halves; ++half)
    b_.tileDot(2 + int(half), kPixelTile + 1, kWeightTile + int(half), pixel_);
}

/// While a group is computed, the weights of the next one come into the second-level cache.
void TileConv::fetchAhead(const Index& weights, const Index& pair) {
  if (stored_ <= kGroup || g_.elementBytes * 2 * blockWeights() < kWorthFetching) return;
  fetchShare(b_, (*weights_)[weights + 2 * blockWeights()], 2 * tileElements(), pair, tiles_ / 2,
             weights_->elem());
}

/// The sums of a pair of tiles of pixels.
void TileConv::products(const Index& firstBlock, const Index& pair, int64_t halves) {
  for (int64_t half = 0; half < halves; ++half)
    for (int tile : {int(half), 2 + int(half)}) {
      if (zeroSums_)
        b_.tileLoad(tile, (*zeroSums_)[(firstBlock + half) * kRows], 0);
      else
        b_.tileZero(tile);
    }
  const Index pixels = pair * (2 * kRows * elements(g_.columnBytes));
  const Index weights = firstBlock * blockWeights();
  b_.forLoop("unit", 0, g_.units, [&](const Index& unit) {
    for (size_t i = 0; i < g_.steps.size(); ++i) {
      const TileStep& s = g_.steps[i];
      const int64_t place =
          s.plane * g_.planeBytes(s_.rows) + s.row * g_.columns * g_.columnBytes + s.offset;
      step(pixels + unit * elements(g_.unitBytes(s_.rows)) + elements(place),
           weights +
               (unit * std::ssize(g_.steps) + static_cast<int64_t>(i)) * (halves * tileElements()),
           pair, halves);
    }
  });
  for (int64_t half = 0; half < halves; ++half)
    for (const int64_t second : {0, 1})
      b_.tileStore((*sums_)[(half * tiles_ + pair * 2 + second) * kTileSums], kRows,
                   int(2 * second + half));
}

/// `channels` output channels: those of a group, or what is left of the last one.
void TileConv::group(const Piece& piece, const Index& group, int64_t channels) {
  const Index firstBlock = group * (kGroup / kRows);
  b_.forLoop("pair", 0, kir::looseNumber(b_, tiles_ / 2),
             [&](const Index& pair) { products(firstBlock, pair, ceilDiv(channels, kRows)); });
  finish(piece, group * (kGroup / lanes_), channels / lanes_);
}

void TileConv::finish(const Piece& piece, const Index& firstBlock, int64_t blocks) {
  const Index rows =
      min(kir::looseNumber(b_, s_.rows), kir::looseNumber(b_, p_.out[1]) - piece.firstRow);
  b_.forLoop("block", 0, blocks, [&](const Index& block) {
    const std::optional<Value> bias = result_.bias(b_, firstBlock + block);
    const Index channel = block * lanes_, half = channel / kRows;
    const Index first = half * (tiles_ * kTileSums) + channel % kRows;
    b_.forLoop("row", 0, rows, [&](const Index& row) {
      const auto load = [&](const Index& pixel, int64_t lanes) {
        return b_.load((*sums_)[first + (row * g_.columns + pixel) * kRows],
                       static_cast<int>(lanes));
      };
      const auto sums = [&](const Index& pixel, int64_t count) {
        if (lanes_ == kRows) return load(pixel, count * lanes_);
        std::vector<Value> parts;
        for (int64_t i = 0; i < count; ++i) parts.push_back(load(pixel + i, lanes_));
        return joined(b_, std::move(parts));
      };
      result_.storeRow(b_, sums, bias,
                       {piece.image, firstBlock + block, (piece.firstRow + row) * p_.out[2]},
                       p_.out[2]);
    });
  });
}

void TileConv::lower(const std::string& name, const std::string& secondChoice) {
  const BufferRef source = op_.own(0)->type().layout.isPlain()
                               ? stageInput(op_, wordsOf(op_), lowering_).memory
                               : lowering_.storage(op_.own(0));
  std::vector<BufferRef> buffers = {source, packedWeights()};
  const kir::Buffer src = b_.input("src", pixel_, elementsOf(sourceType(op_)));
  weights_ = b_.input("wei", isInteger() ? kir::Scalar::I8 : kir::Scalar::BF16,
                      weightBlocks() * blockWeights());
  if (zero_ != 0) {
    zeroSums_ = b_.input("zero", kir::Scalar::I32, weightBlocks() * kRows);
    buffers.push_back(packedZeroSums(op_, zero_, weightBlocks() * kRows, lowering_));
  }
  result_.declare(b_, buffers);
  copy_ = b_.scratch("copy", pixel_, elements(g_.copyBytes(s_.rows)));
  TileCopy copy(b_, {src, *copy_, block_, zero_}, p_, g_, s_.rows);
  sums_ =
      b_.scratch("sums", isInteger() ? kir::Scalar::I32 : kir::Scalar::F32, 2 * tiles_ * kTileSums);
  const int64_t whole = stored_ / kGroup, rest = stored_ % kGroup;
  const int64_t extents[] = {p_.batch, ceilDiv(p_.out[1], s_.rows), ceilDiv(groups(), s_.groups)};
  const std::string_view names[] = {"n", "piece", "part"};
  b_.parallelGrid(extents, names, {1U, 2U}, [&](std::span<const Index> at) {
    const Index groupsOfPart = kir::looseNumber(b_, s_.groups);
    const Piece piece = {at[0], at[1] * kir::looseNumber(b_, s_.rows), at[2] * groupsOfPart};
    copy.write(piece.image, piece.firstRow);
    b_.forLoop("group", piece.firstGroup, min(piece.firstGroup + groupsOfPart, Index(whole)),
               [&](const Index& g) { group(piece, g, kGroup); });
    if (rest)
      b_.ifThen(at[2] == kir::looseNumber(b_, extents[2] - 1), [&] { group(piece, whole, rest); });
  });
  lowering_.call(b_.finish(), std::move(buffers),
                 {.algorithm = "conv_" + name,
                  .secondChoice = secondChoice,
                  .flops = p_.flops() + result_.flops(),
                  .multiplies = pixel_});
}

} // namespace

std::string refuseTiles(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const bool isInteger = op.kind() == OpKind::ConvInteger;
  if (target.disabledKernels.contains("conv_tiles")) return "disabled";
  if (!hasTiles(target.machine, isInteger ? kBytes : kHalves))
    return "the processor multiplies no tiles";
  if (!isInteger && !(x.elem == ElemType::BF16 && sumsHalvesInF32(op)))
    return "element type is not bf16";
  if (y.layout.isPlain()) return "result is not channel-blocked";
  if (x.layout.isPlain() && x.shape[1] > kMaxPlainChannels) return "plain input with many channels";
  if (op.integer("group") != 1) return "several groups";
  if (!op.own(1)->constant()) return "weights are not constant";
  if (isInteger &&
      (!InputZero(op).isKnown() || !IntegerWeights(op).areBytes(*op.own(1)->constant())))
    return "weights or zero points are no bytes";
  const WindowProblem p = windowProblem(op);
  if (p.in[0] != 1 || p.kernel[0] != 1 || p.out[0] != 1) return "three spatial dimensions";
  if (p.outPixels() == 0 || p.batch == 0) return "nothing to compute";
  return "";
}

std::optional<TileCandidate> tileCandidateOf(const Op& op, const kir::Target& target) {
  auto candidate = tileCandidate(windowProblem(op), wordsOf(op).pixel, sourceType(op).layout.block,
                                 target.machine);
  if (candidate && op.own(0)->type().layout.isPlain())
    candidate->cycles += stageCycles(op, wordsOf(op), target.machine);
  return candidate;
}

void lowerConvTiles(const Op& op, const TileCandidate& candidate, const std::string& secondChoice,
                    Lowering& lowering) {
  TileConv(op, lowering, candidate.schedule).lower(candidate.name(), secondChoice);
}

} // namespace enfold::lower
