// The table holds, for every kind of pixel along the width, sums over the first taps of the depth
// and the first taps of the height: of those inside, which are consecutive, differences are the
// sum. A zero point that only a run knows is multiplied there.
#include "lower/conv/BorderSums.h"

#include "lower/ZeroSums.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace enfold::lower {

using kir::Index;
using kir::Value;

BorderSums::BorderSums(const Op& op, const GroupRun& run, InputZero zero, int64_t lanes)
    : op_(op), run_(run), zero_(std::move(zero)), lanes_(lanes),
      channels_((run.problem.coutPerGroup() + lanes - 1) / lanes * lanes * run.problem.groups) {
  if (empty()) return;
  for (int64_t ow = 0; ow < run.problem.out[2]; ++ow)
    if (const Taps taps = tapsAt(ow); std::ranges::find(kinds_, taps) == kinds_.end())
      kinds_.push_back(taps);
}

BorderSums::Taps BorderSums::tapsAt(int64_t ow) const {
  const WindowProblem& p = run_.problem;
  Taps taps{0, 0};
  while (taps.lo < p.kernel[2] && !tapInside(p, ow, taps.lo)) ++taps.lo;
  for (taps.hi = taps.lo; taps.hi < p.kernel[2] && tapInside(p, ow, taps.hi);) ++taps.hi;
  return taps;
}

void BorderSums::declare(kir::Builder& b, std::vector<BufferRef>& buffers, Lowering& lowering) {
  if (empty()) return;
  const WindowProblem& p = run_.problem;
  const int64_t depths = p.kernel[0] + 1, heights = p.kernel[1] + 1;
  const int64_t size = std::ssize(kinds_) * depths * heights * channels_;
  const int64_t zeroPoint = zero_.isKnown() ? zero_.number() : 1;
  std::string order = fmt::format("border {} {} {} {} {} {}", run_.first, run_.merge, lanes_,
                                  zeroPoint, p.kernel, IntegerWeights(op_).key());
  for (const Taps& taps : kinds_) order += fmt::format(" {}-{}", taps.lo, taps.hi);
  const auto pack = [=, run = run_, channels = channels_, kinds = kinds_,
                     values = IntegerWeights(op_)](const Tensor& weights, int32_t* to, int64_t) {
    const WindowProblem& p = run.problem;
    const int64_t cown = p.cinPerGroup() / run.merge, coutg = p.coutPerGroup();
    const auto place = [&](size_t kind, int64_t kd, int64_t kh, int64_t k) -> int32_t& {
      const int64_t slot = k / coutg * (channels / p.groups) + k % coutg;
      return to[((static_cast<int64_t>(kind) * depths + kd) * heights + kh) * channels + slot];
    };
    const auto sumOf = [&](int64_t k, int64_t kd, int64_t kh, const Taps& taps) {
      const int64_t channel = run.firstOutput() + k, width = taps.hi - taps.lo;
      return zeroSum(zeroPoint, cown * width, [&](int64_t i) {
        const int64_t row = ((channel * cown + i / width) * p.kernel[0] + kd) * p.kernel[1] + kh;
        return values.at(weights, row * p.kernel[2] + taps.lo + i % width, channel);
      });
    };
    for (size_t kind = 0; kind < kinds.size(); ++kind)
      for (int64_t k = 0; k < p.cout; ++k)
        for (int64_t kd = 0; kd < p.kernel[0]; ++kd)
          for (int64_t kh = 0; kh < p.kernel[1]; ++kh)
            place(kind, kd + 1, kh + 1, k) =
                static_cast<int32_t>(static_cast<uint32_t>(sumOf(k, kd, kh, kinds[kind])) +
                                     static_cast<uint32_t>(place(kind, kd, kh + 1, k)) +
                                     static_cast<uint32_t>(place(kind, kd + 1, kh, k)) -
                                     static_cast<uint32_t>(place(kind, kd, kh, k)));
  };
  table_ = b.input("border", kir::Scalar::I32, size);
  buffers.push_back(lowering.packed<int32_t>(*op_.own(1)->constant(), order, size, pack));
  zero_.declare(b, buffers, lowering);
}

Value BorderSums::at(kir::Builder& b, const TapRange& depth, const TapRange& height, int64_t ow,
                     const Index& block) const {
  const kir::Type type = kir::i32(int(lanes_));
  if (empty()) return b.zero(type);
  const WindowProblem& p = run_.problem;
  const int64_t kind = std::ranges::find(kinds_, tapsAt(ow)) - kinds_.begin();
  const auto first = [&](const Index& kd, const Index& kh) {
    const Index row = (kind * (p.kernel[0] + 1) + kd) * (p.kernel[1] + 1) + kh;
    return b.load((*table_)[row * channels_ + block * lanes_], int(lanes_));
  };
  const auto none = [](const Index& tap) { return tap.constant() == int64_t{0}; };
  const auto upTo = [&](const Index& kd) {
    const Value sum = first(kd, height.hi);
    return none(height.lo) ? sum : sum - first(kd, height.lo);
  };
  const Value all = upTo(depth.hi), sum = none(depth.lo) ? all : all - upTo(depth.lo);
  return zero_.isKnown() ? sum : sum * zero_.splat(b, type);
}

} // namespace enfold::lower
