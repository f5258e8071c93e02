// Dimensions walked alike are merged first. Where source and destination are both contiguous along
// one dimension, rows are copied by vectors; where they are contiguous along different dimensions,
// square tiles are transposed in registers by rounds of interleaving; else elements are gathered.
#include "lower/movement/StridedCopy.h"

#include "kernel/Builder.h"
#include "kernel/LooseRanges.h"
#include "lower/Access.h"
#include "lower/Nest.h"

#include <algorithm>
#include <numeric>

namespace enfold::lower {
namespace {

using kir::Index;
using kir::Value;

constexpr int kMaxTile = 16;

/// Elements of a long row that an iteration copies.
constexpr int64_t kPiece = 4096;

/// Whether what is left of a row of any length is copied by a last piece that overlaps the one
/// before it.
bool mayOverlap(int64_t length, int64_t piece) {
  return kir::LooseRanges::areWanted() && length > piece;
}

class Copier {
public:
  Copier(StridedCopy copy, int lanes) : c_(std::move(copy)), b_("copy"), lanes_(lanes) {}

  kir::Kernel build();

private:
  void normalize();
  Index offset(const std::vector<int64_t>& strides, int64_t start, std::span<const Index> at) const;
  /// Vectors are read forwards only.
  bool isVector() const { return c_.dstStrides.back() == 1 && c_.srcStrides.back() >= 0; }
  void move(const Index& src, const Index& dst, const Index& i, int lanes);
  void copyRow(std::span<const Index> at);
  void transposeTiles(std::span<const Index> at);
  void tile(const Index& src, const Index& dst, int64_t rows, int64_t columns);

  StridedCopy c_;
  kir::Builder b_;
  int lanes_;
  std::optional<kir::Buffer> src_, dst_;
  size_t across_ = 0; ///< dimension the source is contiguous along, when it is not the last
  bool transposes_ = false;
};

/// Orders dimensions by destination stride, merges them, and decides on transposition.
void Copier::normalize() {
  std::vector<size_t> order(c_.extents.size());
  std::iota(order.begin(), order.end(), size_t{0});
  // Where loose ranges are wanted, the first one may count images.
  const bool keepsFirst = kir::LooseRanges::areWanted() && c_.extents.size() > 1;
  std::erase_if(order, [&](size_t i) { return c_.extents[i] == 1 && !(keepsFirst && i == 0); });
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return c_.dstStrides[a] > c_.dstStrides[b]; });
  const auto permuted = [&](const std::vector<int64_t>& v) {
    std::vector<int64_t> result;
    for (size_t i : order) result.push_back(v[i]);
    return result;
  };
  c_.extents = permuted(c_.extents);
  c_.srcStrides = permuted(c_.srcStrides);
  c_.dstStrides = permuted(c_.dstStrides);
  if (c_.extents.empty()) c_.extents = c_.srcStrides = c_.dstStrides = {1};
  collapse(c_.extents, {&c_.srcStrides, &c_.dstStrides});
  const size_t last = c_.extents.size() - 1;
  if (c_.srcStrides[last] <= 1 || c_.dstStrides[last] != 1) return;
  for (size_t i = 0; i < last; ++i)
    if (c_.srcStrides[i] == 1) {
      across_ = i;
      transposes_ = true;
    }
}

Index Copier::offset(const std::vector<int64_t>& strides, int64_t start,
                     std::span<const Index> at) const {
  Index element = start;
  for (size_t i = 0; i < at.size(); ++i) element = element + at[i] * strides[i];
  return element;
}

kir::Kernel Copier::build() {
  normalize();
  src_ = b_.input("src", c_.elem, c_.srcSize);
  dst_ = b_.output("dst", c_.elem, c_.dstSize);
  std::vector<int64_t> outer = c_.extents;
  outer.back() = 1;
  if (transposes_) outer[across_] = 1;
  // A single long row is cut into pieces for the threads.
  const int64_t total =
      std::accumulate(outer.begin(), outer.end(), int64_t{1}, std::multiplies<>());
  if (total == 1 && !transposes_ && c_.extents.size() == 1) {
    const int64_t length = c_.extents[0], pieces = length / kPiece;
    if (isVector() && mayOverlap(length, lanes_)) {
      walkAnyRow(b_, length, kPiece, lanes_,
                 [&](const Index& i, int lanes) { move(c_.srcOffset, c_.dstOffset, i, lanes); });
      return b_.finish();
    }
    if (pieces > 1) {
      c_.extents = {pieces, kPiece};
      const int64_t tail = length - pieces * kPiece;
      const int64_t srcStride = c_.srcStrides[0], dstStride = c_.dstStrides[0];
      c_.srcStrides = {kPiece * srcStride, srcStride};
      c_.dstStrides = {kPiece * dstStride, dstStride};
      b_.parallelFor("piece", pieces + (tail ? 1 : 0), [&](const Index& piece) {
        const Index at[] = {piece, 0};
        b_.ifElse(
            piece < pieces, [&] { copyRow(at); },
            [&] {
              c_.extents[1] = tail;
              copyRow(at);
            });
      });
      return b_.finish();
    }
  }
  const std::vector<std::string_view> names(outer.size(), "i");
  b_.parallelGrid(outer, names, [&](std::span<const Index> at) {
    transposes_ ? transposeTiles(at) : copyRow(at);
  });
  return b_.finish();
}

void Copier::move(const Index& src, const Index& dst, const Index& i, int lanes) {
  const int64_t from = c_.srcStrides.back(), to = c_.dstStrides.back();
  const kir::Place place = (*src_)[src + i * from], target = (*dst_)[dst + i * to];
  const Value v = from == 1 || lanes == 1 ? b_.load(place, lanes)
                  : from == 0             ? b_.broadcast(place, lanes)
                                          : b_.loadStrided(place, from, lanes);
  b_.store(target, v);
}

void Copier::copyRow(std::span<const Index> at) {
  const Index src = offset(c_.srcStrides, c_.srcOffset, at),
              dst = offset(c_.dstStrides, c_.dstOffset, at);
  const int64_t length = c_.extents.back();
  if (!isVector()) {
    b_.forLoop("i", 0, length, [&](const Index& i) { move(src, dst, i, 1); });
    return;
  }
  forVectors(b_, 0, length, {lanes_, lanes_},
             [&](const Index& i, int lanes) { move(src, dst, i, lanes); });
}

void Copier::transposeTiles(std::span<const Index> at) {
  const Index src = offset(c_.srcStrides, c_.srcOffset, at),
              dst = offset(c_.dstStrides, c_.dstOffset, at);
  const int64_t size = std::min<int64_t>(lanes_, kMaxTile);
  const int64_t rows = c_.extents[across_], columns = c_.extents.back();
  const auto strip = [&](const Index& row, int64_t height) {
    const auto part = [&](const Index& column, int64_t width) {
      tile(src + row + column * c_.srcStrides.back(), dst + row * c_.dstStrides[across_] + column,
           height, width);
    };
    const int64_t whole = columns / size * size;
    if (mayOverlap(columns, size)) {
      b_.forLoop("column", 0, kir::looseNumber(b_, whole), size,
                 [&](const Index& column) { part(column, size); });
      part(columns - size, size);
      return;
    }
    b_.forLoop("column", 0, whole, size, [&](const Index& column) { part(column, size); });
    if (whole < columns) part(whole, columns - whole);
  };
  const int64_t whole = rows / size * size;
  if (mayOverlap(rows, size)) {
    b_.forLoop("row", 0, kir::looseNumber(b_, whole), size,
               [&](const Index& row) { strip(row, size); });
    strip(rows - size, size);
    return;
  }
  b_.forLoop("row", 0, whole, size, [&](const Index& row) { strip(row, size); });
  if (whole < rows) strip(whole, rows - whole);
}

/// `columns` source vectors of `rows` elements become `rows` destination vectors of `columns`.
void Copier::tile(const Index& src, const Index& dst, int64_t rows, int64_t columns) {
  const int64_t fromStride = c_.srcStrides.back(), toStride = c_.dstStrides[across_];
  const bool square = rows == columns && (rows & (rows - 1)) == 0;
  if (!square) {
    for (int64_t r = 0; r < rows; ++r)
      b_.store((*dst_)[dst + r * toStride],
               columns == 1
                   ? b_.load((*src_)[src + r])
                   : b_.loadStrided((*src_)[src + r], fromStride, static_cast<int>(columns)));
    return;
  }
  const auto n = static_cast<size_t>(rows);
  std::vector<Value> v;
  for (size_t i = 0; i < n; ++i)
    v.push_back(b_.load((*src_)[src + static_cast<int64_t>(i) * fromStride], static_cast<int>(n)));
  for (size_t round = 1; round < n; round *= 2) {
    std::vector<Value> next;
    for (size_t i = 0; i < n / 2; ++i) {
      const Value both = b_.interleave(v[i], v[i + n / 2]);
      next.push_back(b_.slice(both, 0, static_cast<int>(n)));
      next.push_back(b_.slice(both, static_cast<int>(n), static_cast<int>(n)));
    }
    v = std::move(next);
  }
  for (size_t i = 0; i < n; ++i) b_.store((*dst_)[dst + static_cast<int64_t>(i) * toStride], v[i]);
}

} // namespace

kir::Kernel stridedCopyKernel(StridedCopy copy, int vectorLanes) {
  return Copier(std::move(copy), vectorLanes).build();
}

} // namespace enfold::lower
