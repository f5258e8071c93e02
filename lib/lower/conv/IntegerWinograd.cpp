// F(4 x 4, 3 x 3) in integers: the matrices of WinogradTransform.h with rows of G multiplied by 24,
// 6, 6, 24, 24 and 6, so that they are whole, and columns of A^T by 1, 4, 4, 1, 1 and 4, so that
// all products count 24 times; rows of A^T are then divided by the factors that they have in
// common. A sum y so comes out as 9 * 2^s * y with s <= 6, modulo 2^32: the inverse of 9 and a
// shift give y, if |y| < 2^25. Points and transformed weights fit 16 bits. docs/numerics.md has the
// proof.
//
// As in Winograd.cpp, a chunk of tiles is transformed, multiplied and transformed back while it is
// in the cache. Memory, innermost last: inputs [chunk][point][unit][tile][lane], weights
// [group][point][word][block][lane][2], products [point][tile][block][lane]. A unit is a vector of
// 16-bit numbers: two blocks of channels.
#include "lower/conv/IntegerWinograd.h"

#include "kernel/LooseRanges.h"
#include "lower/FetchAhead.h"
#include "lower/Layouts.h"
#include "lower/LooseIndex.h"
#include "lower/Scalars.h"
#include "lower/conv/ConvOperands.h"
#include "lower/conv/IntegerOperands.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int64_t kOutputs = 4, kSide = 6, kPoints = kSide * kSide;
constexpr int64_t kCacheLine = 64;
constexpr int64_t kInverseOf9 = 0x38e38e39; ///< modulo 2^32
/// Sums below are exact.
constexpr double kLargestSum = 0x1p25;

/// G, its rows made whole.
constexpr std::array<std::array<int, 3>, kSide> kWeights = {
    {{6, 0, 0}, {-1, -1, -1}, {-1, 1, -1}, {1, 2, 4}, {1, -2, 4}, {0, 0, 6}}};
/// Output i along a side comes out 3 * 2^kShift[i] times.
constexpr std::array<int64_t, kOutputs> kShift = {3, 2, 1, 1};

/// B^T d.
std::array<Value, kSide> transformedInputs(const std::array<Value, kSide>& d) {
  const Value even = d[4] - d[2], odd = d[3] - d[1];
  const Value even1 = d[4] - d[2] * 4, odd1 = d[3] - d[1] * 4, odd2 = odd + odd;
  return {(d[0] - d[2]) * 4 + even, even1 + odd1, even1 - odd1, even + odd2, even - odd2,
          d[5] - d[3] - odd * 4};
}

/// A^T m.
std::array<Value, kOutputs> transformedProducts(const std::array<Value, kSide>& m) {
  const Value even1 = m[1] + m[2], odd1 = m[1] - m[2], even2 = m[3] + m[4], odd2 = m[3] - m[4];
  return {m[0] + even1 * 4 + even2, odd1 + odd1 + odd2, even1 + even2, odd1 + odd2 + odd2 + m[5]};
}

/// The transform along the columns of a tile, then along the rows of what that gives.
template <size_t kCount, typename Load, typename Store>
void transformTile(std::array<Value, kCount> (*transformed)(const std::array<Value, kSide>&),
                   Load&& load, Store&& store) {
  std::vector<std::array<Value, kCount>> columns;
  for (int64_t j = 0; j < kSide; ++j)
    columns.push_back(
        transformed({load(0, j), load(1, j), load(2, j), load(3, j), load(4, j), load(5, j)}));
  for (size_t i = 0; i < kCount; ++i) {
    const auto row = transformed(
        {columns[0][i], columns[1][i], columns[2][i], columns[3][i], columns[4][i], columns[5][i]});
    for (size_t j = 0; j < kCount; ++j) store(i, j, row[j]);
  }
}

/// G g G^T of a filter, `stride` apart.
void transformFilter(const std::array<int, 9>& g, int16_t* to, int64_t stride) {
  for (const auto& row : kWeights)
    for (const auto& column : kWeights) {
      int sum = 0;
      for (size_t y = 0; y < 3; ++y)
        for (size_t x = 0; x < 3; ++x) sum += row[y] * column[x] * g[3 * y + x];
      *to = static_cast<int16_t>(sum);
      to += stride;
    }
}

/// The largest magnitude that a sum of any channel can have.
double largestSum(const Op& op) {
  const Tensor& weights = *op.own(1)->constant();
  const IntegerWeights values(op);
  const double least = op.own(0)->elem() == ElemType::I8 ? -128 : 0;
  const InputZero zero(op);
  // Of pixels less the zero point; one that is not known is any number.
  const double above = zero.isKnown() ? least + 255 - static_cast<double>(zero.number()) : 255;
  const double below = zero.isKnown() ? static_cast<double>(zero.number()) - least : 255;
  const int64_t channels = weights.shape()[0], terms = weights.numElements() / channels;
  double largest = 0;
  for (int64_t k = 0; k < channels; ++k) {
    double positive = 0, negative = 0;
    for (int64_t i = k * terms; i < (k + 1) * terms; ++i) {
      const int w = values.at(weights, i, k);
      (w > 0 ? positive : negative) += std::abs(w);
    }
    largest = std::max(
        {largest, positive * above + negative * below, positive * below + negative * above});
  }
  return largest;
}

class IntegerWinograd {
public:
  IntegerWinograd(const Op& op, Lowering& lowering, const WinogradSchedule& schedule)
      : op_(op), lowering_(lowering), p_(windowProblem(op)), s_(schedule),
        lanes_(op.result()->type().layout.block), cin_((p_.cin + lanes_ - 1) / lanes_),
        cout_((p_.cout + lanes_ - 1) / lanes_), units_((cin_ + 1) / 2), step_(p_.dilations[1]),
        tilesX_(tilesAlong(2)), tilesY_(tilesAlong(1)), zero_(op), result_(op, lowering) {
    inputPoint_ = units_ * s_.paddedChunk() * 2 * lanes_ + kCacheLine / 2;
    productPoint_ = s_.paddedChunk() * s_.blocks * lanes_ + kCacheLine / 4;
  }

  /// See CallFacts.
  void lower(const std::string& secondChoice);

private:
  struct Tile {
    Index image, y, x; ///< y, x: its first output pixel
  };

  int64_t tilesAlong(size_t d) const {
    const int64_t pixels = (p_.out[d] + step_ - 1) / step_; // that a dilated window sees together
    return (pixels + kOutputs - 1) / kOutputs;
  }
  Tile tileAt(const Index& tile) const;
  Index tilesIn(kir::Builder& b, const Index& chunk) const {
    return min(Index(s_.chunk), kir::looseNumber(b, s_.tiles(p_)) - chunk * s_.chunk);
  }
  /// Words of a group's weights at a point.
  int64_t words() const { return units_ * lanes_; }
  BufferRef packedWeights() const;
  void declareSource(kir::Builder& b, std::vector<BufferRef>& buffers);
  void declareRest(kir::Builder& b, std::vector<BufferRef>& buffers);
  void transformInputs(kir::Builder& b, const kir::Place& to, const Tile& tile);
  void transformUnit(kir::Builder& b, const kir::Place& to, const Tile& tile, const Index& block,
                     int blocks);
  void multiplyGroup(kir::Builder& b, const kir::Place& inputs, const Index& group,
                     const Index& count);
  void product(kir::Builder& b, const kir::Place& from, const kir::Place& weights,
               const kir::Place& to);
  void outputTiles(kir::Builder& b, const Index& chunk, const Index& group, const Index& count);
  void outputTile(kir::Builder& b, const Tile& tile, const Index& tileOfChunk, const Index& group);
  void finish(kir::Builder& b, const Tile& tile, const Index& channelBlock);
  kir::Kernel fused(std::vector<BufferRef>& buffers);
  kir::Kernel inputStage(std::vector<BufferRef>& buffers, const BufferRef& inputs);
  kir::Kernel productStage(std::vector<BufferRef>& buffers, const BufferRef& inputs);
  int64_t inputElements() const { return kPoints * inputPoint_; }
  int64_t stagedElements() const { return s_.chunks(p_) * inputElements(); }

  const Op& op_;
  Lowering& lowering_;
  const WindowProblem p_;
  const WinogradSchedule s_;
  const int64_t lanes_, cin_, cout_, units_; ///< blocks of channels, and units of the inputs
  const int64_t step_;                       ///< between the pixels of a tile
  const int64_t tilesX_, tilesY_;
  int64_t inputPoint_, productPoint_; ///< distances between points
  InputZero zero_;
  ConvResult result_;
  std::optional<kir::Buffer> src_, weights_, products_, pixels_;
};

BufferRef IntegerWinograd::packedWeights() const {
  const IntegerWeights values(op_);
  const int64_t vectors = s_.blocks * lanes_, depth = 2 * words();
  const auto pack = [=, cin = p_.cin, cout = p_.cout](const Tensor& weights, int16_t* to, int64_t) {
    for (int64_t k = 0; k < cout; ++k)
      for (int64_t c = 0; c < cin; ++c) {
        std::array<int, 9> filter{};
        for (size_t i = 0; i < 9; ++i)
          filter[i] = values.at(weights, (k * cin + c) * 9 + static_cast<int64_t>(i), k);
        transformFilter(filter,
                        to + k / vectors * kPoints * depth * vectors + c / 2 * 2 * vectors +
                            k % vectors * 2 + c % 2,
                        depth * vectors);
      }
  };
  return lowering_.packed<int16_t>(*op_.own(1)->constant(),
                                   fmt::format("winograd pairs {} {}", vectors, values.key()),
                                   kPoints * depth * cout_ * lanes_, pack);
}

IntegerWinograd::Tile IntegerWinograd::tileAt(const Index& tile) const {
  const Index lattice = quotient(tile, tilesX_ * tilesY_); // of those that a dilated window sees
  return {lattice / (step_ * step_),
          remainder(quotient(tile, tilesX_), tilesY_) * (kOutputs * step_) +
              lattice / step_ % step_,
          remainder(tile, tilesX_) * (kOutputs * step_) + lattice % step_};
}

/// B^T d B of all channels of a tile, to the points of `to`.
void IntegerWinograd::transformInputs(kir::Builder& b, const kir::Place& to, const Tile& tile) {
  const int64_t unit = s_.paddedChunk() * 2 * lanes_;
  b.forLoop("unit", 0, cin_ / 2,
            [&](const Index& u) { transformUnit(b, to + u * unit, tile, u * 2, 2); });
  if (cin_ % 2) transformUnit(b, to + (units_ - 1) * unit, tile, cin_ - 1, 1);
}

/// Of `blocks` blocks of channels, one or two, from `block` on.
void IntegerWinograd::transformUnit(kir::Builder& b, const kir::Place& to, const Tile& tile,
                                    const Index& block, int blocks) {
  const int64_t height = p_.in[1], width = p_.in[2], size = height * width * lanes_;
  const Index first = (tile.image * cin_ + block) * size;
  const Index y = tile.y - p_.padsBegin[1], x = tile.x - p_.padsBegin[2];
  const auto pixel = [&](const Index& row, const Index& column) {
    const Index at = first + (row * width + column) * lanes_;
    const auto wide = [&](const Index& from) {
      return b.cast(b.load((*src_)[from], int(lanes_)), kir::Scalar::I16);
    };
    const Value v = blocks == 1 ? wide(at) : b.concat(wide(at), wide(at + size));
    return zero_.subtractedFrom(b, v);
  };
  const auto transform = [&](const std::function<Value(int64_t, int64_t)>& load) {
    transformTile(transformedInputs, load, [&](size_t i, size_t j, const Value& point) {
      b.store(to + static_cast<int64_t>(i * kSide + j) * inputPoint_, point);
    });
  };
  const int64_t span = (kSide - 1) * step_;
  const kir::Condition inside =
      (y >= Index(0)) & (x >= Index(0)) & (y + span < Index(height)) & (x + span < Index(width));
  const auto whole = [&] {
    transform([&](int64_t i, int64_t j) { return pixel(y + i * step_, x + j * step_); });
  };
  // Pixels outside are zero; what is read in their place is the nearest one inside.
  const auto clipped = [&] {
    const Value zero = b.zero({kir::Scalar::I16, static_cast<int>(blocks * lanes_)});
    struct Axis {
      std::vector<Index> at;
      std::vector<kir::Condition> inside;
    };
    const auto clip = [&](const Index& from, int64_t end) {
      Axis axis;
      for (int64_t i = 0; i < kSide; ++i) {
        const Index at = from + i * step_;
        axis.at.push_back(max(min(at, Index(end - 1)), Index(0)));
        axis.inside.push_back((at >= Index(0)) & (at < Index(end)));
      }
      return axis;
    };
    const Axis rows = clip(y, height), columns = clip(x, width);
    transform([&](int64_t i, int64_t j) {
      const auto r = static_cast<size_t>(i), c = static_cast<size_t>(j);
      const kir::Condition both = rows.inside[r] & columns.inside[c];
      if (both.known() == false) return zero;
      const Value v = pixel(rows.at[r], columns.at[c]);
      return both.known() ? v : b.select(both.value(), v, zero);
    });
  };
  b.ifElse(inside, whole, clipped);
}

/// A register tile: the sums over all channels of `pixels` tiles and `blocks` vectors.
void IntegerWinograd::product(kir::Builder& b, const kir::Place& from, const kir::Place& weights,
                              const kir::Place& to) {
  const int64_t vectors = s_.blocks * lanes_, panel = s_.paddedChunk() * 2 * lanes_;
  std::vector<kir::Var> sums;
  for (int64_t i = 0; i < s_.pixels * s_.blocks; ++i)
    sums.push_back(b.var("acc", b.zero(kir::i32(int(lanes_)))));
  const auto unit = [&](const Index& u, int64_t count) {
    for (int64_t word = 0; word < count; ++word) {
      std::vector<Value> w;
      for (int64_t k = 0; k < s_.blocks; ++k)
        w.push_back(b.load(weights + ((u * lanes_ + word) * vectors + k * lanes_) * 2,
                           static_cast<int>(2 * lanes_)));
      for (int64_t pixel = 0; pixel < s_.pixels; ++pixel) {
        const Value v = b.broadcastWord(from + u * panel + pixel * 2 * lanes_ + word * 2, 2,
                                        static_cast<int>(lanes_));
        for (int64_t k = 0; k < s_.blocks; ++k) {
          const kir::Var& sum = sums[static_cast<size_t>(pixel * s_.blocks + k)];
          sum.set(b.dot(sum, v, w[static_cast<size_t>(k)]));
        }
      }
    }
  };
  const int64_t whole = p_.cin / (2 * lanes_), rest = p_.cin % (2 * lanes_);
  b.forLoop("unit", 0, whole, [&](const Index& u) { unit(u, lanes_); });
  if (rest) unit(whole, (rest + 1) / 2);
  for (size_t i = 0; i < sums.size(); ++i) b.store(to + static_cast<int64_t>(i) * lanes_, sums[i]);
}

/// All products of a chunk with one group of output channel blocks. While those of a point are
/// computed, the weights of the next one come into the second-level cache.
void IntegerWinograd::multiplyGroup(kir::Builder& b, const kir::Place& inputs, const Index& group,
                                    const Index& count) {
  const int64_t vectors = s_.blocks * lanes_, pointWeights = 2 * words() * vectors;
  const int64_t panels = s_.paddedChunk() / s_.pixels;
  b.forLoop("point", 0, kPoints, [&](const Index& point) {
    const kir::Place weights = (*weights_)[(group * kPoints + point) * pointWeights];
    b.forLoop("panel", 0, (count + (s_.pixels - 1)) / s_.pixels, [&](const Index& panel) {
      fetchShare(b, weights + pointWeights, pointWeights, panel, panels, kir::Scalar::I16);
      product(b, inputs + point * inputPoint_ + panel * (s_.pixels * 2 * lanes_), weights,
              (*products_)[point * productPoint_ + panel * (s_.pixels * vectors)]);
    });
  });
}

void IntegerWinograd::outputTiles(kir::Builder& b, const Index& chunk, const Index& group,
                                  const Index& count) {
  b.forLoop("tile", 0, count,
            [&](const Index& t) { outputTile(b, tileAt(chunk * s_.chunk + t), t, group); });
}

/// The outputs of one tile of a chunk in a group of output channel blocks.
void IntegerWinograd::outputTile(kir::Builder& b, const Tile& tile, const Index& tileOfChunk,
                                 const Index& group) {
  b.forLoop("block", 0, s_.blocks, [&](const Index& k) {
    const kir::Place from = (*products_)[(tileOfChunk * s_.blocks + k) * lanes_];
    const auto load = [&](int64_t i, int64_t j) {
      return b.load(from + (i * kSide + j) * productPoint_, int(lanes_));
    };
    transformTile(transformedProducts, load, [&](size_t i, size_t j, const Value& sum) {
      b.store((*pixels_)[static_cast<int64_t>(i * kOutputs + j) * lanes_],
              (sum * kInverseOf9) >> (kShift[i] + kShift[j]));
    });
    finish(b, tile, group * s_.blocks + k);
  });
}

/// The epilogue for each pixel of a tile that is inside.
void IntegerWinograd::finish(kir::Builder& b, const Tile& tile, const Index& channelBlock) {
  const auto pixels = [&](const Index& i, const Index& j, int64_t count) {
    const Value sums =
        b.load((*pixels_)[(i * kOutputs + j) * lanes_], static_cast<int>(count * lanes_));
    const Index number = (tile.y + i * step_) * p_.out[2] + tile.x + j * step_;
    result_.store(b, sums, std::nullopt, tile.image, channelBlock, number);
  };
  const auto inside = [&](int64_t size, const Index& first) {
    return min(Index(kOutputs), max(Index(0), (size - first + (step_ - 1)) / step_));
  };
  const int64_t together = step_ == 1 ? std::min<int64_t>(kOutputs, result_.pixelsTogether()) : 1;
  b.forLoop("i", 0, inside(p_.out[1], tile.y), [&](const Index& i) {
    b.ifElse(
        tile.x + (kOutputs - 1) * step_ < Index(p_.out[2]),
        [&] {
          for (int64_t j = 0; j < kOutputs; j += together) pixels(i, j, together);
        },
        [&] {
          b.forLoop("j", 0, inside(p_.out[2], tile.x), [&](const Index& j) { pixels(i, j, 1); });
        });
  });
}

void IntegerWinograd::declareSource(kir::Builder& b, std::vector<BufferRef>& buffers) {
  const Type& type = op_.own(0)->type();
  src_ = b.input("src", *scalarOf(type.elem), elementsOf(type));
  buffers = {lowering_.storage(op_.own(0))};
  zero_.declare(b, buffers, lowering_);
}

/// Everything but the inputs, in the order of declaration.
void IntegerWinograd::declareRest(kir::Builder& b, std::vector<BufferRef>& buffers) {
  weights_ = b.input("wei", kir::Scalar::I16, kPoints * 2 * words() * cout_ * lanes_);
  buffers.push_back(packedWeights());
  result_.declare(b, buffers);
  products_ = b.scratch("products", kir::Scalar::I32, kPoints * productPoint_);
  pixels_ = b.local("pixels", kir::Scalar::I32, kOutputs * kOutputs * lanes_);
}

kir::Kernel IntegerWinograd::fused(std::vector<BufferRef>& buffers) {
  kir::Builder b("conv_winograd");
  declareSource(b, buffers);
  declareRest(b, buffers);
  const kir::Buffer inputs = b.scratch("inputs", kir::Scalar::I16, inputElements());
  result_.measure(b, buffers, s_.chunks(p_));
  b.parallelFor("chunk", s_.chunks(p_), [&](const Index& chunk) {
    const Index count = tilesIn(b, chunk);
    b.forLoop("tile", 0, count, [&](const Index& t) {
      transformInputs(b, inputs[t * 2 * lanes_], tileAt(chunk * s_.chunk + t));
    });
    result_.iteration(b, chunk, [&] {
      b.forLoop("group", 0, cout_ / s_.blocks, [&](const Index& group) {
        multiplyGroup(b, inputs[0], group, count);
        outputTiles(b, chunk, group, count);
      });
    });
  });
  return b.finish();
}

kir::Kernel IntegerWinograd::inputStage(std::vector<BufferRef>& buffers, const BufferRef& inputs) {
  kir::Builder b("winograd_inputs");
  declareSource(b, buffers);
  const kir::Buffer to = b.output("to", kir::Scalar::I16, stagedElements());
  buffers.push_back(inputs);
  b.parallelFor("tile", s_.tiles(p_), [&](const Index& tile) {
    transformInputs(b, to[tile / s_.chunk * inputElements() + tile % s_.chunk * (2 * lanes_)],
                    tileAt(tile));
  });
  return b.finish();
}

kir::Kernel IntegerWinograd::productStage(std::vector<BufferRef>& buffers,
                                          const BufferRef& inputs) {
  kir::Builder b("winograd_products");
  const kir::Buffer from = b.input("from", kir::Scalar::I16, stagedElements());
  buffers = {inputs};
  declareRest(b, buffers);
  const int64_t extents[] = {s_.chunks(p_), cout_ / s_.blocks};
  const std::string_view names[] = {"chunk", "group"};
  result_.measure(b, buffers, extents[0] * extents[1]);
  b.parallelGrid(extents, names, {0}, [&](std::span<const Index> at) {
    const Index &chunk = at[0], &group = at[1];
    const Index count = tilesIn(b, chunk);
    multiplyGroup(b, from[chunk * inputElements()], group, count);
    result_.iteration(b, numberOf(at, extents), [&] { outputTiles(b, chunk, group, count); });
  });
  return b.finish();
}

void IntegerWinograd::lower(const std::string& secondChoice) {
  const CallFacts facts = {.algorithm =
                               fmt::format("winograd pairs f4{} {}x{}", s_.staged ? " staged" : "",
                                           s_.pixels, s_.blocks),
                           .secondChoice = secondChoice,
                           .flops = p_.flops() + result_.flops(),
                           .multiplies = kPairs.pixel};
  std::vector<BufferRef> buffers;
  if (!s_.staged) {
    kir::Kernel kernel = fused(buffers);
    lowering_.call(std::move(kernel), std::move(buffers), facts);
    return result_.lowerScale();
  }
  const BufferRef inputs = lowering_.temporary(2 * stagedElements());
  kir::Kernel first = inputStage(buffers, inputs);
  lowering_.call(std::move(first), std::move(buffers),
                 {.algorithm = "winograd_inputs",
                  .flops = static_cast<double>(s_.tiles(p_) * kPoints * units_ * 2 * lanes_)});
  kir::Kernel second = productStage(buffers, inputs);
  lowering_.call(std::move(second), std::move(buffers), facts);
  result_.lowerScale();
}

} // namespace

std::string refuseIntegerWinograd(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (x.rank() != 4) return "spatial rank is not 2";
  if (!isVector(y.layout, target) || x.layout != y.layout) return "not channel-blocked alike";
  const WindowProblem p = windowProblem(op);
  if (!isWinogradWindow(p) || p.kernel != WindowProblem::Spatial{1, 3, 3} ||
      p.dilations[1] != p.dilations[2])
    return "not 3x3 of stride 1";
  if (largestSum(op) >= kLargestSum) return "a sum could reach 2^25";
  return "";
}

void lowerIntegerWinograd(const Op& op, const WinogradCandidate& candidate,
                          const std::string& secondChoice, Lowering& lowering) {
  IntegerWinograd(op, lowering, candidate.schedule).lower(secondChoice);
}

} // namespace enfold::lower
