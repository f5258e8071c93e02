// Matrices of the minimal filtering algorithms, and their products as straight-line code.
#include "lower/conv/WinogradTransform.h"

#include "support/Result.h"
#include "support/SmallVector.h"

#include <array>
#include <cmath>
#include <optional>
#include <type_traits>

namespace enfold::lower {
namespace {

using kir::Value;

/// Coefficients of the product of (x - p) over `points`, lowest first.
std::vector<double> polynomial(const std::vector<double>& points) {
  std::vector<double> p = {1};
  for (const double point : points) {
    p.push_back(0);
    for (size_t i = p.size(); i-- > 0;) p[i] = (i > 0 ? p[i - 1] : 0) - point * p[i];
  }
  return p;
}

/// The sum of coefficient * value over the terms of one parity (or all: parity -1).
template <typename Coefficient>
std::optional<Value> linear(kir::Builder& b, const Coefficient& coefficient,
                            const std::vector<Value>& x, int parity) {
  std::optional<Value> sum;
  // Begin with a term that needs no product.
  SmallVector<size_t, WinogradTransform::kMaxTile> terms;
  for (size_t j = 0; j < x.size(); ++j) {
    if (coefficient(j) == 0 || (parity >= 0 && static_cast<int>(j % 2) != parity)) continue;
    terms.push_back(j);
    if (coefficient(j) == 1) std::swap(terms[0], terms.back());
  }
  for (const size_t j : terms) {
    const double c = coefficient(j);
    if (!sum)
      sum = c == 1 ? x[j] : x[j] * c;
    else if (c == 1)
      sum = *sum + x[j];
    else if (c == -1)
      sum = *sum - x[j];
    else
      sum = b.fma(x[j], constantLike(x[j], c), *sum);
  }
  return sum;
}

double sign(int64_t i) { return i % 2 ? -1.0 : 1.0; }

bool rowsMirror(const Matrix& m, int64_t r) {
  if (r + 1 >= m.rows) return false;
  for (int64_t j = 0; j < m.cols; ++j)
    if (m.at(r + 1, j) != sign(j) * m.at(r, j)) return false;
  return true;
}

bool columnsMirror(const Matrix& m, int64_t c) {
  if (c + 1 >= m.cols) return false;
  for (int64_t i = 0; i < m.rows; ++i)
    if (m.at(i, c + 1) != sign(i) * m.at(i, c)) return false;
  return true;
}

/// Where columns mirror: even rows see the sum of the two values, odd rows their difference.
struct Folded {
  std::vector<Value> even, odd;
  std::vector<int64_t> column; ///< of each
};

std::optional<Folded> foldColumns(const Matrix& m, const std::vector<Value>& x) {
  Folded folded;
  bool any = false;
  for (int64_t c = 0; c < m.cols; ++c) {
    const auto at = static_cast<size_t>(c);
    folded.column.push_back(c);
    if (columnsMirror(m, c)) {
      folded.even.push_back(x[at] + x[at + 1]);
      folded.odd.push_back(x[at] - x[at + 1]);
      ++c;
      any = true;
    } else {
      folded.even.push_back(x[at]);
      folded.odd.push_back(x[at]);
    }
  }
  return any ? std::optional(std::move(folded)) : std::nullopt;
}

} // namespace

WinogradTransform WinogradTransform::of(int64_t m, int64_t taps) {
  const std::vector<double> all = {0, 1, -1, 2, -2, 0.5, -0.5, 0.75, -0.75};
  const int64_t tile = m + taps - 1;
  ENFOLD_CHECK(tile <= kMaxTile, "no interpolation points for so large a tile");
  const std::vector<double> points(all.begin(), all.begin() + static_cast<ptrdiff_t>(tile - 1));
  WinogradTransform w{m, taps, tile, Matrix(m, tile), Matrix(tile, taps), Matrix(tile, tile)};
  for (int64_t i = 0; i + 1 < tile; ++i) {
    const double p = points[static_cast<size_t>(i)];
    std::vector<double> others = points;
    others.erase(others.begin() + static_cast<ptrdiff_t>(i));
    double scale = 1;
    for (const double other : others) scale *= p - other;
    for (int64_t j = 0; j < m; ++j) w.output.at(j, i) = std::pow(p, static_cast<double>(j));
    for (int64_t k = 0; k < taps; ++k)
      w.weights.at(i, k) = std::pow(p, static_cast<double>(k)) / scale;
    const std::vector<double> row = polynomial(others);
    for (size_t k = 0; k < row.size(); ++k) w.input.at(i, static_cast<int64_t>(k)) = row[k];
  }
  w.output.at(m - 1, tile - 1) = 1;
  w.weights.at(tile - 1, taps - 1) = 1;
  const std::vector<double> row = polynomial(points);
  for (size_t k = 0; k < row.size(); ++k) w.input.at(tile - 1, static_cast<int64_t>(k)) = row[k];
  return w;
}

namespace {

/// transformWeights() with the numbers of taps where they are known.
template <typename Rows, typename Columns>
void transformFilter(const WinogradTransforms& w, Rows rows, Columns columns, const float* filter,
                     float* to, int64_t stride) {
  constexpr auto kMaxTile = static_cast<size_t>(WinogradTransform::kMaxTile);
  std::array<std::array<double, kMaxTile>, kMaxTile> half{};
  const auto height = static_cast<size_t>(w.y.tile), width = static_cast<size_t>(w.x.tile);
  const double *g = w.y.weights.values.data(), *h = w.x.weights.values.data();
  for (size_t i = 0; i < height; ++i)
    for (size_t x = 0; x < columns; ++x) {
      double sum = g[i * rows] * filter[x];
      for (size_t k = 1; k < rows; ++k) sum += g[i * rows + k] * filter[k * columns + x];
      half[i][x] = sum;
    }
  for (size_t i = 0; i < height; ++i)
    for (size_t j = 0; j < width; ++j, to += stride) {
      double sum = half[i][0] * h[j * columns];
      for (size_t k = 1; k < columns; ++k) sum += half[i][k] * h[j * columns + k];
      *to = static_cast<float>(sum);
    }
}

} // namespace

void transformWeights(const WinogradTransforms& w, const float* filter, float* to, int64_t stride) {
  constexpr std::integral_constant<size_t, 3> kThree;
  if (w.y.taps == 3 && w.x.taps == 3)
    transformFilter(w, kThree, kThree, filter, to, stride);
  else
    transformFilter(w, static_cast<size_t>(w.y.taps), static_cast<size_t>(w.x.taps), filter, to,
                    stride);
}

std::vector<Value> multiply(kir::Builder& b, const Matrix& m, const std::vector<Value>& x) {
  std::vector<Value> y;
  y.reserve(static_cast<size_t>(m.rows));
  if (const auto folded = foldColumns(m, x)) {
    for (int64_t r = 0; r < m.rows; ++r) {
      const auto coefficient = [&](size_t j) { return m.at(r, folded->column[j]); };
      y.push_back(*linear(b, coefficient, r % 2 ? folded->odd : folded->even, -1));
    }
    return y;
  }
  for (int64_t r = 0; r < m.rows; ++r) {
    const auto coefficient = [&](size_t j) { return m.at(r, static_cast<int64_t>(j)); };
    if (!rowsMirror(m, r)) {
      y.push_back(*linear(b, coefficient, x, -1));
      continue;
    }
    const Value even = *linear(b, coefficient, x, 0), odd = *linear(b, coefficient, x, 1);
    y.push_back(even + odd);
    y.push_back(even - odd);
    ++r;
  }
  return y;
}

void emitTransform(kir::Builder& b, const Matrix& y, const Matrix& x,
                   const std::function<Value(int64_t, int64_t)>& load,
                   const std::function<void(int64_t, int64_t, const Value&)>& store) {
  std::vector<std::vector<Value>> columns;
  for (int64_t j = 0; j < x.cols; ++j) {
    std::vector<Value> column;
    for (int64_t i = 0; i < y.cols; ++i) column.push_back(load(i, j));
    columns.push_back(multiply(b, y, column));
  }
  for (int64_t i = 0; i < y.rows; ++i) {
    std::vector<Value> row;
    for (const auto& column : columns) row.push_back(column[static_cast<size_t>(i)]);
    const std::vector<Value> result = multiply(b, x, row);
    for (int64_t j = 0; j < x.rows; ++j) store(i, j, result[static_cast<size_t>(j)]);
  }
}

} // namespace enfold::lower
