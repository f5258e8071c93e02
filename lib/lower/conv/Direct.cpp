// Direct convolution: any window, stride, dilation, padding, group and rank up to 3; input blocked,
// or plain with few channels; output blocked. Groups whose channels do not fill whole blocks are
// merged until they do, without products between channels of different groups.
//
// A register tile of P pixels by B channel blocks is accumulated over all taps and input channels:
// for every input channel and tap, B weight vectors are loaded and P pixels broadcast for P*B fused
// multiply-adds (TapRow); of integers, for every word of channels. Weights are packed in the order
// they are read. The loop nest and its
// register blocking follow Georganas et al., "Anatomy of High-Performance Deep Learning
// Convolutions on SIMD Architectures" (SC 2018), section II.
#include "lower/conv/Direct.h"

#include "lower/FetchAhead.h"
#include "lower/Scalars.h"
#include "lower/conv/BorderSums.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/FloatWeights.h"
#include "lower/conv/Groups.h"
#include "lower/conv/IntegerOperands.h"
#include "lower/conv/IterationOrder.h"
#include "lower/conv/TapRow.h"
#include "lower/conv/WindowSums.h"
#include "lower/movement/StridedCopy.h"
#include "lower/window/Tiles.h"
#include "lower/window/WindowProblem.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

class DirectConv {
public:
  /// `source` holds the input of the run's problem, which may have fewer pixels than that of the
  /// op, with the channels of all groups.
  DirectConv(const Op& op, const GroupRun& run, ConvSource source, std::optional<WindowSums> shift,
             const ConvPart& part, Lowering& lowering)
      : op_(op), lowering_(lowering), lanes_(op.result()->type().layout.block), run_(run),
        p_(run_.problem), source_(std::move(source)), part_(part), schedule_(part.schedule),
        rows_(schedule_.spansRows ? flattened(p_) : p_), words_(schedule_.words),
        isPadded_(op.own(0)->type().layout.isPlain()), input_(source_.type, run_),
        result_(op, lowering), border_(op, run_, zeroPointOf(op, words_), lanes_),
        shift_(std::move(shift)), channelBlocks_((p_.coutPerGroup() + lanes_ - 1) / lanes_),
        vectors_(schedule_.blocks * lanes_), rowWeights_(input_.step * p_.kernel[2] * vectors_),
        groupWeights_(rowWeights_ * input_.blocks * p_.kernel[0] * p_.kernel[1]) {
    for (const TileRun& tiles : tileRow(rows_, schedule_.pixels)) tilesInRow_ += tiles.count;
    tilesOfPart_ = schedule_.tiles > 0 ? std::min(schedule_.tiles, tilesInRow_) : tilesInRow_;
  }

  /// See CallFacts; gives what was found of the extremes of the result, if it is measured.
  std::optional<PartialExtremes> lower(const std::string& secondChoice);

private:
  /// A row of the result and the group of output channel blocks that is computed.
  struct Row {
    Index image, group, block; ///< block: among those of the part and group
    Index od, oh;
    Index firstTile; ///< of the part that is computed
    Index number;    ///< of the iteration
  };
  /// Pixels [begin + shift, begin + shift + pixels) of a row. Which taps are inside the input
  /// depends on `begin` alone.
  struct Tile {
    int64_t begin;
    Index shift;
    int64_t pixels;
    Index number; ///< of the iteration
  };

  template <typename T, typename NumberOf> BufferRef packed(std::string order, NumberOf of) const;
  BufferRef packedWeights() const;
  /// The first one of a tile, numbered row by row.
  Index pixelOf(const Row& row, const Tile& tile) const {
    return (row.od * rows_.out[1] + row.oh) * rows_.out[2] + tile.begin + tile.shift;
  }
  Index tilesOfPart() { return kir::looseNumber(b_, tilesOfPart_); }
  void row(const Row& row);
  void tile(const Row& row, const Tile& tile);
  void taps(const Row& row, const Tile& tile, std::vector<kir::Var>& sums);
  std::vector<Index> placesOf(const Tile& tile);
  void fetchAhead(const Index& rowOfWeights, const Tile& tile);
  void finish(const Row& row, const Tile& tile, const std::vector<kir::Var>& sums);

  const Op& op_;
  Lowering& lowering_;
  const int64_t lanes_;
  const GroupRun run_;
  const WindowProblem& p_; ///< of the run
  const ConvSource source_;
  const ConvPart part_;
  const ConvSchedule schedule_;
  const WindowProblem rows_; ///< as they are tiled: all one row if tiles span them
  const Words words_;
  const bool isPadded_; ///< channels that fill up the last word are zero
  const ConvInput input_;
  ConvResult result_;
  BorderSums border_;
  std::optional<WindowSums> shift_;
  const int64_t channelBlocks_;              ///< of output, per group
  const int64_t vectors_;                    ///< output channels of a tile
  const int64_t rowWeights_, groupWeights_;  ///< of a row of taps, and of all taps, of a tile
  int64_t tilesInRow_ = 0, tilesOfPart_ = 0; ///< of a row, and of what an iteration computes of it

  kir::Builder b_{"conv_direct"};
  std::optional<kir::Buffer> src_, wei_;
};

/// [group][block group][input block][kd][kh][a row as TapRow reads it][block][lane][of a word].
/// of(weights)(i, channel) is number i of the op's weights, which is of that output channel.
template <typename T, typename NumberOf>
BufferRef DirectConv::packed(std::string order, NumberOf of) const {
  const int64_t taps = p_.taps(), kw = p_.kernel[2], outer = p_.kernel[0] * p_.kernel[1];
  const int64_t step = input_.step, blocks = input_.blocks, vectors = vectors_;
  const int64_t begin = part_.firstBlock * lanes_, end = begin + part_.numBlocks * lanes_;
  const int64_t perWord = words_.channels;
  const auto pack = [=, run = run_, order = TapRow::weightOrder(schedule_, step / perWord, kw)](
                        const Tensor& weights, T* to, int64_t) {
    const auto number = of(weights);
    const int64_t cown = run.problem.cinPerGroup() / run.merge;
    for (int64_t g = 0; g < run.problem.groups; ++g)
      for (int64_t first = begin; first < end; first += vectors)
        for (int64_t cb = 0; cb < blocks; ++cb)
          for (int64_t t = 0; t < outer; ++t)
            to = TapRow::packRow(
                run, order, perWord, cb * step, first, vectors, to,
                [&](int64_t c, int64_t k, int64_t x) {
                  const int64_t channel = run.firstOutput() + g * run.problem.coutPerGroup() + k;
                  return number((channel * cown + c % cown) * taps + t * kw + x, channel);
                });
  };
  order += fmt::format(" {} {} {} {} {} {} {} {} {}", p_.groups, run_.first, run_.merge, begin, end,
                       vectors, step, schedule_.sharesPixels, p_.kernel);
  return lowering_.packed<T>(*op_.own(1)->constant(), order,
                             p_.groups * (end - begin) * blocks * step * taps, pack);
}

BufferRef DirectConv::packedWeights() const {
  if (words_.channels == 1)
    return packed<float>("direct", [](const Tensor& weights) {
      return [values = std::make_shared<FloatWeights>(weights)](int64_t i, int64_t) {
        return values->data()[i];
      };
    });
  if (words_ == kHalves)
    return packed<uint16_t>("direct bf16", [](const Tensor& weights) {
      return [halves = weights.data<BFloat16>()](int64_t i, int64_t) {
        return halves[i].bits == TapRow::kHalfOfOtherGroup ? uint16_t{0} : halves[i].bits;
      };
    });
  const IntegerWeights values(op_);
  const auto numbersOf = [](const IntegerWeights& of, const Tensor& weights) {
    return [of, &weights](int64_t i, int64_t channel) { return of.at(weights, i, channel); };
  };
  if (words_ == kPairs)
    return packed<int16_t>("direct pairs " + values.key(),
                           [=](const Tensor& weights) { return numbersOf(values, weights); });
  return packed<int8_t>("direct bytes " + values.key(), [=](const Tensor& weights) {
    return numbersOf(values.asBytes(weights), weights);
  });
}

std::optional<PartialExtremes> DirectConv::lower(const std::string& secondChoice) {
  std::vector<BufferRef> buffers = {source_.memory, packedWeights()};
  src_ = b_.input("src", *scalarOf(source_.type.elem),
                  p_.batch * p_.inPixels() * storedChannels(source_.type));
  const int64_t blockGroups = part_.numBlocks / schedule_.blocks;
  wei_ = b_.input("wei", words_.weight, p_.groups * blockGroups * groupWeights_);
  border_.declare(b_, buffers, lowering_);
  if (shift_) shift_->declare(b_, buffers, lowering_, lanes_);
  if (words_.sum == kir::Scalar::I32 && !schedule_.spansRows) result_.joinSums();
  result_.declare(b_, buffers, schedule_.pixels * schedule_.blocks);

  const int64_t pieces = (rows_.out[1] + schedule_.rows - 1) / schedule_.rows;
  const int64_t parts = (tilesInRow_ + tilesOfPart_ - 1) / std::max<int64_t>(1, tilesOfPart_);
  const ConvIterations iterations = {
      .rows = {rows_.batch, rows_.out[0], pieces, parts},
      .rowNames = {"n", "od", "piece", "part"},
      .groups = p_.groups,
      .blocks = blockGroups,
      .inputBytes = kir::sizeInBytes(words_.pixel) * p_.batch * p_.cin * p_.inPixels(),
      .weightBytes = kir::sizeInBytes(words_.weight) * p_.groups * blockGroups * groupWeights_};
  const auto iteration = [&](std::span<const Index> at, std::span<const Index> channels) {
    const Index rows = kir::looseNumber(b_, schedule_.rows), first = at[2] * rows;
    const Index group = numberOf(at, iterations.rows) * p_.groups + channels[0];
    result_.iteration(b_, group * blockGroups + channels[1], [&] {
      b_.forLoop("oh", first, min(first + rows, Index(rows_.out[1])), [&](const Index& oh) {
        row({at[0], channels[0], channels[1] * schedule_.blocks, at[1], oh, at[3] * tilesOfPart(),
             oh - first});
      });
    });
  };
  result_.measure(b_, buffers, numElements(iterations.rows) * p_.groups * blockGroups);
  // Rows are cut into parts where there is one.
  parallelRows(b_, iterations, lowering_.target().machine, {schedule_.tiles > 0 ? 3U : 2U},
               iteration);
  const double share = static_cast<double>(p_.cout * part_.numBlocks) /
                       static_cast<double>(op_.result()->shape()[1] * channelBlocks_);
  lowering_.call(b_.finish(), std::move(buffers),
                 {.algorithm = "conv_" + DirectCandidate{{part_}, 0}.name(),
                  .secondChoice = secondChoice,
                  .flops = share * (windowProblem(op_).flops() + result_.flops()),
                  .multiplies = words_.pixel});
  return result_.extremes();
}

void DirectConv::row(const Row& row) {
  int64_t before = 0;
  const bool isWhole = rows_.anyWidth ? schedule_.tiles == 0 : tilesOfPart_ >= tilesInRow_;
  for (const TileRun& run : tileRow(rows_, schedule_.pixels)) {
    const Index begin = isWhole ? Index(0) : max(row.firstTile - before, Index(0));
    const Index end =
        isWhole ? run.bound(b_) : min(row.firstTile + tilesOfPart() - before, run.bound(b_));
    b_.forLoop("tile", begin, end, [&](const Index& t) {
      tile(row, {run.begin, run.shift(b_, t), run.pixels,
                 row.number * tilesOfPart() + before + t - row.firstTile});
    });
    before += run.count;
  }
}

void DirectConv::tile(const Row& row, const Tile& tile) {
  const TapRange depth = tapsInside(p_, 0, row.od), height = tapsInside(p_, 1, row.oh);
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < tile.pixels; ++i)
    for (int64_t number = 0; number < schedule_.blocks; ++number) {
      const Index channels = row.group * channelBlocks_ + part_.firstBlock + row.block + number;
      if (words_.sum != kir::Scalar::I32) {
        sums.push_back(b_.var("acc", b_.zero(kir::f32(int(lanes_)))));
        continue;
      }
      Value first = border_.at(b_, depth, height, tile.begin + i, channels);
      if (shift_) first = first + shift_->at(b_, row.image, pixelOf(row, tile) + i, channels);
      const Index block = run_.firstOutput() / lanes_ + channels;
      sums.push_back(b_.var("acc", result_.begun(b_, first, row.image, block)));
    }
  taps(row, tile, sums);
  if (words_.channels > 1) b_.barrier(); // the sums leave no registers for what finishing loads
  finish(row, tile, sums);
}

void DirectConv::taps(const Row& row, const Tile& tile, std::vector<kir::Var>& sums) {
  const TapRange depth = tapsInside(p_, 0, row.od), height = tapsInside(p_, 1, row.oh);
  const std::vector<Index> pixels = placesOf(tile);
  const Index corner =
      schedule_.spansRows
          ? Index(0)
          : (row.od * p_.strides[0] - p_.padsBegin[0]) * input_.pixel[0] +
                (row.oh * p_.strides[1] - p_.padsBegin[1]) * input_.pixel[1] +
                ((tile.begin + tile.shift) * p_.strides[2] - p_.padsBegin[2]) * input_.pixel[2];
  const Index weights =
      (row.group * part_.numBlocks + row.block) * (groupWeights_ / schedule_.blocks);
  const auto block = [&](const Index& cb, int64_t channels) {
    const int64_t count = (channels + words_.channels - 1) / words_.channels;
    b_.forLoop("kd", depth.lo, depth.hi, [&](const Index& kd) {
      b_.forLoop("kh", height.lo, height.hi, [&](const Index& kh) {
        const Index src = input_.at(row.image, row.group, cb) + corner +
                          kd * (p_.dilations[0] * input_.pixel[0]) +
                          kh * (p_.dilations[1] * input_.pixel[1]);
        const Index wei = weights + ((cb * p_.kernel[0] + kd) * p_.kernel[1] + kh) * rowWeights_;
        fetchAhead(wei, tile);
        const bool merged = run_.merge > 1 && words_.sum == kir::Scalar::F32;
        TapRow(b_, p_, schedule_, lanes_, merged)
            .reduce({*src_, src, input_.channel * words_.channels, input_.pixel[2], pixels,
                     words_ == kHalves && count * words_.channels > channels && !isPadded_},
                    {*wei_, wei, input_.step / words_.channels}, count, tile.begin, tile.pixels,
                    sums);
      });
    });
  };
  // Lanes past the last channel hold anything, so a ragged last block is shorter. Of integers in
  // the last word anything times a weight of zero is zero.
  const int64_t rest = p_.cinPerGroup() % input_.step, whole = p_.cinPerGroup() / input_.step;
  b_.forLoop("cb", 0, whole, [&](const Index& cb) { block(cb, input_.step); });
  if (rest) block(whole, rest);
}

/// Where the pixels of a tile that spans rows begin in the input.
std::vector<Index> DirectConv::placesOf(const Tile& tile) {
  std::vector<Index> places;
  if (!schedule_.spansRows) return places;
  for (int64_t i = 0; i < tile.pixels; ++i) {
    const Index number = tile.begin + tile.shift + i, pixel = number % p_.outPixels();
    const Index row = pixel / p_.out[2];
    const Index place = number / p_.outPixels() * input_.image +
                        row / p_.out[1] * (p_.strides[0] * input_.pixel[0]) +
                        row % p_.out[1] * (p_.strides[1] * input_.pixel[1]) +
                        pixel % p_.out[2] * (p_.strides[2] * input_.pixel[2]);
    places.push_back(b_.index(b_.value(place), place.range()));
  }
  return places;
}

/// While a group of output channels is computed, the weights of the next one come from memory into
/// the second-level cache, every tile fetching its share.
void DirectConv::fetchAhead(const Index& rowOfWeights, const Tile& tile) {
  const int64_t bytes = kir::sizeInBytes(words_.weight);
  if (part_.numBlocks == schedule_.blocks || bytes * groupWeights_ < kWorthFetching) return;
  fetchShare(b_, (*wei_)[rowOfWeights + groupWeights_], rowWeights_, tile.number,
             tilesOfPart_ * std::min(schedule_.rows, rows_.out[1]), words_.weight);
}

void DirectConv::finish(const Row& row, const Tile& tile, const std::vector<kir::Var>& sums) {
  const Index block =
      run_.firstOutput() / lanes_ + row.group * channelBlocks_ + part_.firstBlock + row.block;
  const auto image = schedule_.spansRows ? std::nullopt : std::optional(row.image);
  result_.store(b_, sums, {image, block, pixelOf(row, tile), schedule_.blocks});
}

/// The pixels of an input of floats that a window of one tap reads.
BufferRef copySamples(const Op& op, const WindowProblem& p, Lowering& lowering) {
  const Type& x = op.own(0)->type();
  const int64_t lanes = x.layout.block;
  const kir::Scalar scalar = *scalarOf(x.elem);
  const int64_t size = elementsOf(x), planes = size / (p.inPixels() * lanes);
  const int64_t rows = p.out[1], columns = p.out[2];
  StridedCopy copy = {
      .elem = scalar,
      .extents = {planes, p.out[0], rows, columns, lanes},
      .srcStrides = {p.inPixels() * lanes, p.strides[0] * p.in[1] * p.in[2] * lanes,
                     p.strides[1] * p.in[2] * lanes, p.strides[2] * lanes, 1},
      .dstStrides = {p.outPixels() * lanes, rows * columns * lanes, columns * lanes, lanes, 1},
      .srcSize = size,
      .dstSize = planes * p.outPixels() * lanes};
  const BufferRef samples = lowering.temporary(kir::sizeInBytes(scalar) * copy.dstSize);
  lowering.call(stridedCopyKernel(std::move(copy), int(lanes)),
                {lowering.storage(op.own(0)), samples}, {.algorithm = "strided_copy"});
  return samples;
}

/// The input with zeros for padding around it.
BufferRef copyPadded(const Op& op, const WindowProblem& p, Lowering& lowering) {
  const Type& x = op.own(0)->type();
  const int lanes = x.layout.block;
  const int64_t planes = elementsOf(x) / (p.inPixels() * lanes);
  const WindowProblem padded = spanningProblem(op);
  const kir::Scalar scalar = *scalarOf(x.elem);
  const int64_t size = planes * padded.inPixels() * lanes;
  kir::Builder b("pad_input");
  const kir::Buffer src = b.input("src", scalar, elementsOf(x));
  const kir::Buffer dst = b.output("dst", scalar, size);
  const int64_t extents[] = {planes, padded.in[0], padded.in[1]};
  const std::string_view names[] = {"plane", "d", "h"};
  b.parallelGrid(extents, names, [&](std::span<const Index> at) {
    const Index to = ((at[0] * extents[1] + at[1]) * extents[2] + at[2]) * padded.in[2];
    const auto zeros = [&](int64_t begin, int64_t end) {
      b.forLoop("w", begin, end,
                [&](const Index& w) { b.store(dst[(to + w) * lanes], b.zero({scalar, lanes})); });
    };
    const Index d = at[1] - p.padsBegin[0], h = at[2] - p.padsBegin[1];
    const Index from = ((at[0] * p.in[0] + d) * p.in[1] + h) * p.in[2];
    const int64_t first = p.padsBegin[2], last = first + p.in[2];
    b.ifElse((d >= 0) & (d < p.in[0]) & (h >= 0) & (h < p.in[1]),
             [&] {
               zeros(0, first);
               b.forLoop("w", 0, p.in[2], [&](const Index& w) {
                 b.store(dst[(to + first + w) * lanes], b.load(src[(from + w) * lanes], lanes));
               });
               zeros(last, padded.in[2]);
             },
             [&] { zeros(0, padded.in[2]); });
  });
  const BufferRef copy = lowering.temporary(kir::sizeInBytes(scalar) * size);
  lowering.call(b.finish(), {lowering.storage(op.own(0)), copy}, {.algorithm = "pad_input"});
  return copy;
}

/// An input of bf16 as f32.
ConvSource copyWidened(const Op& op, Lowering& lowering) {
  constexpr int64_t kPiece = 4096;
  Type type = op.own(0)->type();
  const int64_t size = elementsOf(type), lanes = lowering.target().lanes(kir::Scalar::F32);
  kir::Builder b("conv_widen");
  const kir::Buffer src = b.input("src", *scalarOf(type.elem), size);
  const kir::Buffer dst = b.output("dst", kir::Scalar::F32, size);
  b.parallelFor("piece", (size + kPiece - 1) / kPiece, [&](const Index& piece) {
    const Index begin = piece * kPiece, end = min(begin + kPiece, Index(size));
    const Index whole = begin + (end - begin) / lanes * lanes;
    const auto copy = [&](const Index& i, int64_t count) {
      b.store(dst[i], b.loadAs(kir::Scalar::F32, src[i], static_cast<int>(count)));
    };
    b.forLoop("i", begin, whole, lanes, [&](const Index& i) { copy(i, lanes); });
    b.forLoop("i", whole, end, [&](const Index& i) { copy(i, 1); });
  });
  type.elem = ElemType::F32;
  const BufferRef widened = lowering.temporary(type.numBytes());
  lowering.call(b.finish(), {lowering.storage(op.own(0)), widened}, {.algorithm = "conv_widen"});
  return {widened, type};
}

ConvSource sourceOf(const Op& op, const ConvSchedule& schedule, Lowering& lowering) {
  const Type& x = op.own(0)->type();
  if (schedule.spansRows) {
    const WindowProblem p = windowProblem(op);
    const bool isPadded = spanningProblem(op).inPixels() != p.inPixels();
    return {isPadded ? copyPadded(op, p, lowering) : lowering.storage(op.own(0)), x};
  }
  if (schedule.words.channels > 1) return stageInput(op, schedule.words, lowering);
  if (isWidened(op)) return copyWidened(op, lowering);
  if (isSampled(op)) return {copySamples(op, windowProblem(op), lowering), x};
  return {lowering.storage(op.own(0)), x};
}

/// For another run of groups: of the same name if there is one, else the best.
DirectCandidate likeCandidate(const DirectCandidate& candidate, const WindowProblem& run,
                              const kir::Target& target) {
  const Words& words = candidate.parts.front().schedule.words;
  if (run.anyWidth)
    if (auto named = directCandidate(candidate.name(), run, target, words))
      return *std::move(named);
  const std::vector<DirectCandidate> candidates =
      (candidate.spansRows() ? spanningCandidates : directCandidates)(run, target, words);
  const auto same = std::ranges::find(candidates, candidate.name(), &DirectCandidate::name);
  return same == candidates.end() ? candidates.front() : *same;
}

} // namespace

void lowerConvDirect(const Op& op, const DirectCandidate& candidate,
                     const std::string& secondChoice, Lowering& lowering) {
  const kir::Target narrowed = lowering.target().withLanes(op.result()->type().layout.block);
  const ConvSource source = sourceOf(op, candidate.parts.front().schedule, lowering);
  const WindowProblem problem = candidate.spansRows() ? spanningProblem(op) : directProblem(op);
  std::optional<WindowSums> shift;
  if (isShifted(op, candidate.parts.front().schedule.words))
    shift.emplace(op, problem, source, lowering);
  std::vector<PartialExtremes> extremes;
  for (const GroupRun& run : mergedGroups(problem, op)) {
    const DirectCandidate own =
        run.first == 0 ? candidate : likeCandidate(candidate, run.problem, narrowed);
    for (const ConvPart& part : own.parts)
      if (const auto found = DirectConv(op, run, source, shift, part, lowering).lower(secondChoice))
        extremes.push_back(*found);
  }
  if (!extremes.empty())
    lowerDynamicScale(dynamicScaleOf(*quantizerOf(op, lowering.target()), lowering), extremes,
                      lowering);
}

} // namespace enfold::lower
