// Register-tiled matrix product C[m,n] = sum over k of A[m,k] B[k,n]: R rows by V vectors of
// columns are accumulated while A is broadcast and B streamed. A constant B is packed into panels
// of V vectors, so that one row (a fully connected layer at batch 1) reads weights strictly in
// order. Blocks of rows of A stay in the second-level cache (Goto and van de Geijn, "Anatomy of
// High-Performance Matrix Multiplication", TOMS 2008, section 4.2, with the loops over panels and
// rows exchanged: B comes packed, A is read as it is).
//
// 8-bit integers are multiplied as words along k, and bf16 with a constant B as pairs: then k
// counts words.
#include "lower/gemm/Gemm.h"

#include "ir/Products.h"
#include "kernel/LooseRanges.h"
#include "lower/Epilogue.h"
#include "lower/FetchAhead.h"
#include "lower/Images.h"
#include "lower/LooseIndex.h"
#include "lower/Scalars.h"
#include "lower/Words.h"
#include "lower/gemm/IntegerRows.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

/// Vectors of columns in a tile, of one row and of several: more were never faster.
constexpr int64_t kMaxRowVectors = 8, kMaxVectors = 4;
/// Relative difference of estimates that says nothing.
constexpr double kNoise = 0.01;
/// Of the second-level cache, for the rows of A that are read again.
constexpr double kShareOfCache = 0.5;
/// Of the result, in a block of rows: its panels are written one after the other, each of them to
/// all of its pages, whose addresses the processor has to remember (256 pages of 4 KiB).
constexpr double kResultBytes = 1 << 20;

/// Sizes and element strides of a batched product.
struct GemmProblem {
  Shape batch; ///< batch dimensions of the result
  Shape rows;  ///< dimensions of the result that m runs over
  int64_t m = 1, n = 1, k = 1;
  int64_t aRow = 0, aCol = 0, bRow = 0, bCol = 0;
  std::vector<int64_t> aBatch, bBatch; ///< strides per batch dimension, 0 where broadcast
  bool hasM = true, hasN = true;       ///< false: the result lacks that dimension
};

std::vector<int64_t> batchStrides(const enfold::Value& operand, size_t inner, const Type& result,
                                  const Shape& batch) {
  const Shape& shape = operand.shape();
  const bool hasImages = hasImagesOf(operand, result.shape);
  std::vector<int64_t> strides(batch.size(), 0);
  int64_t stride = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t axis = shape.size() - 1 - i;
    if (i >= inner && (shape[axis] != 1 || (axis == 0 && hasImages)))
      strides[batch.size() - 1 - (i - inner)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

GemmProblem gemmProblem(const Op& op) {
  const Shape &a = op.own(0)->shape(), &b = op.own(1)->shape(), &y = op.result()->shape();
  GemmProblem p;
  if (op.kind() == OpKind::Gemm) {
    const bool transA = op.integer("transA") != 0, transB = op.integer("transB") != 0;
    p.m = y[0];
    p.n = y[1];
    p.k = transA ? a[0] : a[1];
    p.aRow = transA ? 1 : p.k;
    p.aCol = transA ? p.m : 1;
    p.bRow = transB ? 1 : p.n;
    p.bCol = transB ? p.k : 1;
    p.rows = {p.m};
    return p;
  }
  p.hasM = a.size() > 1;
  p.hasN = b.size() > 1;
  p.k = a.back();
  p.m = p.hasM ? a[a.size() - 2] : 1;
  p.n = p.hasN ? b.back() : 1;
  p.aRow = p.k;
  p.aCol = 1;
  p.bRow = p.hasN ? p.n : 1;
  p.bCol = 1;
  p.batch.assign(y.begin(), y.end() - (p.hasM ? 1 : 0) - (p.hasN ? 1 : 0));
  p.aBatch = batchStrides(*op.own(0), p.hasM ? 2 : 1, op.result()->type(), p.batch);
  p.bBatch = batchStrides(*op.own(1), p.hasN ? 2 : 1, op.result()->type(), p.batch);
  if (p.hasM) p.rows = {p.m};
  // One matrix for the whole batch: its products are one product with more rows.
  if (b.size() <= 2 && !p.batch.empty()) {
    p.rows.insert(p.rows.begin(), p.batch.begin(), p.batch.end());
    p.m *= numElements(p.batch);
    p.batch.clear();
  }
  return p;
}

/// What a step multiplies: words along k where the op has them in memory, and bf16 are not to be
/// multiplied as f32.
Words wordsOf(const Op& op, const GemmProblem& p, const kir::Machine& machine) {
  if (op.kind() == OpKind::MatMulInteger) return integerWords(op, machine);
  const bool isPacked = op.own(1)->constant() && p.batch.empty() && p.aCol == 1;
  const bool areHalves =
      op.own(0)->elem() == ElemType::BF16 && (sumsHalvesInF32(op) || hasDot(machine, kHalves));
  return isPacked && areHalves ? kHalves : Words{};
}

/// The same product, its steps being words.
GemmProblem inWords(GemmProblem p, const Words& words) {
  if (words.channels == 1) return p;
  p.k = wordsIn(p.k, words);
  p.aCol = words.channels;
  if (words != kHalves) p.aRow = words.channels * p.k; // of rows that end in a whole word
  return p;
}

/// As in BLAS, a C times 0 is not read: it may hold anything.
bool addsBias(const Op& op) {
  return op.kind() == OpKind::Gemm && op.own(2) && op.real("beta") != 0;
}

struct Tile {
  int64_t rows, vectors, split; ///< split: accumulators per result, over interleaved k
};

/// Steps of one sum that a core completes per cycle.
double stepsPerCycle(const kir::Machine& machine, const Words& words) {
  const int bytes = machine.vectorBytes;
  if (words.channels == 1) return machine.fma.of(bytes);
  if (hasDot(machine, words)) return dotsOf(machine, words).of(bytes);
  return words == kPairs ? machine.pairs.of(bytes) : machine.fma.of(bytes) / 2;
}

/// Registers beside the sums and vectors of B: a number of A, products of integers, and of bf16 as
/// f32 the second ones of pairs.
int64_t registersBeside(const kir::Machine& machine, const Words& words, int64_t vectors) {
  if (words.channels == 1 || hasDot(machine, words)) return 1;
  return words == kPairs ? 2 : vectors + 2;
}

Tile chooseTile(const GemmProblem& p, int64_t lanes, const kir::Machine& machine,
                const Words& words, int64_t mostVectors = kMaxRowVectors) {
  const int64_t needed = (p.n + lanes - 1) / lanes;
  const double fmas = stepsPerCycle(machine, words);
  const double loads = machine.load.of(machine.vectorBytes);
  Tile best{1, std::min({kMaxRowVectors, needed, mostVectors}), 1};
  if (p.m > 1) {
    double bestCost = 1e300;
    for (int64_t v = 1; v <= std::min({kMaxVectors, needed, mostVectors}); ++v)
      for (int64_t r = 1;
           r * v + v + registersBeside(machine, words, v) <= machine.vectorRegisters && r <= p.m;
           ++r) {
        const auto tiles = [](int64_t size, int64_t tile) { return (size + tile - 1) / tile; };
        const double step =
            std::max({double(r * v) / fmas, double(r + v) / loads, machine.fmaLatency});
        const double cost = step * double(tiles(p.m, r) * tiles(needed, v));
        // Of about equals the largest, which loads least, and of these the one with most rows,
        // which reads B least often: A is in the first cache, B is not.
        const bool larger = std::pair(r * v, r) > std::pair(best.rows * best.vectors, best.rows);
        if (cost >= bestCost * (larger ? 1 + kNoise : 1 - kNoise)) continue;
        bestCost = std::min(cost, bestCost);
        best = {r, v, 1};
      }
    best.rows = (p.m + (p.m + best.rows - 1) / best.rows - 1) / ((p.m + best.rows - 1) / best.rows);
  }
  // So many chains of additions that none waits for the one before.
  const int64_t chains = machine.chains(machine.vectorBytes);
  best.split = std::clamp<int64_t>(chains / (best.rows * best.vectors), 1, std::min(chains, p.k));
  return best;
}

/// Which sizes of a product a kernel leaves to its parameters.
struct AnySizes {
  bool rows = false, columns = false, depth = false;
};

/// Those that inputs of the network may decide: of columns no fewer than a vector has.
AnySizes anySizesOf(const Op& op, const GemmProblem& p, int64_t lanes) {
  if (!kir::LooseRanges::areWanted()) return {};
  const bool a = op.own(0)->constant() != nullptr, b = op.own(1)->constant() != nullptr;
  return {.rows = !a && p.m > 1, .columns = !b && p.hasN && p.n >= lanes, .depth = !a && !b};
}

/// One tile for all sizes that are left open. Sums are split as in the best tile for this size.
Tile chooseTile(const GemmProblem& p, int64_t lanes, const kir::Machine& machine,
                const Words& words, const AnySizes& any) {
  const Tile own = chooseTile(p, lanes, machine, words);
  if (!any.rows && !any.columns) return own;
  constexpr int64_t kMany = 5040; // a multiple of all rows that a tile may have
  GemmProblem open = p;
  if (any.rows) open.m = kMany;
  if (any.columns) open.n = kMany * lanes;
  const int64_t most = any.columns ? p.n / lanes : kMaxRowVectors;
  const Tile tile = chooseTile(open, lanes, machine, words, most);
  return {tile.rows, tile.vectors, own.split};
}

class GemmKernel {
public:
  GemmKernel(const Op& op, Lowering& lowering)
      : op_(op), lowering_(lowering), depth_(gemmProblem(op).k),
        words_(wordsOf(op, gemmProblem(op), lowering.target().machine)),
        p_(inWords(gemmProblem(op), words_)), isInteger_(op.kind() == OpKind::MatMulInteger),
        stored_(*scalarOf(isInteger_ ? op.ownElem() : op.own(0)->elem())),
        compute_(computeScalar(stored_)), lanes_(p_.hasN ? lowering.target().lanes(compute_) : 1),
        any_(anySizesOf(op, p_, lanes_)),
        tile_(chooseTile(p_, lanes_, lowering.target().machine, words_, any_)),
        epilogue_(op, lowering), b_(op.info().name) {
    panel_ = tile_.vectors * lanes_;
    packed_ = op.own(1)->constant() && p_.batch.empty();
    if (addsBias(op)) bias_.emplace(op.own(2), op.result()->type(), lowering);
    rowsAreOne_ = (!bias_ || readsRowsAsOne(*bias_)) &&
                  std::ranges::all_of(epilogue_.operands(),
                                      [&](Operand& operand) { return readsRowsAsOne(operand); });
  }

  void lower();

private:
  bool readsRowsAsOne(Operand& operand) const;
  std::vector<Index> rowAt(const Index& m) const;
  template <typename T> BufferRef packed() const;
  BufferRef packedHalves() const;
  void declareIntegers();
  int64_t rowBlocks(int64_t rowTiles) const;
  void fetchAhead(const Index& k, const Index& n, int64_t steps);
  void declare();
  void declareRest();
  void rowsOfTile(const Index& row, const std::function<void(const Index&, int64_t)>& body);
  void columnsOfTile(const Index& panel, const std::function<void(const Index&, int64_t)>& body);
  void forDepth(const std::function<void(const Index& k, int64_t sum, bool isHalf)>& step,
                int64_t unroll, const Index& n);
  void tile(std::span<const Index> batch, const Index& m, int64_t rows, const Index& n,
            int64_t columns);
  Value loadA(const Index& element, int lanes, bool isHalf);
  Value loadB(const Index& base, const Index& k, const Index& n, int64_t vector, int lanes);
  Value multiplyAdd(const Value& a, const Value& w, const Value& sum);
  void finish(std::span<const Index> batch, const Index& m, int64_t rows, const Index& n,
              int64_t columns, const std::vector<kir::Var>& acc);

  const Op& op_;
  Lowering& lowering_;
  const int64_t depth_; ///< numbers along k
  const Words words_;
  const GemmProblem p_; ///< in words
  const bool isInteger_;
  const kir::Scalar stored_, compute_;
  const int64_t lanes_;
  const AnySizes any_;
  const Tile tile_;
  Epilogue epilogue_;
  std::optional<Operand> bias_;
  kir::Builder b_;
  int64_t panel_; ///< columns of a tile
  bool packed_;
  bool rowsAreOne_;           ///< to all operands that are read where the result is
  int64_t fetchingTiles_ = 1; ///< that share in fetching the next panel
  Index tileInBlock_ = 0;
  std::optional<IntegerRows> integers_;
  std::optional<kir::Buffer> a_, w_, dst_;
  std::vector<BufferRef> buffers_;
};

/// Whether the operand's place follows from the number of the row alone.
bool GemmKernel::readsRowsAsOne(Operand& operand) const {
  if (!operand.buffer()) return true;
  const std::vector<int64_t>& strides = operand.strides();
  const size_t first = p_.batch.size();
  for (size_t i = 0; i + 1 < p_.rows.size(); ++i)
    if (p_.rows[i] > 1 && strides[first + i] != strides[first + i + 1] * p_.rows[i + 1])
      return false;
  return true;
}

/// Coordinates of a row in the result.
std::vector<Index> GemmKernel::rowAt(const Index& m) const {
  std::vector<Index> at(p_.rows.size(), 0);
  if (at.empty()) return at;
  Index rest = m;
  for (size_t i = at.size() - 1; i > 0 && !rowsAreOne_; --i) {
    at[i] = remainder(rest, p_.rows[i]);
    rest = quotient(rest, p_.rows[i]);
  }
  (rowsAreOne_ ? at.back() : at.front()) = rest;
  return at;
}

/// [panel][k][column in the panel], zero past the last column.
template <typename T> BufferRef GemmKernel::packed() const {
  const auto pack = [n = p_.n, depth = p_.k, bRow = p_.bRow, bCol = p_.bCol,
                     panel = panel_](const Tensor& b, T* to, int64_t piece) {
    const int64_t first = piece * panel, last = std::min(first + panel, n);
    to += first * depth;
    const auto copy = [&](auto&& at) {
      for (int64_t k = 0; k < depth; ++k, to += panel)
        for (int64_t j = first; j < last; ++j)
          to[j - first] = static_cast<T>(at(k * bRow + j * bCol));
    };
    if constexpr (std::is_same_v<T, float>) {
      if (b.elem() == ElemType::F32)
        return copy([data = b.data<float>()](int64_t i) { return data[i]; });
    }
    if constexpr (std::is_integral_v<T>)
      copy([&](int64_t i) { return b.asInt(i); });
    else
      copy([&](int64_t i) { return b.asDouble(i); });
  };
  const int64_t panels = (p_.n + panel_ - 1) / panel_;
  return lowering_.packed<T>(
      *op_.own(1)->constant(),
      fmt::format("gemm {} {} {} {} {}", p_.k, p_.bRow, p_.bCol, panel_, kir::name(compute_)),
      panels * p_.k * panel_, pack, panels);
}

/// [panel][pair of k][column in the panel][number of the pair], zero past the last of them.
BufferRef GemmKernel::packedHalves() const {
  const int64_t panels = (p_.n + panel_ - 1) / panel_;
  const auto pack = [n = p_.n, pairs = p_.k, depth = depth_, bRow = p_.bRow, bCol = p_.bCol,
                     panel = panel_](const Tensor& b, uint16_t* to, int64_t piece) {
    const BFloat16* data = b.data<BFloat16>();
    const int64_t first = piece * panel, last = std::min(first + panel, n);
    to += first * pairs * 2;
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t j = first; j < last; ++j)
        to[((k / 2) * panel + j - first) * 2 + k % 2] = data[k * bRow + j * bCol].bits;
  };
  return lowering_.packed<uint16_t>(
      *op_.own(1)->constant(),
      fmt::format("gemm bf16 {} {} {} {}", depth_, p_.bRow, p_.bCol, panel_),
      panels * panel_ * p_.k * 2, pack, panels);
}

void GemmKernel::declareIntegers() {
  integers_.emplace(op_, words_);
  const int64_t columns = (p_.n + panel_ - 1) / panel_ * panel_;
  const BufferRef rows = integers_->stage(lowering_);
  buffers_ = {rows, integers_->packedColumns(lowering_, panel_)};
  a_ = b_.input("a", words_.pixel, words_.channels * p_.m * p_.k);
  w_ = b_.input("b", words_.weight, words_.channels * columns * p_.k);
  integers_->declareFirstSums(b_, buffers_, rows, panel_, lowering_);
}

void GemmKernel::declare() {
  const auto count = [](const enfold::Value* v) { return v->type().numElements(); };
  if (isInteger_) {
    declareIntegers();
    return declareRest();
  }
  buffers_ = {lowering_.storage(op_.own(0))};
  a_ = b_.input("a", stored_, count(op_.own(0)));
  if (words_ == kHalves) {
    buffers_.push_back(packedHalves());
    w_ = b_.input("b", stored_, 2 * ((p_.n + panel_ - 1) / panel_) * p_.k * panel_);
  } else if (packed_) {
    BufferRef ref;
    switch (compute_) {
    case kir::Scalar::F32:
      ref = packed<float>();
      break;
    case kir::Scalar::F64:
      ref = packed<double>();
      break;
    case kir::Scalar::I32:
    case kir::Scalar::U32:
      ref = packed<uint32_t>();
      break;
    default:
      ref = packed<uint64_t>();
      break;
    }
    buffers_.push_back(ref);
    w_ = b_.input("b", compute_, (p_.n + panel_ - 1) / panel_ * p_.k * panel_);
  } else {
    buffers_.push_back(lowering_.storage(op_.own(1)));
    w_ = b_.input("b", stored_, count(op_.own(1)));
  }
  declareRest();
}

void GemmKernel::declareRest() {
  const auto count = [](const enfold::Value* v) { return v->type().numElements(); };
  if (bias_) {
    bias_->declare(b_);
    if (bias_->buffer()) buffers_.push_back(*bias_->buffer());
  }
  epilogue_.declare(b_);
  epilogue_.appendBuffers(buffers_);
  dst_ = b_.output("dst", *scalarOf(op_.result()->elem()), count(op_.result()));
  buffers_.push_back(lowering_.storage(op_.result()));
}

/// Rows of A that the second-level cache keeps while they are multiplied with all of B.
int64_t GemmKernel::rowBlocks(int64_t rowTiles) const {
  const auto bytes = [&](int64_t columns, kir::Scalar elem) {
    return static_cast<double>(tile_.rows * columns) * static_cast<double>(kir::sizeInBytes(elem));
  };
  const double cacheBytes = kShareOfCache * double(lowering_.target().machine.l2.share());
  const double tiles = std::min(cacheBytes / bytes(p_.k * words_.channels, stored_),
                                kResultBytes / bytes(p_.n, dst_->elem()));
  const int64_t most = std::max<int64_t>(1, static_cast<int64_t>(tiles));
  return (rowTiles + most - 1) / most;
}

/// body(m, rows) for the rows of a tile. What is left behind whole tiles is divided by two until it
/// is gone, where it may be any number.
void GemmKernel::rowsOfTile(const Index& row,
                            const std::function<void(const Index&, int64_t)>& body) {
  const int64_t whole = p_.m / tile_.rows, rest = p_.m % tile_.rows;
  const auto full = [&] { body(row * tile_.rows, tile_.rows); };
  if (any_.rows) {
    b_.ifElse(row < kir::looseNumber(b_, whole), full, [&] {
      forHalves(b_, rest, tile_.rows, [&](int64_t before, int64_t rows) {
        body(kir::looseNumber(b_, whole * tile_.rows + before), rows);
      });
    });
  } else if (rest == 0) {
    full();
  } else {
    b_.ifElse(row < whole, full, [&] { body(row * tile_.rows, rest); });
  }
}

/// body(n, columns) for those of a panel, or, if they may be any number, for those of all panels:
/// of these the last one overlaps the one before.
void GemmKernel::columnsOfTile(const Index& panel,
                               const std::function<void(const Index&, int64_t)>& body) {
  const int64_t panels = (p_.n + panel_ - 1) / panel_, last = p_.n - (panels - 1) * panel_;
  if (any_.columns)
    b_.forLoop("panel", 0, kir::looseNumber(b_, panels), [&](const Index& i) {
      body(min(i * panel_, kir::looseNumber(b_, p_.n - panel_)), panel_);
    });
  else if (last == panel_)
    body(panel * panel_, panel_);
  else
    b_.ifElse(
        panel < panels - 1, [&] { body(panel * panel_, panel_); },
        [&] { body(panel * panel_, last); });
}

void GemmKernel::lower() {
  declare();
  const int64_t panels = any_.columns ? 1 : (p_.n + panel_ - 1) / panel_;
  const int64_t rowTiles = (p_.m + tile_.rows - 1) / tile_.rows;
  const int64_t blocks = rowBlocks(rowTiles), tilesInBlock = (rowTiles + blocks - 1) / blocks;
  fetchingTiles_ = tilesInBlock;
  std::vector<int64_t> extents(p_.batch.begin(), p_.batch.end());
  extents.insert(extents.end(), {blocks, panels, tilesInBlock});
  const std::vector<std::string_view> names(extents.size(), "t");
  const auto grid = [&](std::span<const Index> at) {
    const std::span<const Index> batch = at.first(p_.batch.size());
    const Index &panel = at[batch.size() + 1], &inBlock = at[batch.size() + 2];
    const Index row = at[batch.size()] * tilesInBlock + inBlock;
    tileInBlock_ = inBlock;
    const auto rows = [&] {
      rowsOfTile(row, [&](const Index& m, int64_t count) {
        columnsOfTile(panel,
                      [&](const Index& n, int64_t columns) { tile(batch, m, count, n, columns); });
      });
    };
    if (any_.rows)
      b_.ifThen(row < kir::looseNumber(b_, rowTiles), rows);
    else if (blocks * tilesInBlock == rowTiles)
      rows();
    else
      b_.ifThen(row < rowTiles, rows);
  };
  if (any_.rows)
    b_.parallelGrid(extents, names, {extents.size() - 3, extents.size() - 1}, grid);
  else
    b_.parallelGrid(extents, names, grid);
  const double results = static_cast<double>(op_.result()->type().numElements());
  lowering_.call(
      b_.finish(), std::move(buffers_),
      {.algorithm = fmt::format("gemm {}{}x{}", prefix(words_), tile_.rows, tile_.vectors),
       .flops = results * (2.0 * static_cast<double>(depth_) + epilogue_.flopsPerElement()),
       .multiplies = words_.pixel});
}

/// One number or word in all lanes; of half a word the second number is zero.
Value GemmKernel::loadA(const Index& element, int lanes, bool isHalf) {
  if (isHalf) {
    const Value bits = b_.bitcast(b_.load((*a_)[element]), kir::Scalar::U16);
    return b_.bitcast(b_.splat(b_.cast(bits, kir::Scalar::U32), lanes), stored_);
  }
  if (words_.channels > 1) return b_.broadcastWord((*a_)[element], words_.channels, lanes);
  const Value a = b_.load((*a_)[element]);
  return b_.splat(stored_ == compute_ ? a : b_.cast(a, compute_), lanes);
}

Value GemmKernel::loadB(const Index& base, const Index& k, const Index& n, int64_t vector,
                        int lanes) {
  if (words_.channels > 1)
    return b_.load((*w_)[(n * p_.k + k * panel_ + vector * lanes_) * words_.channels],
                   static_cast<int>(words_.channels * lanes_));
  if (packed_)
    return b_.load((*w_)[n * p_.k + k * panel_ + vector * lanes_], static_cast<int>(lanes_));
  const kir::Place place = (*w_)[base + k * p_.bRow + (n + vector * lanes_) * p_.bCol];
  const Value raw =
      p_.bCol == 1 || lanes == 1 ? b_.load(place, lanes) : b_.loadStrided(place, p_.bCol, lanes);
  return stored_ == compute_ ? raw : b_.cast(raw, compute_);
}

/// While some rows are multiplied with one panel, the next panel comes from memory into the
/// second-level cache, every tile fetching its share.
void GemmKernel::fetchAhead(const Index& k, const Index& n, int64_t steps) {
  const auto size = static_cast<int64_t>(kir::sizeInBytes(compute_));
  const bool isRepeated = any_.rows || fetchingTiles_ > 1;
  if (!packed_ || !isRepeated || p_.n <= panel_ || p_.k * panel_ * size < kWorthFetching) return;
  const int64_t each = words_.channels;
  fetchShare(b_, (*w_)[((n + panel_) * p_.k + k * panel_) * each], steps * panel_ * each,
             tileInBlock_, fetchingTiles_, w_->elem());
}

Value GemmKernel::multiplyAdd(const Value& a, const Value& w, const Value& sum) {
  if (words_.channels > 1) return b_.dot(sum, a, w);
  return kir::isFloat(compute_) ? b_.fma(a, w, sum) : a * w + sum;
}

void GemmKernel::tile(std::span<const Index> batch, const Index& m, int64_t rows, const Index& n,
                      int64_t columns) {
  const int64_t vectors = (columns + lanes_ - 1) / lanes_;
  Index aBase = 0, bBase = 0;
  for (size_t i = 0; i < batch.size(); ++i) {
    aBase = aBase + batch[i] * p_.aBatch[i];
    bBase = bBase + batch[i] * p_.bBatch[i];
  }
  // Unpacked columns are loaded exactly; packed ones are padded to whole vectors.
  const auto width = [&](int64_t v) {
    return static_cast<int>(packed_ ? lanes_ : std::min(lanes_, columns - v * lanes_));
  };
  std::vector<kir::Var> acc;
  for (int64_t s = 0; s < tile_.split; ++s)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        std::optional<Value> first;
        if (integers_ && s == 0) first = integers_->firstSum(b_, m + r, n + v * lanes_, width(v));
        acc.push_back(b_.var("acc", first ? *first : b_.zero({compute_, width(v)})));
      }
  const auto step = [&](const Index& k, int64_t s, bool isHalf) {
    std::vector<Value> w;
    for (int64_t v = 0; v < vectors; ++v) w.push_back(loadB(bBase, k, n, v, width(v)));
    for (int64_t r = 0; r < rows; ++r) {
      const Value a = loadA(aBase + (m + r) * p_.aRow + k * p_.aCol, width(0), isHalf);
      for (int64_t v = 0; v < vectors; ++v) {
        kir::Var& sum = acc[static_cast<size_t>((s * rows + r) * vectors + v)];
        const Value own = width(v) == width(0) ? a : b_.slice(a, 0, words_.channels * width(v));
        sum.set(multiplyAdd(own, w[static_cast<size_t>(v)], sum));
      }
    }
  };
  forDepth(step, std::max<int64_t>(tile_.split, rows > 1 ? 4 : 2), n);
  finish(batch, m, rows, n, columns, acc);
}

/// step(k, sum, isHalf) along the sum, which is split: into which of its parts a step goes.
void GemmKernel::forDepth(const std::function<void(const Index&, int64_t, bool)>& step,
                          int64_t unroll, const Index& n) {
  const bool endsInHalf = words_ == kHalves && depth_ % 2 != 0;
  const int64_t full = p_.k - endsInHalf, whole = full / unroll * unroll;
  const auto steps = [&](const Index& k) {
    fetchAhead(k, n, unroll);
    for (int64_t u = 0; u < unroll; ++u) step(k + u, u % tile_.split, false);
  };
  if (any_.depth) {
    const Index end = kir::looseNumber(b_, whole), left = kir::looseNumber(b_, p_.k - whole);
    b_.forLoop("k", 0, end, unroll, steps);
    for (int64_t u = 0; u + 1 < unroll; ++u)
      b_.ifThen(Index(u) < left, [&] { step(end + u, u % tile_.split, false); });
    return;
  }
  b_.forLoop("k", 0, whole, unroll, steps);
  for (int64_t k = whole; k < p_.k; ++k) step(k, (k - whole) % tile_.split, k == full);
}

void GemmKernel::finish(std::span<const Index> batch, const Index& m, int64_t rows, const Index& n,
                        int64_t columns, const std::vector<kir::Var>& acc) {
  const int64_t vectors = (columns + lanes_ - 1) / lanes_;
  const bool isGemm = op_.kind() == OpKind::Gemm;
  const double alpha = isGemm ? op_.real("alpha") : 1, beta = isGemm ? op_.real("beta") : 1;
  Index matrix = 0;
  for (size_t i = 0; i < batch.size(); ++i) matrix = matrix * p_.batch[i] + batch[i];
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<Index> row = rowAt(m + r);
    for (int64_t v = 0; v < vectors; ++v) {
      Value sum = acc[static_cast<size_t>(r * vectors + v)];
      for (int64_t s = 1; s < tile_.split; ++s)
        sum = sum + acc[static_cast<size_t>((s * rows + r) * vectors + v)];
      const int lanes = static_cast<int>(std::min(lanes_, columns - v * lanes_));
      if (lanes < sum.lanes()) sum = b_.slice(sum, 0, lanes);
      std::vector<Index> at(batch.begin(), batch.end());
      at.insert(at.end(), row.begin(), row.end());
      if (p_.hasN) at.push_back(n + v * lanes_);
      if (at.empty()) at.push_back(0);
      if (alpha != 1) sum = sum * alpha;
      if (bias_) {
        const Value c = bias_->load(b_, at, lanes);
        sum = beta == 1 ? sum + c : sum + c * beta;
      }
      sum = epilogue_.apply(b_, sum, at);
      b_.storeAs((*dst_)[(matrix * p_.m + m + r) * p_.n + n + v * lanes_], sum);
    }
  }
}

} // namespace

std::string refuseGemm(const Op& op, const kir::Target&) {
  if (op.kind() == OpKind::MatMulInteger) {
    if (std::string reason = refuseIntegerRows(op); !reason.empty()) return reason;
    return epilogueRefusal(op);
  }
  const ElemType elem = op.ownElem();
  const auto scalar = scalarOf(elem);
  if (!scalar || (!kir::isFloat(*scalar) && kir::sizeInBytes(*scalar) < 4))
    return "element type without a product";
  for (const enfold::Value* operand : op.ownOperands())
    if (operand && !operand->type().layout.isPlain()) return "operand is not plain";
  if (!op.result()->type().layout.isPlain()) return "result is not plain";
  if (op.kind() == OpKind::Gemm && !kir::isFloat(*scalar) &&
      (op.real("alpha") != 1 || op.real("beta") != 1))
    return "scaled product of integers";
  return epilogueRefusal(op);
}

void lowerGemm(const Op& op, Lowering& lowering) { GemmKernel(op, lowering).lower(); }

} // namespace enfold::lower
