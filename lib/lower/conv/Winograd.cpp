// Winograd convolution in chunks of tiles. Of a chunk, all input channels are transformed; then for
// every group of output channel blocks the products over channels, one matrix product for each
// point of the tile, and the transform back. Fused, a chunk is one iteration and lives in scratch;
// staged, where chunks are too few to share, a first kernel transforms all inputs.
//
// The planes of a volume are transformed one by one; a plane of the result sums the products of
// those under the window. The pixels that a dilated window sees are an image of their own.
//
// So that numbers that are not finite, or huge, do not spread (conv/WinogradWindows.h), the input
// transform keeps the largest magnitude among some of the points. Points of rows and columns 0 and
// n - 1 see every pixel once, so that none hides; those of 1 add what is even. A tile where it
// reaches kLargestPoint is looked at again, pixel by pixel, and summed over its windows if these
// are of very different magnitudes.
//
// Memory, innermost last: inputs [plane][chunk][point][channel block][tile][lane], weights
// [group][point][depth of the window][channel][block][lane], products [point][tile][block][lane].
// Points are set apart by a cache line more, so that they do not fall into one set of the cache.
// Behind the last point of the inputs lie the magnitudes, and then for every tile whether it is
// summed over its windows.
#include "lower/conv/Winograd.h"

#include "lower/FetchAhead.h"
#include "lower/Scalars.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/WinogradWindows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kCacheLine = 16; ///< floats
/// Channels summed one after the other. The transform back makes rounding errors of the sums
/// larger, so that they are kept from growing with the number of channels.
constexpr int64_t kRunOfChannels = 32;

class Winograd {
public:
  Winograd(const Op& op, Lowering& lowering, const WinogradCandidate& candidate)
      : op_(op), lowering_(lowering), lanes_(op.result()->type().layout.block),
        phases_(polyphaseOf(op, lanes_)), p_(phases_.problem), s_(candidate.schedule),
        kind_(candidate.kind), w_{transformAlong(1), transformAlong(2)},
        tiles_(phases_, w_, lanes_), windows_(op, phases_, w_, tiles_),
        cin_((p_.cin + lanes_ - 1) / lanes_), cout_((p_.cout + lanes_ - 1) / lanes_),
        points_(s_.points(p_)), result_(op, lowering) {
    inputPoint_ = cin_ * s_.paddedChunk() * lanes_ + kCacheLine;
    productPoint_ = s_.paddedChunk() * s_.blocks * lanes_ + kCacheLine;
  }

  /// See CallFacts.
  void lower(const std::string& secondChoice);

private:
  using Tile = WinogradTile;
  /// Where the op's result has a block of channels of some phase.
  struct Target {
    Index block;
    Index y, x; ///< of the phase's first pixel, which may be outside
  };
  /// Blocks of input channels, and how many channels of each count.
  struct Channels {
    Index first, last;
    int64_t ofBlock;
  };
  /// Taps of the window's depth, and the transformed inputs of the chunk for each.
  struct Depth {
    Index first, last;
    std::function<kir::Place(const Index& tap)> inputs;
  };

  BufferRef packedWeights() const;
  WinogradTransform transformAlong(size_t d) const {
    return WinogradTransform::of(s_.outputs(p_, d), p_.kernel[d]);
  }
  Index tilesIn(kir::Builder& b, const Index& chunk) const {
    return min(Index(s_.chunk), kir::looseNumber(b, s_.tiles(p_)) - chunk * s_.chunk);
  }
  void declareSource(kir::Builder& b, std::vector<BufferRef>& buffers);
  void declareRest(kir::Builder& b, std::vector<BufferRef>& buffers);
  void transformInput(kir::Builder& b, const kir::Place& to, const Tile& tile,
                      const Index& channelBlock);
  void multiplyGroup(kir::Builder& b, const Depth& depth, const Index& group, const Index& count);
  void product(kir::Builder& b, const Channels& channels, const kir::Condition& isFirst,
               const kir::Place& from, const kir::Place& weights, const kir::Place& to);
  void checkTiles(kir::Builder& b, const kir::Place& inputs, const Index& count,
                  const std::function<Tile(const Index&)>& tileOf);
  kir::Place magnitudesOf(const kir::Place& inputs, const Index& tileOfChunk) const;
  void outputTile(kir::Builder& b, const Depth& depth, const Tile& tile, const Index& tileOfChunk,
                  const Index& group);
  Target targetOf(const Index& channelBlock) const;
  void finish(kir::Builder& b, const Tile& tile, const Index& channelBlock);
  kir::Kernel fused(std::vector<BufferRef>& buffers);
  kir::Kernel inputStage(std::vector<BufferRef>& buffers, const BufferRef& inputs);
  kir::Kernel checkStage(std::vector<BufferRef>& buffers, const BufferRef& inputs);
  kir::Kernel productStage(std::vector<BufferRef>& buffers, const BufferRef& inputs);
  void call(kir::Kernel kernel, std::vector<BufferRef> buffers, const std::string& secondChoice);
  int64_t inputElements() const { return (points_ + 1) * inputPoint_; }
  /// Where those of a chunk begin, of a plane of the input.
  Index inputsAt(const Index& plane, const Index& chunk) const {
    return s_.staged ? (plane * s_.chunks(p_) + chunk) * inputElements() : Index(0);
  }
  int64_t stagedElements() const { return planes(p_, p_.in) * s_.chunks(p_) * inputElements(); }

  const Op& op_;
  Lowering& lowering_;
  const int64_t lanes_;
  const Polyphase phases_;
  const WindowProblem& p_; ///< that of all phases
  const WinogradSchedule s_;
  const std::string kind_;
  const WinogradTransforms w_;
  const WinogradTiles tiles_;
  WinogradWindows windows_;
  const int64_t cin_, cout_, points_;
  int64_t inputPoint_, productPoint_; ///< distances between points
  ConvResult result_;
  std::optional<kir::Buffer> src_, weights_, products_, pixels_;
};

BufferRef Winograd::packedWeights() const {
  const int64_t cin = p_.cin, cout = p_.cout, points = points_, planes = p_.kernel[0];
  const int64_t vectors = s_.blocks * lanes_, depth = cin_ * lanes_;
  const int64_t taps = p_.kernel[1] * p_.kernel[2];
  const auto pack = [=, w = w_, phases = phases_](const Tensor& weights, float* to, int64_t) {
    withFilters(phases, weights, [&](const float* data) {
      for (int64_t first = 0; first < cout; first += vectors)
        for (int64_t plane = 0; plane < planes; ++plane)
          for (int64_t c = 0; c < cin; ++c)
            for (int64_t k = first; k < std::min(first + vectors, cout); ++k)
              transformWeights(w, data + ((k * cin + c) * planes + plane) * taps,
                               to + first * points * planes * depth +
                                   (plane * depth + c) * vectors + k - first,
                               planes * depth * vectors);
    });
  };
  return lowering_.packed<float>(
      *op_.own(1)->constant(),
      fmt::format("winograd {} {} {} {}", s_.side, vectors, p_.kernel, filtersKey(phases_)),
      points * planes * depth * cout_ * lanes_, pack);
}

/// B^T d B of one tile and channel block, to the points of `to`, and the largest magnitudes.
void Winograd::transformInput(kir::Builder& b, const kir::Place& to, const Tile& tile,
                              const Index& channelBlock) {
  const int64_t height = p_.in[1], width = p_.in[2];
  const WinogradTiles::Source source = tiles_.sourceOf(tile, channelBlock);
  const Index plane =
      ((tile.image * source.blocks + source.block) * p_.in[0] + tile.plane) * (height * width);
  const Index &y = source.y, &x = source.x;
  const int64_t stepY = source.stepY, stepX = source.stepX;
  const kir::Var largest = b.var("largest", b.zero(kir::i32(int(lanes_))));
  const auto isWatched = [](int64_t i, int64_t points) { return i < 2 || i == points - 1; };
  const auto store = [&](int64_t i, int64_t j, const Value& v) {
    b.store(to + (i * w_.x.tile + j) * inputPoint_, v);
    if (isWatched(i, w_.y.tile) && isWatched(j, w_.x.tile))
      largest.set(b.max(largest, b.bitcast(v, kir::Scalar::I32) & kMagnitudeBits));
  };
  const Index lastY = y + (w_.y.tile - 1) * stepY, lastX = x + (w_.x.tile - 1) * stepX;
  const kir::Condition inside =
      (y >= Index(0)) & (x >= Index(0)) & (lastY < Index(height)) & (lastX < Index(width));
  const auto whole = [&] {
    const auto load = [&](int64_t i, int64_t j) {
      return b.loadAs(kir::Scalar::F32,
                      (*src_)[(plane + (y + i * stepY) * width + x + j * stepX) * lanes_],
                      int(lanes_));
    };
    emitTransform(b, w_.y.input, w_.x.input, load, store);
  };
  // At the borders pixels outside are zero; what is read in their place is the nearest one inside.
  const auto clipped = [&] {
    const Value zero = b.zero(kir::f32(int(lanes_)));
    std::vector<Index> rows, columns;
    std::vector<kir::Condition> rowInside, columnInside;
    const auto clip = [](const Index& at, int64_t points, int64_t step, int64_t size,
                         std::vector<Index>& clippedTo, std::vector<kir::Condition>& isInside) {
      for (int64_t i = 0; i < points; ++i) {
        const Index pixel = at + i * step;
        clippedTo.push_back(max(min(pixel, Index(size - 1)), Index(0)));
        isInside.push_back((pixel >= Index(0)) & (pixel < Index(size)));
      }
    };
    clip(y, w_.y.tile, stepY, height, rows, rowInside);
    clip(x, w_.x.tile, stepX, width, columns, columnInside);
    const auto load = [&](int64_t i, int64_t j) {
      const auto r = static_cast<size_t>(i), c = static_cast<size_t>(j);
      const Value v = b.loadAs(
          kir::Scalar::F32, (*src_)[(plane + rows[r] * width + columns[c]) * lanes_], int(lanes_));
      const kir::Condition both = rowInside[r] & columnInside[c];
      if (const auto known = both.known()) return *known ? v : zero;
      return b.select(both.value(), v, zero);
    };
    emitTransform(b, w_.y.input, w_.x.input, load, store);
  };
  b.ifElse(inside, whole, clipped);
  b.store(to + points_ * inputPoint_, b.bitcast(largest, kir::Scalar::F32));
}

/// One register tile: the products over some channels of `pixels` tiles and `blocks` vectors, added
/// to those of the channels before unless these are the first.
void Winograd::product(kir::Builder& b, const Channels& channels, const kir::Condition& isFirst,
                       const kir::Place& from, const kir::Place& weights, const kir::Place& to) {
  const int64_t vectors = s_.blocks * lanes_, panel = s_.paddedChunk() * lanes_;
  std::vector<kir::Var> acc;
  for (int64_t i = 0; i < s_.pixels * s_.blocks; ++i)
    acc.push_back(b.var("acc", b.zero(kir::f32(int(lanes_)))));
  b.forLoop("cb", channels.first, channels.last, [&](const Index& cb) {
    const kir::Place first = from + cb * panel, vector = weights + cb * (lanes_ * vectors);
    for (int64_t c = 0; c < channels.ofBlock; ++c) {
      std::vector<Value> w;
      for (int64_t k = 0; k < s_.blocks; ++k)
        w.push_back(b.load(vector + (c * vectors + k * lanes_), int(lanes_)));
      for (int64_t pixel = 0; pixel < s_.pixels; ++pixel) {
        const Value v = b.broadcast(first + (pixel * lanes_ + c), int(lanes_));
        for (int64_t k = 0; k < s_.blocks; ++k) {
          kir::Var& sum = acc[static_cast<size_t>(pixel * s_.blocks + k)];
          sum.set(b.fma(v, w[static_cast<size_t>(k)], sum));
        }
      }
    }
  });
  const auto finish = [&](bool first) {
    for (int64_t i = 0; i < s_.pixels * s_.blocks; ++i) {
      const kir::Place place = to + i * lanes_;
      const Value sum = acc[static_cast<size_t>(i)];
      b.store(place, first ? sum : b.load(place, int(lanes_)) + sum);
    }
  };
  b.ifElse(isFirst, [&] { finish(true); }, [&] { finish(false); });
}

/// All products of a chunk with one group of output channel blocks. The weights of a run of
/// channels stay in the first cache while all tiles are multiplied with them, and those of the next
/// run are fetched meanwhile.
void Winograd::multiplyGroup(kir::Builder& b, const Depth& depth, const Index& group,
                             const Index& count) {
  const int64_t vectors = s_.blocks * lanes_, planeWeights = cin_ * lanes_ * vectors;
  const int64_t whole = p_.cin / lanes_, rest = p_.cin % lanes_;
  const int64_t run = std::max<int64_t>(1, kRunOfChannels / lanes_);
  const int64_t runWeights = run * lanes_ * vectors, panels = s_.paddedChunk() / s_.pixels;
  b.forLoop("point", 0, points_, [&](const Index& point) {
    b.forLoop("kd", depth.first, depth.last, [&](const Index& kd) {
      const kir::Place from = depth.inputs(kd) + point * inputPoint_;
      const kir::Place weights =
          (*weights_)[((group * points_ + point) * p_.kernel[0] + kd) * planeWeights];
      const auto multiply = [&](const Channels& channels, const Index& next) {
        const kir::Condition isFirst = (kd == depth.first) & (channels.first == Index(0));
        b.forLoop("panel", 0, (count + (s_.pixels - 1)) / s_.pixels, [&](const Index& panel) {
          fetchShare(b, weights + next, runWeights, panel, panels);
          product(b, channels, isFirst, from + panel * (s_.pixels * lanes_), weights,
                  (*products_)[point * productPoint_ + panel * (s_.pixels * vectors)]);
        });
      };
      b.forLoop("run", 0, (whole + run - 1) / run, [&](const Index& r) {
        multiply({r * run, min(r * run + run, Index(whole)), lanes_}, (r + 1) * runWeights);
      });
      if (rest) multiply({whole, whole + 1, rest}, planeWeights);
    });
  });
}

/// Where the magnitudes of a tile lie, and then whether it is summed over its windows.
kir::Place Winograd::magnitudesOf(const kir::Place& inputs, const Index& tileOfChunk) const {
  return inputs + points_ * inputPoint_ + tileOfChunk * lanes_;
}

/// Finds the tiles of a chunk, in one plane, that are to be summed over their windows. Lanes past
/// the last channel hold anything, and do not count.
void Winograd::checkTiles(kir::Builder& b, const kir::Place& inputs, const Index& count,
                          const std::function<Tile(const Index&)>& tileOf) {
  const kir::Type type = kir::i32(int(lanes_));
  const int64_t rest = p_.cin % lanes_, block = s_.paddedChunk() * lanes_;
  b.forLoop("tile", 0, count, [&](const Index& t) {
    const kir::Place place = magnitudesOf(inputs, t);
    const auto magnitudes = [&](const Index& cb) {
      return b.bitcast(b.load(place + cb * block, int(lanes_)), kir::Scalar::I32);
    };
    kir::Var largest = b.var("largest", b.zero(type));
    b.forLoop("cb", 0, p_.cin / lanes_,
              [&](const Index& cb) { largest.set(b.max(largest, magnitudes(cb))); });
    if (rest > 0)
      largest.set(
          b.max(largest, b.select(b.iota(type) < rest, magnitudes(cin_ - 1), b.zero(type))));
    kir::Var isHuge = b.var("is_huge", b.zero(kir::f32(1)));
    b.ifElse(
        b.reduceMax(largest) >= std::bit_cast<int32_t>(kLargestPoint),
        [&] { isHuge.set(b.cast(windows_.isUneven(b, *src_, tileOf(t)), kir::Scalar::F32)); },
        [] {});
    b.store(place, isHuge);
  });
}

/// The outputs of one tile of a chunk in a group of output channel blocks.
void Winograd::outputTile(kir::Builder& b, const Depth& depth, const Tile& tile,
                          const Index& tileOfChunk, const Index& group) {
  kir::Var isHuge = b.var("is_huge", b.zero(kir::f32(1)));
  b.forLoop("kd", depth.first, depth.last, [&](const Index& kd) {
    isHuge.set(b.max(isHuge, b.load(magnitudesOf(depth.inputs(kd), tileOfChunk))));
  });
  const Value isOrdinary = Value(isHuge) == 0.0;
  b.forLoop("block", 0, s_.blocks, [&](const Index& k) {
    const Index channelBlock = group * s_.blocks + k;
    b.ifElse(
        isOrdinary,
        [&] {
          const kir::Place from = (*products_)[(tileOfChunk * s_.blocks + k) * lanes_];
          // A^T M A
          emitTransform(
              b, w_.y.output, w_.x.output,
              [&](int64_t i, int64_t j) {
                return b.load(from + (i * w_.x.tile + j) * productPoint_, int(lanes_));
              },
              [&](int64_t i, int64_t j, const Value& v) {
                b.store((*pixels_)[(i * w_.x.outputs + j) * lanes_], v);
              });
        },
        [&] { windows_.sum(b, *src_, *pixels_, {depth.first, depth.last}, tile, channelBlock); });
    finish(b, tile, channelBlock);
  });
}

Winograd::Target Winograd::targetOf(const Index& channelBlock) const {
  if (!phases_.isTransposed) return {channelBlock, 0, 0};
  const int64_t blocks = cout_ / (phases_.resultStep[1] * phases_.resultStep[2]);
  const Index phase = channelBlock / blocks;
  return {channelBlock % blocks, phase / phases_.resultStep[2] + phases_.firstResult[1],
          phase % phases_.resultStep[2] + phases_.firstResult[2]};
}

/// Bias and epilogue for each pixel of a tile that is inside.
void Winograd::finish(kir::Builder& b, const Tile& tile, const Index& channelBlock) {
  const int64_t m = w_.x.outputs;
  const WindowProblem& own = phases_.own;
  const Target target = targetOf(channelBlock);
  const int64_t stepY = tiles_.stepY() * phases_.resultStep[1],
                stepX = tiles_.stepX() * phases_.resultStep[2];
  const Index firstY = tile.y * phases_.resultStep[1] + target.y;
  const Index firstX = tile.x * phases_.resultStep[2] + target.x;
  const std::optional<Value> bias = result_.bias(b, target.block);
  const auto pixel = [&](const Index& i, const Index& j) {
    const Value sum = b.load((*pixels_)[(i * m + j) * lanes_], int(lanes_));
    const Index linear =
        (tile.plane * own.out[1] + firstY + i * stepY) * own.out[2] + firstX + j * stepX;
    result_.store(b, sum, bias, tile.image, target.block, linear);
  };
  // Only a transposed convolution has pixels in front of the first one.
  const auto begin = [&](const Index& first, int64_t step) {
    return phases_.isTransposed ? max(Index(0), (step - 1 - first) / step) : Index(0);
  };
  const auto end = [](int64_t outputs, int64_t size, const Index& first, int64_t step) {
    return min(Index(outputs), max(Index(0), (size - first + (step - 1)) / step));
  };
  const Index beginX = begin(firstX, stepX);
  b.forLoop("i", begin(firstY, stepY), end(w_.y.outputs, own.out[1], firstY, stepY),
            [&](const Index& i) {
              b.ifElse((beginX == Index(0)) & (firstX + (m - 1) * stepX < Index(own.out[2])),
                       [&] {
                         for (int64_t j = 0; j < m; ++j) pixel(i, j);
                       },
                       [&] {
                         b.forLoop("j", beginX, end(m, own.out[2], firstX, stepX),
                                   [&](const Index& j) { pixel(i, j); });
                       });
            });
}

void Winograd::declareSource(kir::Builder& b, std::vector<BufferRef>& buffers) {
  src_ = b.input("src", *scalarOf(op_.own(0)->elem()), elementsOf(op_.own(0)->type()));
  buffers = {lowering_.storage(op_.own(0))};
}

/// Everything but the inputs, in the order of declaration.
void Winograd::declareRest(kir::Builder& b, std::vector<BufferRef>& buffers) {
  weights_ =
      b.input("wei", kir::Scalar::F32, points_ * p_.kernel[0] * cin_ * cout_ * lanes_ * lanes_);
  buffers.push_back(packedWeights());
  windows_.declareFilters(b, buffers, lowering_);
  result_.declare(b, buffers);
  products_ = b.scratch("products", kir::Scalar::F32, points_ * productPoint_);
  pixels_ = b.local("pixels", kir::Scalar::F32, w_.y.outputs * w_.x.outputs * lanes_);
}

kir::Kernel Winograd::fused(std::vector<BufferRef>& buffers) {
  kir::Builder b("conv_winograd");
  declareSource(b, buffers);
  declareRest(b, buffers);
  windows_.declareMagnitudes(b);
  const kir::Buffer inputs = b.scratch("inputs", kir::Scalar::F32, inputElements());
  b.parallelFor("chunk", s_.chunks(p_), [&](const Index& chunk) {
    const Index count = tilesIn(b, chunk);
    b.forLoop("tile", 0, count, [&](const Index& t) {
      const Tile tile = tiles_.at(0, 1, chunk * s_.chunk + t);
      b.forLoop("cb", 0, cin_, [&](const Index& cb) {
        transformInput(b, inputs[(cb * s_.paddedChunk() + t) * lanes_], tile, cb);
      });
    });
    const Depth depth = {0, 1, [&](const Index&) { return inputs[0]; }};
    checkTiles(b, inputs[0], count,
               [&](const Index& t) { return tiles_.at(0, 1, chunk * s_.chunk + t); });
    b.forLoop("group", 0, cout_ / s_.blocks, [&](const Index& group) {
      multiplyGroup(b, depth, group, count);
      b.forLoop("tile", 0, count, [&](const Index& t) {
        outputTile(b, depth, tiles_.at(0, 1, chunk * s_.chunk + t), t, group);
      });
    });
  });
  return b.finish();
}

kir::Kernel Winograd::inputStage(std::vector<BufferRef>& buffers, const BufferRef& inputs) {
  kir::Builder b("winograd_inputs");
  declareSource(b, buffers);
  const kir::Buffer to = b.output("to", kir::Scalar::F32, stagedElements());
  buffers.push_back(inputs);
  const int64_t chunks = s_.chunks(p_);
  const int64_t extents[] = {planes(p_, p_.in), chunks, cin_};
  const std::string_view names[] = {"plane", "chunk", "cb"};
  b.parallelGrid(extents, names, {1}, [&](std::span<const Index> at) {
    const Index &plane = at[0], &chunk = at[1], &cb = at[2];
    const Index begin = inputsAt(plane, chunk);
    b.forLoop("tile", 0, tilesIn(b, chunk), [&](const Index& t) {
      transformInput(b, to[begin + (cb * s_.paddedChunk() + t) * lanes_],
                     tiles_.at(plane, p_.in[0], chunk * s_.chunk + t), cb);
    });
  });
  return b.finish();
}

kir::Kernel Winograd::checkStage(std::vector<BufferRef>& buffers, const BufferRef& inputs) {
  kir::Builder b("winograd_check");
  declareSource(b, buffers);
  const kir::Buffer points = b.inout("points", kir::Scalar::F32, stagedElements());
  buffers.push_back(inputs);
  windows_.declareMagnitudes(b);
  const int64_t extents[] = {planes(p_, p_.in), s_.chunks(p_)};
  const std::string_view names[] = {"plane", "chunk"};
  b.parallelGrid(extents, names, {1}, [&](std::span<const Index> at) {
    checkTiles(b, points[inputsAt(at[0], at[1])], tilesIn(b, at[1]),
               [&](const Index& t) { return tiles_.at(at[0], p_.in[0], at[1] * s_.chunk + t); });
  });
  return b.finish();
}

kir::Kernel Winograd::productStage(std::vector<BufferRef>& buffers, const BufferRef& inputs) {
  kir::Builder b("winograd_products");
  declareSource(b, buffers);
  const kir::Buffer from = b.input("from", kir::Scalar::F32, stagedElements());
  buffers.push_back(inputs);
  declareRest(b, buffers);
  const int64_t chunks = s_.chunks(p_);
  const int64_t extents[] = {planes(p_, p_.out), chunks, cout_ / s_.blocks};
  const std::string_view names[] = {"plane", "chunk", "group"};
  b.parallelGrid(extents, names, {1}, [&](std::span<const Index> at) {
    const Index &plane = at[0], &chunk = at[1], &group = at[2];
    const Index count = tilesIn(b, chunk), od = plane % p_.out[0];
    const TapRange inside = tapsInside(p_, 0, od);
    const Index first =
        plane / p_.out[0] * p_.in[0] + od * p_.strides[0] - p_.padsBegin[0]; // under tap 0
    const auto inputsOf = [&](const Index& kd) {
      return from[inputsAt(first + kd * p_.dilations[0], chunk)];
    };
    const Depth depth = {inside.lo, inside.hi, inputsOf};
    multiplyGroup(b, depth, group, count);
    b.forLoop("tile", 0, count, [&](const Index& t) {
      outputTile(b, depth, tiles_.at(plane, p_.out[0], chunk * s_.chunk + t), t, group);
    });
  });
  return b.finish();
}

/// The call of which the results are.
void Winograd::call(kir::Kernel kernel, std::vector<BufferRef> buffers,
                    const std::string& secondChoice) {
  lowering_.call(
      std::move(kernel), std::move(buffers),
      {.algorithm = fmt::format("{}{}{} {}x{}", phases_.isTransposed ? "conv_transposed " : "",
                                kind_, s_.staged ? " staged" : "", s_.pixels, s_.blocks),
       .secondChoice = secondChoice,
       .flops = phases_.flops() + result_.flops()});
}

void Winograd::lower(const std::string& secondChoice) {
  std::vector<BufferRef> buffers;
  if (!s_.staged) {
    kir::Kernel kernel = fused(buffers);
    call(std::move(kernel), std::move(buffers), secondChoice);
    return;
  }
  const BufferRef inputs = lowering_.temporary(4 * stagedElements());
  kir::Kernel first = inputStage(buffers, inputs);
  lowering_.call(
      std::move(first), std::move(buffers),
      {.algorithm = "winograd_inputs",
       .flops = static_cast<double>(planes(p_, p_.in) * s_.tiles(p_) * points_ * cin_ * lanes_)});
  kir::Kernel check = checkStage(buffers, inputs);
  lowering_.call(
      std::move(check), std::move(buffers),
      {.algorithm = "winograd_check",
       .bytes = static_cast<double>(4 * planes(p_, p_.in) * s_.tiles(p_) * cin_ * lanes_)});
  kir::Kernel second = productStage(buffers, inputs);
  call(std::move(second), std::move(buffers), secondChoice);
}

} // namespace

void lowerConvWinograd(const Op& op, const WinogradCandidate& candidate,
                       const std::string& secondChoice, Lowering& lowering) {
  Winograd(op, lowering, candidate).lower(secondChoice);
}

} // namespace enfold::lower
