// Gathering the candidates, and choosing among them.
#include "lower/conv/Candidates.h"

#include "ir/Products.h"
#include "lower/Epilogue.h"
#include "lower/Layouts.h"
#include "lower/conv/Grouped.h"
#include "lower/conv/Groups.h"
#include "lower/conv/IntegerOperands.h"
#include "lower/conv/IntegerWinograd.h"
#include "lower/conv/Plain.h"
#include "lower/conv/Separable.h"
#include "lower/conv/TileConv.h"
#include "lower/conv/Transposed.h"
#include "lower/conv/WindowSums.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <iterator>

namespace enfold::lower {
namespace {

/// Windows of so many taps are worth a plain copy of the input when a result of few channels,
/// mostly the last one of a network that makes images, would leave half of a block empty.
constexpr int64_t kManyTaps = 16;
/// Rows of fewer pixels tile badly.
constexpr int64_t kLongRow = 32;
/// Tiles of a strided window from which on its weights, up to 28 times as many as the op's own, are
/// worth their memory, and can be shared by many threads.
constexpr int64_t kManyTiles = 48;
/// Merged groups take so many times as long where products with neighbours, which may be infinite,
/// have to be left out by an instruction of its own.
constexpr double kBlendFactor = 2;
/// Estimated gain from which on blocks of half the lanes, whose tiles start twice as many
/// instructions, are faster.
constexpr double kGainOfHalf = 1.25;
/// Estimated gain from which on Winograd's algorithm is faster on few input channels, for which its
/// transforms are more of the work than the estimate says.
constexpr double kGainOnFewChannels = 1.8;
/// Of about equals Winograd's algorithm is faster than direct convolution: weights that its
/// estimate takes to come from memory are often in a cache.
constexpr double kOfWinograd = 0.95;
/// A copy of the input with its padding is at most so many times as large.
constexpr double kMostPadded = 9;

bool isDisabled(std::string_view kernel, const kir::Target& target) {
  return target.disabledKernels.contains(kernel);
}

/// Whether its rows are short, or taken to be so because they must not be told apart.
bool hasShortRows(const WindowProblem& p) { return p.anyWidth || p.out[2] < kLongRow; }

std::string constantsRefusal(const Op& op) {
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(1)->type().numElements() == 0) return "nothing to multiply";
  if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  return epilogueRefusal(op);
}

/// Whether all are finite and below the bound: the bits of magnitudes are in their order, so that
/// differences from those of the bound are all negative.
bool areOrdinary(const Tensor& weights) {
  constexpr auto kBound = std::bit_cast<int32_t>(kLargestPoint);
  constexpr int32_t kMagnitude = 0x7fffffff;
  int32_t signs = -1;
  const auto look = [&, count = weights.numElements()](const auto* data) {
    for (int64_t i = 0; i < count; ++i)
      signs &= (std::bit_cast<int32_t>(static_cast<float>(data[i])) & kMagnitude) - kBound;
  };
  weights.elem() == ElemType::BF16 ? look(weights.data<BFloat16>()) : look(weights.data<float>());
  return signs < 0;
}

/// Which candidate the op asks for.
std::string algorithmOf(const Op& op) {
  return op.info().attr("algorithm") ? op.string("algorithm") : "auto";
}

/// Without " of any width".
std::optional<std::string> nameForAnyWidth(const std::string& algorithm) {
  if (!algorithm.ends_with(kAnyWidth)) return std::nullopt;
  return algorithm.substr(0, algorithm.size() - kAnyWidth.size());
}

const ConvCandidate* find(const std::vector<ConvCandidate>& candidates,
                          const std::string& algorithm) {
  for (const ConvCandidate& candidate : candidates)
    if (algorithm == "auto" || candidate.name == algorithm ||
        (algorithm == "direct" && candidate.isDirect()) ||
        (algorithm == "winograd" && candidate.kind.starts_with(algorithm)))
      return &candidate;
  return nullptr;
}

std::string refuseDirect(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (isDisabled("conv_direct", target)) return "disabled";
  if (!sumsInF32(op)) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!isVector(y.layout, target)) return "result is not channel-blocked";
  if (!x.layout.isPlain() && !isVector(x.layout, target)) return "operand is blocked otherwise";
  if (x.layout.isPlain() && x.shape[1] > kMaxPlainChannels) return "plain input with many channels";
  return constantsRefusal(op);
}

std::string refuseInteger(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (isDisabled("conv_direct", target)) return "disabled";
  if (std::string reason = refuseIntegerOperands(op); !reason.empty()) return reason;
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!isVector(y.layout, target)) return "result is not channel-blocked";
  if (!x.layout.isPlain() && !isVector(x.layout, target)) return "operand is blocked otherwise";
  if (x.layout.isPlain() && (x.shape[1] > kMaxPlainChannels || op.integer("group") != 1))
    return "plain input with many channels or groups";
  return epilogueRefusal(op);
}

/// What a float convolution multiplies: words of bf16, if all of one are of one group.
Words floatWords(const Op& op, const WindowProblem& problem) {
  const bool isPlain = op.own(0)->type().layout.isPlain();
  if (!sumsHalvesInF32(op) || (isPlain && op.integer("group") != 1)) return {};
  const auto isMixed = [](const GroupRun& run) {
    return run.merge > 1 && run.problem.cinPerGroup() / run.merge % 2 != 0;
  };
  return std::ranges::any_of(mergedGroups(problem, op), isMixed) ? Words{} : kHalves;
}

/// The words of direct candidates: of integers pairs of widened pixels, and bytes where the weights
/// are such, or are made so and an instruction multiplies them; bf16 may be read as f32, which is
/// faster where no instruction multiplies them, or a slow one.
std::vector<Words> directWords(const Op& op, const kir::Target& target) {
  if (op.kind() == OpKind::ConvInteger) {
    std::vector<Words> all = {kPairs};
    const Words bytes = bytesFor(target.machine);
    if (!isShifted(op, bytes) || (op.integer("group") == 1 && hasDot(target.machine, bytes)))
      all.push_back(bytes);
    return all;
  }
  const Words words = floatWords(op, directProblem(op));
  std::vector<Words> all = {words};
  if (words.channels > 1 && isWidened(op)) all.push_back(Words());
  return all;
}

/// With what staging the input, and adding up its pixels, takes.
std::vector<DirectCandidate> integerCandidates(const Op& op, const WindowProblem& problem,
                                               const kir::Target& target) {
  std::vector<DirectCandidate> candidates;
  for (const Words& words : directWords(op, target)) {
    double staging = stageCycles(op, words, target.machine);
    if (isShifted(op, words))
      staging += WindowSums::cycles(problem, stagedType(op, words), target.machine);
    for (DirectCandidate& candidate : directCandidates(problem, target, words)) {
      candidate.cycles += staging;
      candidates.push_back(std::move(candidate));
    }
  }
  return candidates;
}

/// Bytes of so many numbers of the op's input.
int64_t bytesOf(const Op& op, int64_t count) {
  return count * static_cast<int64_t>(byteSize(op.own(0)->elem()));
}

/// Cycles for a copy of so many bytes.
double copyCycles(int64_t size, const kir::Machine& machine) {
  const auto bytes = static_cast<double>(size);
  return machine.callCycles + bytes / machine.load.bytesPerCycle +
         bytes / machine.store.bytesPerCycle;
}

/// With a copy of the pixels that a strided window of one tap reads, and of the input where it is
/// widened.
std::vector<DirectCandidate> floatCandidates(const Op& op, const WindowProblem& problem,
                                             const kir::Target& target) {
  const int64_t bytes = bytesOf(op, problem.batch * problem.cin * problem.inPixels());
  const auto copying = [&](const Words& words) {
    if (words.channels > 1) return stageCycles(op, words, target.machine);
    if (isWidened(op)) return copyCycles(3 * bytes, target.machine);
    return isSampled(op) ? copyCycles(bytes, target.machine) : 0;
  };
  std::vector<DirectCandidate> candidates;
  for (const Words& words : directWords(op, target))
    for (DirectCandidate& candidate : directCandidates(problem, target, words)) {
      candidate.cycles += copying(words);
      candidates.push_back(std::move(candidate));
    }
  return candidates;
}

/// Whether tiles may take their pixels from several rows or images: where rows are short, or there
/// are several images. Padding, which is multiplied as zeros, takes weights that are finite.
bool maySpanRows(const Op& op) {
  const WindowProblem p = windowProblem(op);
  if (op.own(0)->type().layout.isPlain() || (p.out[2] >= kLongRow && p.batch == 1)) return false;
  // Its pixels are one row anyway.
  if (p.isPointwise() && p.batch == 1) return false;
  // So are copies of its pixels, which are read faster than pixels that are apart.
  if (isSampled(op) && (p.batch == 1 || p.outPixels() >= kLongRow)) return false;
  double larger = 1;
  for (size_t d = 0; d < p.in.size(); ++d) {
    if (p.padsBegin[d] < 0 || p.padsEnd[d] < 0) return false;
    larger *=
        static_cast<double>(p.in[d] + p.padsBegin[d] + p.padsEnd[d]) / static_cast<double>(p.in[d]);
  }
  return larger == 1 || (larger <= kMostPadded && areOrdinary(*op.own(1)->constant()));
}

/// With a copy of the input that has its padding around it.
std::vector<DirectCandidate> spanningCandidates(const Op& op, const kir::Target& target) {
  const WindowProblem p = spanningProblem(op);
  auto candidates =
      spanningCandidates(mergedGroups(p, op).front().problem, target, floatWords(op, p));
  if (p.inPixels() == windowProblem(op).inPixels()) return candidates;
  for (DirectCandidate& candidate : candidates)
    candidate.cycles += copyCycles(bytesOf(op, p.batch * p.cin * p.inPixels()), target.machine);
  return candidates;
}

std::string refuseFloatWinograd(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (!sumsInF32(op)) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (!isVector(y.layout, target) || x.layout != y.layout) return "not channel-blocked alike";
  const Polyphase phases = polyphaseOf(op, y.layout.block);
  if (phases.isTransposed != (op.kind() == OpKind::ConvTranspose) ||
      !isWinogradWindow(phases.problem))
    return "no window of several taps that fits a tile";
  if (std::string reason = constantsRefusal(op); !reason.empty()) return reason;
  if (!areOrdinary(*op.own(1)->constant())) return "weights that are huge or not finite";
  return "";
}

std::string refuseWinograd(const Op& op, const kir::Target& target) {
  if (isDisabled("conv_winograd", target)) return "disabled";
  if (op.kind() != OpKind::ConvInteger) return refuseFloatWinograd(op, target);
  if (std::string reason = refuseInteger(op, target); !reason.empty()) return reason;
  return refuseIntegerWinograd(op, target);
}

std::string refuseGrouped(const Op& op, const kir::Target& target) {
  return isDisabled("conv_grouped", target) ? "disabled" : refuseConvGrouped(op, target);
}

std::string refusePlain(const Op& op, const kir::Target& target) {
  return isDisabled("conv_plain", target) ? "disabled" : refuseConvPlain(op, target);
}

/// In blocks of so many lanes, of a window that it takes.
std::vector<WinogradCandidate> winogradFor(const Op& op, int lanes, const kir::Target& target) {
  const Polyphase phases = polyphaseOf(op, lanes);
  std::vector<WinogradCandidate> candidates = winogradCandidates(
      phases.problem, target.withLanes(lanes), op.kind() == OpKind::ConvInteger ? kPairs : Words());
  if (phases.isPhased() && !phases.isTransposed)
    std::erase_if(candidates, [&](const WinogradCandidate& candidate) {
      return candidate.schedule.tiles(phases.problem) < kManyTiles;
    });
  return candidates;
}

/// With the candidates of Winograd's algorithm, the best first.
std::vector<ConvCandidate> withWinograd(const Op& op, const kir::Target& target,
                                        std::vector<ConvCandidate> candidates) {
  if (refuseWinograd(op, target).empty())
    for (const WinogradCandidate& winograd :
         winogradFor(op, op.result()->type().layout.block, target))
      candidates.push_back(
          {winograd.name(), winograd.kind, kOfWinograd * winograd.cycles, winograd});
  std::ranges::stable_sort(candidates, {}, &ConvCandidate::cycles);
  return candidates;
}

/// The candidate of that name for images of any width. None of the others is looked at.
std::optional<ConvCandidate> candidateForAnyWidth(const Op& op, const std::string& name,
                                                  const kir::Target& target) {
  const bool isInteger = op.kind() == OpKind::ConvInteger;
  const bool isDirect = name.starts_with("direct ");
  if (!isDirect && !name.starts_with("winograd ")) {
    for (const ConvCandidate& candidate : convCandidates(op, target))
      if (candidate.name == name) return candidate;
    return std::nullopt;
  }
  if (refuseGrouped(op, target).empty()) return std::nullopt;
  if (!(isInteger ? refuseInteger(op, target) : refuseDirect(op, target)).empty())
    return std::nullopt;
  const kir::Target narrowed = target.withLanes(op.result()->type().layout.block);
  if (isDirect) {
    const GroupRun run = mergedGroups(directProblem(op), op).front();
    for (const Words& words : directWords(op, narrowed))
      if (auto direct = directCandidate(name, run.problem, narrowed, words))
        return ConvCandidate{name, name, 0, *std::move(direct)};
    return std::nullopt;
  }
  if (!refuseWinograd(op, target).empty() ||
      polyphaseOf(op, narrowed.lanes(kir::Scalar::F32)).isPhased())
    return std::nullopt;
  const auto winograd =
      winogradCandidate(name, windowProblem(op), narrowed, isInteger ? kPairs : Words());
  if (!winograd) return std::nullopt;
  return ConvCandidate{name, winograd->kind, 0, *winograd};
}

/// Whether a plain result is better because its channels fill too little of a block.
bool isNarrow(const Op& op, int block) {
  const Shape &w = op.own(1)->shape(), &y = op.result()->shape();
  const auto strides = op.ints("strides");
  if (op.integer("group") != 1 || (!strides.empty() && strides.back() != 1)) return false;
  int64_t taps = 1;
  for (size_t d = 2; d < w.size(); ++d) taps *= w[d];
  return taps >= kManyTaps && y.back() >= 2 * block && 2 * y[1] <= block;
}

/// How many times as fast as direct convolution, with the result in blocks of `resultBlock`, is
/// Winograd's algorithm in blocks of so many channels, and so many cycles more; 0 if it does not
/// apply.
double winogradGain(const Op& op, int block, double more, int resultBlock,
                    const kir::Target& target) {
  if (op.kind() != OpKind::Conv || algorithmOf(op) != "auto" || isDisabled("conv_winograd", target))
    return 0;
  const WindowProblem p = polyphaseOf(op, block).problem;
  if (!isWinogradWindow(p) || !areOrdinary(*op.own(1)->constant())) return 0;
  const auto winograd = winogradFor(op, block, target);
  const auto direct = directCandidates(windowProblem(op), target.withLanes(resultBlock),
                                       sumsHalvesInF32(op) ? kHalves : Words{});
  return winograd.empty() ? 0 : direct.front().cycles / (winograd.front().cycles + more);
}

/// Whether a result in other blocks than the operand's would cost more than it saves: Winograd's
/// algorithm takes and gives blocks of one size.
bool wantsOperandsBlocks(const Op& op, const OpLayouts& layouts, const kir::Target& target) {
  if (!layouts.data.isPlain() && algorithmOf(op).starts_with("winograd")) return true;
  return layouts.data.block > layouts.result.block &&
         winogradGain(op, layouts.data.block, 0, layouts.result.block, target) > 1;
}

/// Whether a plain input of few channels, which direct convolution reads as it is, is better
/// brought into blocks for Winograd's algorithm.
bool wantsBlockedInput(const Op& op, const Layout& result, const kir::Target& target) {
  if (!sumsInF32(op) || sumsHalvesInF32(op)) return false;
  const int64_t pixels = windowProblem(op).inPixels() * op.own(0)->shape()[0];
  const double reorder = copyCycles(bytesOf(op, pixels * result.block), target.machine);
  return winogradGain(op, result.block, reorder, result.block, target) > kGainOnFewChannels;
}

/// Of direct convolution of floats in those blocks; groups that share blocks are merged.
double directCycles(const Op& op, const Layout& data, const Layout& result,
                    const kir::Target& target) {
  const kir::Target narrowed = target.withLanes(result.block);
  const double factor = target.isa == kir::Isa::Avx512 ? 1 : kBlendFactor;
  double cycles = 0;
  for (const GroupRun& run : mergedGroups(directProblem(op), data.block, result.block))
    cycles += directCandidates(run.problem, narrowed).front().cycles * (run.merge > 1 ? factor : 1);
  return cycles;
}

/// Whether groups share blocks with others, so that direct convolution multiplies them by zeros of
/// their neighbours.
bool sharesBlocks(const Op& op, const OpLayouts& layouts) {
  const WindowProblem p = windowProblem(op);
  const int block = layouts.data.block;
  return p.groups > 1 && !staysWithinBlocks(p, block) && sumsInF32(op) &&
         mergedGroups(p, block, layouts.result.block).front().merge > 1;
}

/// Blocks of half the lanes, where groups that share wide ones fill more of those and are faster.
std::optional<Layout> fasterHalf(const Op& op, const OpLayouts& layouts,
                                 const kir::Target& target) {
  const Layout half{layouts.data.block / 2};
  if (op.result()->type().numElements() == 0) return std::nullopt;
  if (layouts.data != layouts.result || !isVector(half, target) || sumsHalvesInF32(op) ||
      !sharesBlocks(op, layouts))
    return std::nullopt;
  const WindowProblem p = windowProblem(op);
  const double reorder = copyCycles(bytesOf(op, p.batch * p.cin * p.inPixels()), target.machine);
  const double wide = directCycles(op, layouts.data, layouts.result, target);
  if (kGainOfHalf * directCycles(op, half, half, target) + reorder >= wide) return std::nullopt;
  return half;
}

/// Whether groups that share blocks are computed faster on plain tensors.
bool isFasterPlain(const Op& op, const OpLayouts& layouts, const kir::Target& target) {
  return sharesBlocks(op, layouts) && algorithmOf(op) == "auto" &&
         !isDisabled("conv_plain", target) &&
         plainCycles(windowProblem(op), target) <
             directCycles(op, layouts.data, layouts.result, target);
}

} // namespace

OpLayouts convLayouts(const Op& op, const kir::Target& target) {
  const Type& x = op.own(0)->type();
  const bool isInteger = op.kind() == OpKind::ConvInteger;
  // Only these take any convolution of blocks.
  if (isDisabled("conv_direct", target) && op.kind() != OpKind::ConvTranspose) return {};
  if (isInteger && !refuseIntegerOperands(op).empty()) return {};
  if (!op.own(1)->constant() || (!isInteger && op.own(2) && !op.own(2)->constant())) return {};
  const Layout result = blockedFor(op.result()->shape()[1], target);
  if (op.kind() == OpKind::Conv && isNarrow(op, result.block)) return {};
  const bool grouped = op.integer("group") != 1;
  OpLayouts layouts = {{}, result, {}};
  if (!x.layout.isPlain())
    layouts.data = x.layout;
  else if (grouped || x.shape[1] > kMaxPlainChannels)
    layouts.data = blockedFor(x.shape[1], target);
  else if (wantsBlockedInput(op, result, target))
    layouts.data = result;
  // Groups within a block stay within it.
  if (grouped && x.shape[1] == op.result()->shape()[1]) layouts.result = layouts.data;
  if (wantsOperandsBlocks(op, layouts, target)) layouts.result = layouts.data;
  if (const auto half = fasterHalf(op, layouts, target)) layouts.data = layouts.result = *half;
  if (op.kind() == OpKind::Conv && isFasterPlain(op, layouts, target)) return {};
  layouts.expanded = misfits(op, layouts.result);
  // A plain result would cost more than large operands; of transposed convolutions nobody knows.
  if (op.kind() == OpKind::ConvTranspose && !layouts.expanded.empty()) return {};
  return layouts;
}

bool isSampled(const Op& op) {
  const WindowProblem p = windowProblem(op);
  const WindowProblem::Spatial ones{1, 1, 1}, zeros{0, 0, 0};
  return p.kernel == ones && p.strides != ones && p.padsBegin == zeros && p.padsEnd == zeros &&
         hasShortRows(p) && !op.own(0)->type().layout.isPlain();
}

bool isWidened(const Op& op) { return sumsHalvesInF32(op) && !isSampled(op); }

WindowProblem directProblem(const Op& op) {
  WindowProblem p = windowProblem(op);
  if (isSampled(op)) {
    p.in = p.out;
    p.strides = {1, 1, 1};
  }
  if (p.isPointwise() && hasShortRows(p)) p.in = p.out = {1, 1, p.outPixels()};
  return p;
}

WindowProblem spanningProblem(const Op& op) {
  WindowProblem p = windowProblem(op);
  for (size_t d = 0; d < p.in.size(); ++d) p.in[d] += p.padsBegin[d] + p.padsEnd[d];
  p.padsBegin = p.padsEnd = {0, 0, 0};
  return p;
}

std::string refuseConv(const Op& op, const kir::Target& target) {
  if (op.kind() == OpKind::ConvTranspose) return refuseConvTransposed(op, target);
  if (refuseGrouped(op, target).empty()) return "";
  if (op.kind() == OpKind::ConvInteger) return refuseInteger(op, target);
  if (refuseDirect(op, target).empty()) return "";
  return refusePlain(op, target);
}

std::vector<ConvCandidate> convCandidates(const Op& op, const kir::Target& target) {
  if (op.kind() == OpKind::ConvTranspose) {
    if (!refuseConv(op, target).empty()) return {};
    return withWinograd(
        op, target,
        {{"transposed", "transposed", transposedCycles(op, target), TransposedCandidate{}}});
  }
  const bool isInteger = op.kind() == OpKind::ConvInteger;
  if (refuseGrouped(op, target).empty()) {
    const std::string name = windowProblem(op).cinPerGroup() == 1 ? "depthwise" : "grouped";
    return {{name, name, 0, GroupedCandidate{}}};
  }
  if (isInteger ? !refuseInteger(op, target).empty() : !refuseDirect(op, target).empty()) {
    if (isInteger || !refusePlain(op, target).empty()) return {};
    return {{"plain", "plain", 0, PlainCandidate{}}};
  }
  std::vector<ConvCandidate> candidates;
  const kir::Target narrowed = target.withLanes(op.result()->type().layout.block);
  const auto runs = mergedGroups(directProblem(op), op);
  const WindowProblem& first = runs.front().problem;
  std::vector<DirectCandidate> allDirect =
      isInteger ? integerCandidates(op, first, narrowed) : floatCandidates(op, first, narrowed);
  if (!isInteger && maySpanRows(op))
    std::ranges::move(spanningCandidates(op, narrowed), std::back_inserter(allDirect));
  for (DirectCandidate& direct : allDirect) {
    const std::string name = direct.name();
    candidates.push_back({name, name, direct.cycles, std::move(direct)});
  }
  if (refuseTiles(op, target).empty())
    if (const auto tiles = tileCandidateOf(op, target))
      candidates.push_back({tiles->name(), "tiles", tiles->cycles, *tiles});
  return withWinograd(op, target, std::move(candidates));
}

ConvChoice chooseConv(const Op& op, const kir::Target& target) {
  const std::string algorithm = algorithmOf(op);
  if (const auto name = nameForAnyWidth(algorithm))
    if (auto named = candidateForAnyWidth(op, *name, target)) return {*std::move(named), ""};
  const std::vector<ConvCandidate> candidates = convCandidates(op, target);
  ENFOLD_CHECK(!candidates.empty(), "an op without a candidate: " + op.describe());
  const ConvCandidate* found = find(candidates, algorithm);
  ConvChoice choice{found ? *found : candidates.front(), ""};
  if (algorithm == "direct") return choice;
  for (const ConvCandidate& candidate : candidates)
    if (candidate.kind != choice.chosen.kind) {
      choice.secondChoice = fmt::format("{} {:+.0f} %", candidate.kind,
                                        100 * (candidate.cycles / candidates.front().cycles - 1));
      break;
    }
  return choice;
}

Choice explainConv(const Op& op, const kir::Target& target) {
  const ConvCandidate chosen = chooseConv(op, target).chosen;
  Choice choice{std::string(kConvKernels[chosen.how.index()]), {}};
  if (isWithinPointwise(op, target) || depthwiseWithin(op, target))
    choice.how = kConvKernels.back();
  if (const auto* direct = std::get_if<DirectCandidate>(&chosen.how);
      direct && direct->parts.front().schedule.words == kHalves)
    choice.how += " bf16";
  const auto refused = [&](std::string_view other, std::string reason) {
    if (reason.empty())
      reason = algorithmOf(op) == "auto" ? "direct is faster"
                                         : "the convolution is to be computed directly";
    choice.refused.emplace_back(other, std::move(reason));
  };
  const std::string reasons[] = {refuseGrouped(op, target), refuseTiles(op, target),
                                 refuseWinograd(op, target), refuseDirect(op, target)};
  for (size_t i = 0; i < chosen.how.index(); ++i) refused(kConvKernels[i], reasons[i]);
  return choice;
}

bool hasAlgorithm(const Op& op, const std::string& algorithm, const kir::Target& target) {
  if (algorithm == "auto" || algorithm == "direct") return true;
  if (algorithm == kSeparable) return depthwiseWithin(op, target) != nullptr;
  if (const auto name = nameForAnyWidth(algorithm))
    return candidateForAnyWidth(op, *name, target).has_value();
  return find(convCandidates(op, target), algorithm) != nullptr;
}

Result<> checkAlgorithms(const Graph& graph, const kir::Target& target) {
  for (const auto& op : graph.ops()) {
    if (!op->info().attr("algorithm")) continue;
    const std::string algorithm = algorithmOf(*op);
    if (hasAlgorithm(*op, algorithm, target)) continue;
    const std::vector<ConvCandidate> candidates = convCandidates(*op, target);
    std::vector<std::string> names = {"auto", "direct", "winograd"};
    if (!find(candidates, names.back())) names.pop_back();
    for (const ConvCandidate& candidate : candidates) names.push_back(candidate.name);
    return failure(ErrorCode::UnsupportedTarget,
                   fmt::format("has no algorithm '{}' on this target, only: {}", algorithm,
                               fmt::join(names, ", ")),
                   op->describe());
  }
  return {};
}

} // namespace enfold::lower
