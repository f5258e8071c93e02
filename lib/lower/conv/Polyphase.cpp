// Where the taps of the phases are among those of the op.
#include "lower/conv/Polyphase.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace enfold::lower {
namespace {

int64_t floorDiv(int64_t a, int64_t b) { return a >= 0 ? a / b : -ceilDiv(-a, b); }

bool isPhasedAlong(const WindowProblem& p, size_t d) { return p.strides[d] > 1; }

bool canBePhased(const Op& op, const WindowProblem& p, int64_t block) {
  for (size_t d = 1; d < p.in.size(); ++d)
    if (isPhasedAlong(p, d) && p.dilations[d] != 1) return false;
  if (p.groups != 1 || p.anyWidth) return false;
  // Lanes past the last channel, which may hold anything, would be in the midst of the channels.
  if (op.kind() != OpKind::ConvTranspose) return op.kind() == OpKind::Conv && p.cin % block == 0;
  if (!p.isUnit(0) || p.dilations[1] != 1 || p.dilations[2] != 1) return false;
  // With zeros for the taps that lack, little would be gained.
  return p.kernel[1] % p.strides[1] == 0 && p.kernel[2] % p.strides[2] == 0;
}

void stride(Polyphase& f, size_t d) {
  const int64_t step = f.own.strides[d];
  f.inputStep[d] = step;
  f.inputPhases[d] = std::min(step, f.own.kernel[d]);
}

/// Result `o` reads pixels from the smallest i with i * stride + taps > o + pad on.
void transpose(Polyphase& f, size_t d) {
  const int64_t step = f.own.strides[d], taps = ceilDiv(f.own.kernel[d], step);
  const int64_t ofPixelZero = step * (taps - 1) - f.own.padsBegin[d];
  const int64_t before = floorDiv(ofPixelZero + step - 1, step);
  f.resultStep[d] = step;
  f.firstResult[d] = ofPixelZero - step * before;
  f.problem.padsBegin[d] = before;
  f.problem.out[d] = floorDiv(f.own.out[d] - 1 - ofPixelZero, step) + 1 + before;
  f.problem.padsEnd[d] = f.problem.out[d] - 1 + taps - before - f.own.in[d];
}

} // namespace

Polyphase polyphaseOf(const Op& op, int64_t block) {
  Polyphase f{.own = windowProblem(op), .problem = {}};
  f.problem = f.own;
  if (!canBePhased(op, f.own, block)) return f;
  f.isTransposed = op.kind() == OpKind::ConvTranspose;
  for (size_t d = 1; d < f.own.in.size(); ++d) {
    if (f.isTransposed)
      transpose(f, d);
    else if (isPhasedAlong(f.own, d))
      stride(f, d);
    else
      continue;
    f.problem.kernel[d] = ceilDiv(f.own.kernel[d], f.own.strides[d]);
    f.problem.strides[d] = 1;
  }
  f.problem.cin *= f.inputPhases[1] * f.inputPhases[2];
  if (f.isTransposed)
    f.problem.cout = f.resultStep[1] * f.resultStep[2] * ceilDiv(f.own.cout, block) * block;
  return f;
}

std::vector<float> Polyphase::filters(const float* weights) const {
  const int64_t cin = own.cin, cout = own.cout, taps = own.taps();
  const int64_t channels = problem.cin, results = problem.cout;
  const int64_t perPhase = results / (resultStep[1] * resultStep[2]);
  std::vector<float> all(static_cast<size_t>(results * channels * problem.taps()), kNoTap);
  float* to = all.data();
  // The op's tap that is tap x of a window of those phases, along that dimension.
  const auto tapOf = [&](size_t d, int64_t inputPhase, int64_t resultPhase, int64_t x) {
    const int64_t last = problem.kernel[d] - 1;
    return isTransposed ? resultStep[d] * (last - x) + resultPhase : inputStep[d] * x + inputPhase;
  };
  for (int64_t k = 0; k < results; ++k)
    for (int64_t c = 0; c < channels; ++c, to += problem.taps()) {
      const int64_t in = c / cin, ownC = c % cin, out = k / perPhase, ownK = k % perPhase;
      if (ownK >= cout) continue;
      const float* from = weights + (isTransposed ? ownC * cout + ownK : ownK * cin + ownC) * taps;
      for (int64_t y = 0; y < problem.kernel[1]; ++y)
        for (int64_t x = 0; x < problem.kernel[2]; ++x) {
          const int64_t row = tapOf(1, in / inputPhases[2], out / resultStep[2], y);
          const int64_t column = tapOf(2, in % inputPhases[2], out % resultStep[2], x);
          if (row >= own.kernel[1] || column >= own.kernel[2]) continue;
          for (int64_t z = 0; z < problem.kernel[0]; ++z)
            to[(z * problem.kernel[1] + y) * problem.kernel[2] + x] =
                from[(z * own.kernel[1] + row) * own.kernel[2] + column] + 0.0f;
        }
    }
  return all;
}

double Polyphase::flops() const {
  if (!isTransposed) return own.flops();
  return 2.0 * static_cast<double>(own.batch * own.inPixels() * own.taps() * own.cin * own.cout);
}

std::string Polyphase::key() const {
  return fmt::format("phases {} {} {} {}", isTransposed, inputStep, resultStep, problem.cout);
}

} // namespace enfold::lower
