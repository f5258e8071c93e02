// Convolutions are told apart by their order in the graph.
#include "driver/Algorithms.h"

#include "ir/Rewriter.h"
#include "lower/Layouts.h"
#include "lower/conv/AnyWidth.h"
#include "lower/conv/Candidates.h"

#include <fmt/format.h>

namespace enfold {
namespace {

bool hasAlgorithms(const Op& op, const codegen::Target& target) {
  return op.info().attr("algorithm") && lower::refuseConv(op, target).empty();
}

std::string described(const Op& op) {
  return fmt::format("{} {}", op.describe(), op.own(1)->type().str());
}

} // namespace

void setAlgorithm(Graph& graph, Op& op, const std::string& algorithm) {
  Rewriter rewriter(graph);
  ENFOLD_CHECK(rewriter.begin("tune", op), "nothing limits these rewrites");
  rewriter.setAttr(&op, "algorithm", algorithm);
}

void AlgorithmPins::adopt(Choice choice) {
  const std::lock_guard lock(mutex_);
  choice_ = std::move(choice);
  isChosen_ = true;
}

void AlgorithmPins::chooseFor(std::string sizes) {
  const std::lock_guard lock(mutex_);
  if (!isChosen_) choice_ = {.sizes = std::move(sizes), .pins = {}, .results = {}};
}

std::string AlgorithmPins::sizes() const {
  const std::lock_guard lock(mutex_);
  return choice_.sizes;
}

std::optional<AlgorithmPins::Choice> AlgorithmPins::choice() const {
  const std::lock_guard lock(mutex_);
  return isChosen_ ? std::optional(choice_) : std::nullopt;
}

OpLayouts AlgorithmPins::layoutsFor(const Op& op, OpLayouts own) {
  if (own.arePlain() || (op.kind() != OpKind::Conv && op.kind() != OpKind::ConvInteger)) return own;
  const std::lock_guard lock(mutex_);
  if (!isChosen_) {
    choice_.results.insert_or_assign(described(op), own.result);
    return own;
  }
  const auto known = choice_.results.find(described(op));
  if (known == choice_.results.end() || known->second == own.result) return own;
  own.result = known->second;
  own.expanded = lower::misfits(op, own.result);
  return own;
}

void AlgorithmPins::apply(Graph& graph, const codegen::Target& target) {
  std::vector<Op*> ops;
  for (const auto& op : graph.ops())
    if (hasAlgorithms(*op, target)) ops.push_back(op.get());
  const std::lock_guard lock(mutex_);
  if (!isChosen_)
    for (const Op* op : ops)
      choice_.pins.push_back({described(*op), lower::bestForAnyWidth(*op, target)});
  isChosen_ = true;
  if (ops.size() != choice_.pins.size()) return;
  for (size_t i = 0; i < ops.size(); ++i)
    if (described(*ops[i]) == choice_.pins[i].op &&
        lower::hasAlgorithm(*ops[i], choice_.pins[i].algorithm, target))
      setAlgorithm(graph, *ops[i], choice_.pins[i].algorithm);
}

} // namespace enfold
