// The minimal filtering algorithms F(m x m, 3 x 3): m x m outputs of a 3x3 convolution from
// (m+2) x (m+2) inputs with (m+2)^2 products, as Y = A^T [ (G g G^T) * (B^T d B) ] A.
//
// Winograd, "Arithmetic Complexity of Computations" (1980); for convolution layers: Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), section 4.
#pragma once

#include "kernel/Builder.h"

#include <functional>
#include <vector>

namespace enfold::lower {

/// Row-major, small.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;

  Matrix(int64_t r, int64_t c) : rows(r), cols(c), values(static_cast<size_t>(r * c)) {}
  double& at(int64_t r, int64_t c) { return values[static_cast<size_t>(r * cols + c)]; }
  double at(int64_t r, int64_t c) const { return values[static_cast<size_t>(r * cols + c)]; }
};

struct WinogradTransform {
  int64_t outputs; ///< m
  int64_t tile;    ///< m + 2: inputs along a side
  Matrix output;   ///< A^T, m x tile
  Matrix weights;  ///< G, tile x 3
  Matrix input;    ///< B^T, tile x tile

  /// For m = 2, 4 or 6, with interpolation points 0, ±1, ±2, ±1/2 and infinity, as many as needed.
  static WinogradTransform of(int64_t m);
};

/// G g G^T of one 3x3 filter: tile x tile numbers, `stride` apart.
void transformWeights(const WinogradTransform& w, const float* filter, float* to, int64_t stride);

/// The product of a constant matrix and a vector of values. Rows and columns that mirror each other
/// (interpolation points p and -p) share their sums.
std::vector<kir::Value> multiply(kir::Builder& b, const Matrix& matrix,
                                 const std::vector<kir::Value>& x);

/// matrix X matrix^T, where load(i, j) gives X; store(i, j, value) takes the result row by row.
void emitTransform(kir::Builder& b, const Matrix& matrix,
                   const std::function<kir::Value(int64_t, int64_t)>& load,
                   const std::function<void(int64_t, int64_t, const kir::Value&)>& store);

} // namespace enfold::lower
