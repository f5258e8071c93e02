// Gathering the ways of both algorithms, and choosing among them.
#include "lower/conv/Ways.h"

#include "lower/Epilogue.h"
#include "lower/conv/Grouped.h"
#include "lower/conv/Groups.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

namespace enfold::lower {
namespace {

/// Plain inputs are read through this many channels at most; above, the blocked layout is better.
constexpr int64_t kMaxPlainChannels = 16;
/// Rows of fewer pixels tile badly.
constexpr int64_t kLongRow = 32;

std::string constantsRefusal(const Op& op) {
  if (!op.own(1)->constant()) return "weights are not constant";
  if (op.own(1)->type().numElements() == 0) return "nothing to multiply";
  if (op.own(2) && !op.own(2)->constant()) return "bias is not constant";
  return epilogueRefusal(op);
}

/// Whether all are finite and below the bound. The bits of magnitudes are in their order.
bool areOrdinary(const Tensor& weights) {
  const float* data = weights.data<float>();
  uint32_t largest = 0;
  for (int64_t i = 0; i < weights.numElements(); ++i)
    largest = std::max(largest, std::bit_cast<uint32_t>(data[i]) << 1);
  return largest < std::bit_cast<uint32_t>(kLargestPoint) << 1;
}

ConvWay named(DirectWay way) {
  const std::string name = way.name();
  return {name, name, way.cycles, std::move(way)};
}

ConvWay named(const WinogradWay& way) {
  return {way.name(), fmt::format("winograd f{}", way.schedule.outputs), way.cycles, way};
}

const ConvWay* chosen(const std::vector<ConvWay>& ways, const std::string& algorithm) {
  for (const ConvWay& way : ways)
    if (algorithm == "auto" || way.name == algorithm ||
        (algorithm == "direct" && std::holds_alternative<DirectWay>(way.how)))
      return &way;
  return nullptr;
}

} // namespace

bool isSampled(const Op& op) {
  const WindowProblem p = windowProblem(op);
  const WindowProblem::Spatial ones{1, 1, 1}, zeros{0, 0, 0};
  return p.kernel == ones && p.strides != ones && p.padsBegin == zeros && p.padsEnd == zeros &&
         p.out[2] < kLongRow && !op.own(0)->type().layout.isPlain();
}

WindowProblem directProblem(const Op& op) {
  WindowProblem p = windowProblem(op);
  if (isSampled(op)) {
    p.in = p.out;
    p.strides = {1, 1, 1};
  }
  if (p.isPointwise() && p.out[2] < kLongRow) p.in = p.out = {1, 1, p.outPixels()};
  return p;
}

std::string directRefusal(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  if (x.elem != ElemType::F32) return "element type is not f32";
  if (x.rank() < 3 || x.rank() > 5) return "spatial rank is not 1 to 3";
  if (y.layout.block != target.lanes(kir::Scalar::F32)) return "result is not channel-blocked";
  if (x.layout.isPlain() && x.shape[1] > kMaxPlainChannels) return "plain input with many channels";
  return constantsRefusal(op);
}

std::string winogradRefusal(const Op& op, const kir::Target& target) {
  const Type &x = op.own(0)->type(), &y = op.result()->type();
  const int block = target.lanes(kir::Scalar::F32);
  if (x.elem != ElemType::F32) return "element type is not f32";
  if (x.rank() != 4 && x.rank() != 5) return "spatial rank is not 2 or 3";
  if (x.layout.block != block || y.layout.block != block) return "not channel-blocked";
  if (!isWinogradWindow(windowProblem(op))) return "not 3x3 of stride 1 along height and width";
  if (std::string reason = constantsRefusal(op); !reason.empty()) return reason;
  if (!areOrdinary(*op.own(1)->constant())) return "weights that are huge or not finite";
  return "";
}

std::vector<ConvWay> convWays(const Op& op, const kir::Target& target) {
  std::vector<ConvWay> ways;
  if (refuseConvGrouped(op, target).empty() || !directRefusal(op, target).empty()) return ways;
  const auto runs = mergedGroups(directProblem(op), target.lanes(kir::Scalar::F32));
  for (DirectWay& way : directWays(runs.front().problem, target))
    ways.push_back(named(std::move(way)));
  if (winogradRefusal(op, target).empty())
    for (const WinogradWay& way : winogradWays(windowProblem(op), target))
      ways.push_back(named(way));
  std::ranges::stable_sort(ways, {}, &ConvWay::cycles);
  return ways;
}

DirectWay chooseDirect(const Op& op, const WindowProblem& run, const kir::Target& target) {
  std::vector<DirectWay> ways = directWays(run, target);
  const std::string algorithm = op.string("algorithm");
  for (DirectWay& way : ways)
    if (way.name() == algorithm) return std::move(way);
  return std::move(ways.front());
}

std::optional<WinogradSchedule> chooseWinograd(const Op& op, const kir::Target& target) {
  const std::vector<ConvWay> ways = convWays(op, target);
  const ConvWay* way = chosen(ways, op.string("algorithm"));
  const auto* winograd = way ? std::get_if<WinogradWay>(&way->how) : nullptr;
  return winograd ? std::optional(winograd->schedule) : std::nullopt;
}

std::string runnerUp(const Op& op, const kir::Target& target, std::string_view kind) {
  const std::vector<ConvWay> ways = convWays(op, target);
  for (const ConvWay& way : ways)
    if (way.kind != kind && op.string("algorithm") != "direct")
      return fmt::format("{} {:+.0f} %", way.kind, 100 * (way.cycles / ways.front().cycles - 1));
  return "";
}

Result<> checkAlgorithms(const Graph& graph, const kir::Target& target) {
  for (const auto& op : graph.ops()) {
    if (op->kind() != OpKind::Conv) continue;
    const std::string algorithm = op->string("algorithm");
    if (algorithm == "auto" || algorithm == "direct") continue;
    const std::vector<ConvWay> ways = convWays(*op, target);
    if (chosen(ways, algorithm)) continue;
    std::vector<std::string> names = {"auto", "direct"};
    for (const ConvWay& way : ways) names.push_back(way.name);
    return unsupported(fmt::format("has no algorithm '{}' on this target, only: {}", algorithm,
                                   fmt::join(names, ", ")),
                       op->describe());
  }
  return {};
}

} // namespace enfold::lower
