// The minimal filtering algorithms F(m, r) along one axis: m outputs of a convolution of r taps
// from m + r - 1 inputs, with as many products, as y = A^T [ (G g) * (B^T d) ]. Along two axes they
// nest: Y = A^T [ (G g H^T) * (B^T d C) ] D, where H, C and D are those of the other axis.
//
// Toom and Cook; Winograd, "Arithmetic Complexity of Computations" (1980); for convolution layers:
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), section 4.
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

/// Along one axis.
struct WinogradTransform {
  int64_t outputs; ///< m
  int64_t taps;    ///< r
  int64_t tile;    ///< m + r - 1: inputs
  Matrix output;   ///< A^T, m x tile
  Matrix weights;  ///< G, tile x r
  Matrix input;    ///< B^T, tile x tile

  /// Inputs of a tile at most.
  static constexpr int64_t kMaxTile = 10;
  /// With interpolation points 0, ±1, ±2, ±1/2, ±3/4 and infinity, as many as needed. F(1, 1)
  /// changes nothing.
  static WinogradTransform of(int64_t m, int64_t taps);
};

/// The transforms along the height and the width.
struct WinogradTransforms {
  WinogradTransform y, x;
};

/// Of one filter of y.taps x x.taps: y.tile x x.tile numbers, `stride` apart.
void transformWeights(const WinogradTransforms& w, const float* filter, float* to, int64_t stride);

/// The product of a constant matrix and a vector of values. Rows and columns that mirror each other
/// (interpolation points p and -p) share their sums.
std::vector<kir::Value> multiply(kir::Builder& b, const Matrix& matrix,
                                 const std::vector<kir::Value>& x);

/// y X x^T, where load(i, j) gives X; store(i, j, value) takes the result row by row.
void emitTransform(kir::Builder& b, const Matrix& y, const Matrix& x,
                   const std::function<kir::Value(int64_t, int64_t)>& load,
                   const std::function<void(int64_t, int64_t, const kir::Value&)>& store);

} // namespace enfold::lower
