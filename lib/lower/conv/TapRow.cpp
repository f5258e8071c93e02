// Two orders of the same products. Tap by tap, every tap loads its pixels anew, in a loop of its
// own: written out one after the other, code generation would keep the pixels that taps have in
// common in registers, of which there are none left. A row of few words is no loop; there a barrier
// stands between the taps. Sharing, the weights of all taps are held in registers and every pixel
// is loaded once, which pays when the tile has few blocks of channels and loads are what bounds it.
#include "lower/conv/TapRow.h"

#include "lower/window/Tiles.h"

#include <algorithm>
#include <bit>

namespace enfold::lower {

using kir::Index;
using kir::Value;

struct TapRow::Tile {
  const Source& source;
  const Weights& weights;
  int64_t words, begin, pixels;
  std::vector<kir::Var>& accumulators;
};

namespace {

/// How many of `count` words an iteration takes, at most `most`. One iteration and a rest would be
/// no loop, in which loads go far ahead of the products and leave no registers for the sums.
int64_t wordsAtOnce(int64_t count, int64_t most) {
  if (count <= most) return std::max<int64_t>(1, count);
  for (int64_t some = most; some > most / 2; --some)
    if (count % some == 0) return some;
  return count < 2 * most ? most / 2 : most;
}

} // namespace

template <typename Body> void TapRow::forWords(const Tile& tile, Body&& body) {
  const int64_t count = tile.words - tile.source.endsInHalfWord;
  const int64_t unroll = wordsAtOnce(count, schedule_.unroll);
  const int64_t rest = count % unroll;
  b_.forLoop("c", 0, count - rest, unroll, [&](const Index& c) {
    for (int64_t u = 0; u < unroll; ++u) body(c + u, false);
  });
  for (int64_t u = 0; u < rest; ++u) body(Index(count - rest + u), false);
  if (tile.source.endsInHalfWord) body(Index(count), true);
}

std::vector<TapWeight> TapRow::weightOrder(const ConvSchedule& schedule, int64_t words,
                                           int64_t taps) {
  std::vector<TapWeight> order;
  if (schedule.sharesPixels)
    for (int64_t c = 0; c < words; ++c)
      for (int64_t x = 0; x < taps; ++x) order.push_back({c, x});
  else
    for (int64_t x = 0; x < taps; ++x)
      for (int64_t c = 0; c < words; ++c) order.push_back({c, x});
  return order;
}

void TapRow::reduce(const Source& source, const Weights& weights, int64_t words, int64_t begin,
                    int64_t pixels, std::vector<kir::Var>& accumulators) {
  const Tile tile = {source, weights, words, begin, pixels, accumulators};
  schedule_.sharesPixels ? sharing(tile) : tapByTap(tile);
}

/// Of the vector behind those of `first`.
TapRow::Weight TapRow::load(const kir::Place& first, int64_t vector) {
  const auto elements = static_cast<int>(lanes_ * schedule_.words.channels);
  const Value value = b_.load(first + vector * elements, elements);
  if (!merged_) return {value, std::nullopt};
  constexpr uint32_t kWord = kHalfOfOtherGroup * 0x10001u;
  const auto other = schedule_.words == kHalves ? std::bit_cast<int32_t>(kWord)
                                                : std::bit_cast<int32_t>(kOfOtherGroup);
  return {value, b_.bitcast(value, kir::Scalar::I32) != static_cast<int64_t>(other)};
}

/// Where vectors of weights begin, from number `first` on.
kir::Place TapRow::vectorsAt(const Weights& weights, const Index& first) const {
  return weights.buffer[weights.at + first * (lanes_ * schedule_.words.channels)];
}

/// Of pixel `i` of a tile, where `first` is what its first one reads.
Value TapRow::pixel(const Source& source, const kir::Place& first, int64_t i, bool isHalf) {
  const kir::Place place =
      first + (source.pixels.empty() ? Index(i * p_.strides[2] * source.pixelStride)
                                     : source.pixels[static_cast<size_t>(i)]);
  if (place.buffer.elem() != schedule_.words.pixel)
    return b_.splat(b_.loadAs(schedule_.words.pixel, place), int(lanes_));
  const Value value = b_.broadcastWord(place, schedule_.words.channels, int(lanes_));
  if (!isHalf) return value;
  return b_.bitcast(b_.bitcast(value, kir::Scalar::I32) & 0xffff, value.type().scalar);
}

void TapRow::accumulate(kir::Var& sum, const Value& pixel, const Weight& weight) {
  const Value next = isDot() ? b_.dot(sum, pixel, weight.value) : b_.fma(pixel, weight.value, sum);
  sum.set(weight.isOwn ? b_.select(*weight.isOwn, next, sum) : next);
}

void TapRow::tapByTap(const Tile& tile) {
  const int64_t blocks = schedule_.blocks;
  const bool isAnywhere = !tile.source.pixels.empty();
  const auto product = [&](const Index& x, const Index& c, int64_t anyTap, bool isHalf) {
    const Source& source = tile.source;
    const kir::Place vectors = vectorsAt(tile.weights, (x * tile.weights.words + c) * blocks);
    const kir::Place first =
        source
            .buffer[source.at + c * source.wordStride + x * (p_.dilations[2] * source.pixelStride)];
    std::vector<Weight> w;
    for (int64_t block = 0; block < blocks; ++block) w.push_back(load(vectors, block));
    for (int64_t i = 0; i < tile.pixels; ++i) {
      if (!isAnywhere && !tapInside(p_, tile.begin + i, anyTap)) continue;
      const Value v = pixel(source, first, i, isHalf);
      for (int64_t block = 0; block < blocks; ++block) {
        kir::Var& acc = tile.accumulators[static_cast<size_t>(i * blocks + block)];
        accumulate(acc, v, w[static_cast<size_t>(block)]);
      }
    }
  };
  const std::vector<TapRun> runs =
      isAnywhere ? std::vector<TapRun>{{0, p_.kernel[2]}} : tapRuns(p_, tile.begin, tile.pixels);
  for (const TapRun& run : runs) {
    if (isDot() && run.lo > runs.front().lo) b_.barrier();
    b_.forLoop("x", run.lo, run.hi, [&](const Index& x) {
      forWords(tile, [&](const Index& c, bool isHalf) { product(x, c, run.lo, isHalf); });
    });
  }
}

void TapRow::sharing(const Tile& tile) {
  const int64_t blocks = schedule_.blocks, kw = p_.kernel[2];
  const std::vector<TileColumn> columns = tileColumns(p_, tile.begin, tile.pixels);
  forWords(tile, [&](const Index& c, bool isHalf) {
    if (isDot()) b_.barrier();
    const Source& source = tile.source;
    const kir::Place vectors = vectorsAt(tile.weights, c * (kw * blocks));
    const kir::Place first = source.buffer[source.at + c * source.wordStride];
    std::vector<Weight> w;
    for (int64_t i = 0; i < kw * blocks; ++i) w.push_back(load(vectors, i));
    for (const TileColumn& column : columns) {
      const Value v = pixel(source, first + column.at * source.pixelStride, 0, isHalf);
      for (const auto& [i, tap] : column.uses)
        for (int64_t block = 0; block < blocks; ++block) {
          kir::Var& acc = tile.accumulators[static_cast<size_t>(i * blocks + block)];
          accumulate(acc, v, w[static_cast<size_t>(tap * blocks + block)]);
        }
    }
  });
}

} // namespace enfold::lower
