// Which tile fits an image best changes with its size, and an algorithm that is the best for one
// size may take half as long again as the best for the next.
#include "lower/conv/AnyWidth.h"

#include "ir/Products.h"
#include "lower/conv/Candidates.h"
#include "lower/conv/Groups.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

namespace enfold::lower {
namespace {

/// Height and width of the result of other sizes, over those of the op.
constexpr std::array<std::array<double, 2>, 5> kSizes = {
    {{1, 1}, {0.75, 1.25}, {1.25, 0.75}, {0.5, 0.5}, {1.5, 1.5}}};

WindowProblem resized(WindowProblem p, const std::array<double, 2>& factors) {
  for (size_t d = 1; d < 3; ++d) {
    if (p.out[d] == 1) continue;
    const double wanted = factors[d - 1] * static_cast<double>(p.out[d]);
    const int64_t size = std::max<int64_t>(1, static_cast<int64_t>(wanted + 0.5));
    p.in[d] = std::max<int64_t>(1, p.in[d] + (size - p.out[d]) * p.strides[d]);
    p.out[d] = size;
  }
  p.anyWidth = true;
  return p;
}

/// The convolution at several sizes, as its kernels see it.
class Sizes {
public:
  Sizes(const Op& op, const kir::Target& target)
      : target_(target.withLanes(op.result()->type().layout.block)) {
    const WindowProblem direct = mergedGroups(directProblem(op), op).front().problem;
    for (const auto& factors : kSizes) {
      direct_.push_back(resized(direct, factors));
      winograd_.push_back(resized(windowProblem(op), factors));
    }
  }

  /// What fits any of the sizes best, that of the op first. Whether Winograd's inputs are a stage
  /// of their own is as `given` has it, which are the candidates for the op.
  std::vector<std::string> names(const std::vector<ConvCandidate>& given) const {
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
    };
    std::map<std::string, bool> staged; // by kind
    for (const ConvCandidate& candidate : given) {
      const auto* winograd = std::get_if<WinogradCandidate>(&candidate.how);
      if (winograd) staged.try_emplace(winograd->kind, winograd->schedule.staged);
      if (!winograd || staged.at(winograd->kind) == winograd->schedule.staged) add(candidate.name);
    }
    for (const WindowProblem& p : direct_)
      for (const DirectCandidate& candidate : directCandidates(p, target_)) add(candidate.name());
    if (staged.empty()) return names;
    for (const WindowProblem& p : winograd_)
      for (WinogradCandidate& candidate : winogradCandidates(p, target_)) {
        const auto known = staged.find(candidate.kind);
        if (known == staged.end()) continue;
        candidate.schedule.staged = known->second;
        add(candidate.name());
      }
    return names;
  }

  /// Estimated cycles at each size; infinite where the name means nothing.
  std::vector<double> cycles(const std::string& name) const {
    constexpr double kInfinite = std::numeric_limits<double>::infinity();
    std::vector<double> all;
    for (size_t i = 0; i < direct_.size(); ++i) {
      if (const auto direct = directCandidate(name, direct_[i], target_))
        all.push_back(direct->cycles);
      else if (const auto winograd = winogradCandidate(name, winograd_[i], target_))
        all.push_back(winograd->cycles);
      else
        all.push_back(kInfinite);
    }
    return all;
  }

private:
  const kir::Target target_;
  std::vector<WindowProblem> direct_, winograd_;
};

/// The name whose cycles are on average the fewest times those of the best name for each size, the
/// first of about equals; an empty one if there is none.
std::string bestOnAverage(const Sizes& sizes, const std::vector<std::string>& names) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  constexpr double kNoise = 0.01;
  std::vector<std::vector<double>> cycles;
  std::vector<double> least(kSizes.size(), kInfinite);
  for (const std::string& name : names) {
    cycles.push_back(sizes.cycles(name));
    for (size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], cycles.back()[i]);
  }
  std::string best;
  double fewest = kInfinite;
  for (size_t n = 0; n < names.size(); ++n) {
    double sum = 0;
    for (size_t i = 0; i < least.size(); ++i) sum += cycles[n][i] / least[i];
    if (!(sum < fewest * (1 - kNoise))) continue;
    fewest = sum;
    best = names[n];
  }
  return best;
}

} // namespace

std::string bestForAnyWidth(const Op& op, const kir::Target& target) {
  std::vector<ConvCandidate> candidates = convCandidates(op, target);
  candidates.insert(candidates.begin(), chooseConv(op, target).chosen);
  const std::string algorithm = op.string("algorithm");
  const auto forAnyWidth = [&](const std::string& name) -> std::optional<std::string> {
    std::string asked = name + std::string(kAnyWidth);
    if (!hasAlgorithm(op, asked, target)) return std::nullopt;
    return asked;
  };
  const bool isFree = algorithm == "auto" || algorithm == "direct";
  const bool isPlain = op.kind() == OpKind::Conv && !sumsHalvesInF32(op);
  const bool hasTiles = std::holds_alternative<WinogradCandidate>(candidates.front().how) ||
                        candidates.front().isDirect();
  if (isFree && isPlain && hasTiles) {
    const Sizes sizes(op, target);
    std::vector<std::string> names = sizes.names(candidates);
    std::erase_if(names, [&](const std::string& name) {
      return (algorithm == "direct" && !name.starts_with("direct")) || !forAnyWidth(name);
    });
    if (const auto best = forAnyWidth(bestOnAverage(sizes, names))) return *best;
  }
  for (const ConvCandidate& candidate : candidates) {
    if (algorithm == "direct" && !candidate.isDirect()) continue;
    if (const auto named = forAnyWidth(candidate.name)) return *named;
  }
  return algorithm;
}

} // namespace enfold::lower
