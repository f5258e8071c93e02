// Solving k * dilation = o + pad (mod stride) for the taps k.
#include "lower/conv/Phases.h"

#include "lower/LooseIndex.h"

#include <numeric>

namespace enfold::lower {
namespace {

/// The x in [0, m) with a * x = 1 (mod m); a and m have no common divisor.
int64_t inverse(int64_t a, int64_t m) {
  for (int64_t x = 1; x < m; ++x)
    if (a % m * x % m == 1) return x;
  return 0;
}

} // namespace

ReachingTaps tapsReaching(const WindowProblem& p, size_t d, const kir::Index& o) {
  using kir::Index;
  const int64_t stride = p.strides[d], dilation = p.dilations[d];
  const int64_t common = std::gcd(stride, dilation);
  const int64_t tapStep = stride / common, inputStep = dilation / common;
  const Index target = o + p.padsBegin[d];
  const Index tap = target / common * inverse(inputStep, tapStep) % tapStep;
  const Index input = (target - tap * dilation) / stride;
  const Index count = (p.kernel[d] - tap + (tapStep - 1)) / tapStep;
  const Index lo = max((input - looseSize(p.in[d], o) + inputStep) / inputStep, Index(0));
  Index hi = min(input / inputStep + 1, count);
  // Where the common divisor does not divide, no tap reaches.
  if (common > 1) hi = min(hi, (1 - min(target % common, Index(1))) * p.kernel[d]);
  return {tap, input, lo, max(lo, hi), tapStep, inputStep};
}

std::vector<Phase> phasesOf(const WindowProblem& p) {
  const int64_t stride = p.strides[2], dilation = p.dilations[2];
  const int64_t common = std::gcd(stride, dilation), inputStep = dilation / common;
  std::vector<Phase> phases;
  for (int64_t residue = 0; residue < std::min(stride, p.out[2]); ++residue) {
    Phase phase{residue, p, {}};
    const int64_t target = residue + p.padsBegin[2];
    // The last tap reads the first input.
    for (int64_t k = p.kernel[2] - 1; k >= 0; --k)
      if ((target - k * dilation) % stride == 0) phase.taps.push_back(k);
    WindowProblem& q = phase.problem;
    q.out[2] = (p.out[2] - residue + stride - 1) / stride;
    q.kernel[2] = static_cast<int64_t>(phase.taps.size());
    q.strides = {1, 1, 1};
    q.dilations[2] = inputStep;
    q.padsBegin[2] = phase.taps.empty() ? 0 : -((target - phase.taps.front() * dilation) / stride);
    q.padsEnd = {0, 0, 0};
    phases.push_back(std::move(phase));
  }
  return phases;
}

} // namespace enfold::lower
