// Greedy reduction: every step that keeps the failure is taken, until none does.
#include "fuzz/Reduce.h"

#include "passes/Pipeline.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

namespace enfold::fuzz {
namespace {

/// What a copy of a graph does differently.
struct Change {
  std::optional<size_t> onlyOutput = {};
  const Op* cut = nullptr;    ///< its results become inputs
  const Op* bypass = nullptr; ///< its result becomes its operand number `operand`
  size_t operand = 0;
  const Op* plain = nullptr; ///< a constant that becomes all ones
};

class Copier {
public:
  Copier(const Graph& graph, const Change& change)
      : graph_(graph), change_(change), copy_(std::make_unique<Graph>(graph.name())) {}

  /// Null when the change does not fit.
  std::unique_ptr<Graph> run() {
    std::vector<size_t> outputs;
    for (size_t i = 0; i < graph_.outputs().size(); ++i)
      if (!change_.onlyOutput || *change_.onlyOutput == i) outputs.push_back(i);
    for (size_t i : outputs) mark(graph_.outputs()[i]);
    for (const auto& input : graph_.inputs())
      if (needed_.contains(input.get()))
        map_[input.get()] = copy_->addInput(input->name(), input->type());
    for (const auto& op : graph_.ops())
      if (isNeeded(*op) && !copyOp(*op)) return nullptr;
    for (size_t i : outputs)
      copy_->addOutput(map_.at(graph_.outputs()[i]), graph_.outputNames()[i]);
    return std::move(copy_);
  }

private:
  bool isNeeded(const Op& op) const {
    for (size_t i = 0; i < op.numResults(); ++i)
      if (needed_.contains(op.result(i))) return true;
    return false;
  }

  void mark(const Value* value) {
    if (!value || !needed_.insert(value).second) return;
    const Op* op = value->producer();
    if (!op || op == change_.cut) return;
    if (op == change_.bypass) return mark(op->operand(change_.operand));
    for (const Value* operand : op->operands()) mark(operand);
  }

  bool copyOp(const Op& op) {
    if (&op == change_.bypass) {
      map_[op.result()] = map_.at(op.operand(change_.operand));
      return true;
    }
    if (&op == change_.cut) {
      for (size_t i = 0; i < op.numResults(); ++i)
        map_[op.result(i)] = copy_->addInput(op.result(i)->name(), op.result(i)->type());
      return true;
    }
    if (op.kind() == OpKind::Constant) {
      Tensor tensor = *op.result()->constant();
      for (int64_t i = 0; &op == change_.plain && i < tensor.numElements(); ++i)
        tensor.setDouble(i, 1);
      map_[op.result()] = copy_->constant(std::move(tensor), op.result()->name());
      return true;
    }
    OpSpec spec{.kind = op.kind(), .operands = {}, .attrs = op.attrs()};
    for (const Value* operand : op.ownOperands())
      spec.operands.push_back(operand ? map_.at(operand) : nullptr);
    for (const Value* operand : op.operands().subspan(op.numOwnOperands()))
      spec.epilogueOperands.push_back(map_.at(operand));
    spec.epilogue.assign(op.epilogue().begin(), op.epilogue().end());
    spec.origins.assign(op.origins().begin(), op.origins().end());
    spec.numResults = op.numResults();
    for (size_t i = 0; i < op.numResults(); ++i) spec.resultNames.push_back(op.result(i)->name());
    const auto made = copy_->create(std::move(spec));
    if (!made) return false;
    for (size_t i = 0; i < op.numResults(); ++i) map_[op.result(i)] = (*made)->result(i);
    return true;
  }

  const Graph& graph_;
  const Change& change_;
  std::unique_ptr<Graph> copy_;
  std::unordered_set<const Value*> needed_;
  std::unordered_map<const Value*, Value*> map_;
};

/// All changes worth a try, the greatest first.
std::vector<Change> changesOf(const Graph& graph) {
  std::vector<Change> changes;
  for (size_t i = 0; graph.outputs().size() > 1 && i < graph.outputs().size(); ++i)
    changes.push_back({.onlyOutput = i});
  for (auto it = graph.ops().rbegin(); it != graph.ops().rend(); ++it) {
    const Op& op = **it;
    if (op.kind() == OpKind::Constant) continue;
    for (size_t i = 0; op.numResults() == 1 && i < op.operands().size(); ++i)
      if (op.operand(i) && op.operand(i)->type() == op.result()->type())
        changes.push_back({.bypass = &op, .operand = i});
    changes.push_back({.cut = &op});
  }
  for (const auto& op : graph.ops())
    if (const Tensor* tensor = op->kind() == OpKind::Constant ? op->result()->constant() : nullptr;
        tensor && isFloat(tensor->elem()) && tensor->numElements() > 1)
      changes.push_back({.plain = op.get()});
  return changes;
}

/// Counts what a reduction must make less, so that it ends.
size_t weightOf(const Graph& graph) {
  size_t weight = graph.outputs().size();
  for (const auto& op : graph.ops()) {
    const Tensor* tensor = op->result()->constant();
    weight += op->kind() == OpKind::Constant ? 1 : 10;
    for (int64_t i = 1; tensor && i < tensor->numElements(); ++i)
      if (tensor->asDouble(i) != tensor->asDouble(0)) {
        ++weight;
        break;
      }
  }
  return weight;
}

using Fails = std::function<bool(const Graph&, const std::string&)>;

bool reduceGraph(Case& failing, const Fails& fails) {
  for (const Change& change : changesOf(*failing.graph)) {
    auto smaller = Copier(*failing.graph, change).run();
    if (!smaller || weightOf(*smaller) >= weightOf(*failing.graph)) continue;
    if (!fails(*smaller, failing.pipeline)) continue;
    failing.graph = std::move(smaller);
    return true;
  }
  return false;
}

bool reducePipeline(Case& failing, const Fails& fails) {
  const auto pipeline = parsePipeline(failing.pipeline);
  if (!pipeline) return false;
  const auto attempt = [&](Pipeline smaller) {
    std::erase_if(smaller.steps, [](const PipelineStep& step) { return step.passes.empty(); });
    const std::string text = smaller.str();
    if (text.empty() || !fails(*failing.graph, text)) return false;
    failing.pipeline = text;
    return true;
  };
  for (size_t i = 0; i < pipeline->steps.size(); ++i) {
    Pipeline without = *pipeline;
    without.steps[i].passes.clear();
    if (attempt(without)) return true;
    if (!pipeline->steps[i].repeat) continue;
    Pipeline once = *pipeline;
    once.steps[i].repeat = false;
    if (pipeline->steps[i].passes.size() == 1 && attempt(once)) return true;
    for (size_t k = 0; pipeline->steps[i].passes.size() > 1 && k < pipeline->steps[i].passes.size();
         ++k) {
      Pipeline fewer = *pipeline;
      fewer.steps[i].passes.erase(fewer.steps[i].passes.begin() + static_cast<ptrdiff_t>(k));
      if (attempt(fewer)) return true;
    }
  }
  return false;
}

} // namespace

Case reduce(Case failing, const Fails& fails) {
  while (reduceGraph(failing, fails) || reducePipeline(failing, fails)) {
  }
  return failing;
}

} // namespace enfold::fuzz
