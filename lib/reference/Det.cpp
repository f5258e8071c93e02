// Determinants by Gaussian elimination with partial pivoting.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"

#include <algorithm>
#include <cmath>

namespace enfold::reference {
namespace {

/// Of n rows of n numbers, which it changes.
double determinant(std::span<double> a, size_t n) {
  double product = 1;
  for (size_t k = 0; k < n; ++k) {
    size_t pivot = k;
    for (size_t i = k + 1; i < n; ++i)
      if (std::fabs(a[i * n + k]) > std::fabs(a[pivot * n + k])) pivot = i;
    if (pivot != k) {
      for (size_t j = k; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
      product = -product;
    }
    const double head = a[k * n + k];
    product *= head;
    if (head == 0) return product;
    for (size_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / head;
      for (size_t j = k; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return product;
}

} // namespace

Result<> evalDet(EvalContext& context) {
  std::vector<double> matrices = load<double>(context.operand());
  std::vector<double> results(static_cast<size_t>(context.result().numElements()));
  const auto n = static_cast<size_t>(context.shape(0).back());
  for (size_t i = 0; i < results.size(); ++i)
    results[i] = determinant(std::span(matrices).subspan(i * n * n, n * n), n);
  store(context.result(), results);
  return {};
}

} // namespace enfold::reference
