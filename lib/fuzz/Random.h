// Random choices that are the same on every machine: splitmix64 (Steele et al., OOPSLA 2014).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace enfold::fuzz {

class Random {
public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, n); 0 where there is none.
  int64_t below(int64_t n) {
    return n > 0 ? static_cast<int64_t>(next() % static_cast<uint64_t>(n)) : 0;
  }
  /// Uniform in [low, high]; low where that is empty.
  int64_t in(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53;
  }
  template <typename T> T pick(std::initializer_list<T> values) {
    return values.begin()[below(static_cast<int64_t>(values.size()))];
  }
  template <typename T> const T& pick(const std::vector<T>& values) {
    return values[static_cast<size_t>(below(static_cast<int64_t>(values.size())))];
  }

private:
  uint64_t state_;
};

} // namespace enfold::fuzz
