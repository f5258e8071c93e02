// Statistics of rows, and numbers drawn to fit them.
#include "diagnose/RandomLike.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <set>

namespace enfold::diagnose {
namespace {

using Generator = std::mt19937_64;

constexpr size_t kFewValues = 4;
constexpr int64_t kShortRow = 16;

bool hasFewValues(const Tensor& tensor) {
  std::set<double> values;
  for (int64_t i = 0; i < tensor.numElements() && values.size() <= kFewValues; ++i)
    if (const double value = tensor.asDouble(i); !std::isnan(value)) values.insert(value);
  return values.size() <= kFewValues;
}

/// As it is, infinities and the like included.
void copyElement(const Tensor& from, int64_t i, Tensor& to, int64_t j) {
  const size_t size = byteSize(from.elem());
  std::memcpy(to.mutableBytes() + static_cast<size_t>(j) * size,
              from.bytes() + static_cast<size_t>(i) * size, size);
}

/// Of the finite numbers other than zero.
struct Statistics {
  double low = INFINITY, high = -INFINITY, mean = 0, deviation = 0;
  double zeros = 0; ///< the share of zeros among the finite numbers

  static Statistics of(const Tensor& tensor, int64_t begin, int64_t end) {
    Statistics s;
    int64_t zeros = 0, others = 0;
    double squares = 0; // of distances from the mean, as Welford sums them
    for (int64_t i = begin; i < end; ++i) {
      const double value = tensor.asDouble(i);
      if (!std::isfinite(value)) continue;
      if (value == 0) {
        ++zeros;
        continue;
      }
      s.low = std::min(s.low, value);
      s.high = std::max(s.high, value);
      const double distance = value - s.mean;
      s.mean += distance / static_cast<double>(++others);
      squares += distance * (value - s.mean);
    }
    if (others > 0) s.deviation = std::sqrt(squares / static_cast<double>(others));
    if (zeros > 0) s.zeros = static_cast<double>(zeros) / static_cast<double>(zeros + others);
    return s;
  }
};

void fillRow(const Tensor& like, Tensor& tensor, int64_t begin, int64_t end, Generator& random) {
  const Statistics s = Statistics::of(like, begin, end);
  std::normal_distribution<double> normal(s.mean, s.deviation);
  std::uniform_real_distribution<double> uniform(0, 1);
  for (int64_t i = begin; i < end; ++i) {
    const double value = like.asDouble(i);
    if (!std::isfinite(value))
      copyElement(like, i, tensor, i);
    else if (s.zeros < 1 && (s.zeros == 0 || uniform(random) >= s.zeros))
      tensor.setDouble(
          i, std::clamp(isFloat(like.elem()) ? normal(random) : std::round(normal(random)), s.low,
                        s.high));
  }
}

} // namespace

Tensor randomLike(const Tensor& tensor, uint64_t seed) {
  Tensor made(tensor.elem(), tensor.shape());
  Generator random(seed);
  const int64_t count = tensor.numElements();
  if (count == 0) return made;
  if (hasFewValues(tensor)) {
    std::uniform_int_distribution<int64_t> place(0, count - 1);
    for (int64_t i = 0; i < count; ++i) copyElement(tensor, place(random), made, i);
    return made;
  }
  int64_t row = tensor.rank() > 1 ? count / tensor.shape()[0] : count;
  if (row < kShortRow) row = count;
  for (int64_t begin = 0; begin < count; begin += row)
    fillRow(tensor, made, begin, begin + row, random);
  return made;
}

} // namespace enfold::diagnose
