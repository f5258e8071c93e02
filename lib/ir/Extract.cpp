// Extracting parts of graphs.
#include "ir/Extract.h"

namespace enfold {
namespace {

using Values = std::unordered_set<const Value*>;

/// Every value on the way up from `value` that is needed, the cut included.
void collect(const Value* value, const Values& cut, Values& needed) {
  std::vector<const Value*> open = {value};
  while (!open.empty()) {
    const Value* next = open.back();
    open.pop_back();
    if (!next || !needed.insert(next).second || !next->producer() || cut.contains(next)) continue;
    for (const Value* operand : next->producer()->operands()) open.push_back(operand);
  }
}

} // namespace

std::unique_ptr<Graph> extract(const Graph& graph, std::span<const Value* const> outputs,
                               const Values& inputs) {
  Values needed;
  for (const Value* output : outputs) collect(output, inputs, needed);
  auto part = std::make_unique<Graph>(graph.name());
  std::unordered_map<const Value*, Value*> map{{nullptr, nullptr}};
  const auto addInput = [&](const Value* value) {
    ENFOLD_CHECK(value->type().layout.isPlain(), "a part would take a blocked tensor");
    map[value] = part->addInput(value->name(), value->type());
  };
  for (const auto& input : graph.inputs())
    if (needed.contains(input.get())) addInput(input.get());
  for (const auto& op : graph.ops()) {
    bool wanted = false;
    for (size_t i = 0; i < op->numResults(); ++i) {
      const Value* result = op->result(i);
      if (!needed.contains(result)) continue;
      if (inputs.contains(result))
        addInput(result);
      else
        wanted = true;
    }
    if (!wanted) continue;
    OpSpec spec{.kind = op->kind(), .operands = {}, .attrs = op->attrs()};
    for (const Value* operand : op->ownOperands()) spec.operands.push_back(map.at(operand));
    for (const Value* operand : op->operands().subspan(op->numOwnOperands()))
      spec.epilogueOperands.push_back(map.at(operand));
    spec.epilogue.assign(op->epilogue().begin(), op->epilogue().end());
    spec.origins.assign(op->origins().begin(), op->origins().end());
    spec.numResults = op->numResults();
    for (size_t i = 0; i < op->numResults(); ++i) {
      spec.resultNames.push_back(op->result(i)->name());
      spec.resultTypes.push_back(op->result(i)->type());
    }
    const auto made = part->create(std::move(spec));
    ENFOLD_CHECK(made.has_value(), made.error().str());
    for (size_t i = 0; i < op->numResults(); ++i)
      map.try_emplace(op->result(i), (*made)->result(i));
  }
  for (const Value* output : outputs) part->addOutput(map.at(output), output->name());
  return part;
}

} // namespace enfold
