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
  const auto reordered = [&](Value* value, int64_t block) {
    const auto made =
        part->create({.kind = OpKind::Reorder, .operands = {value}, .attrs = {{"block", block}}});
    ENFOLD_CHECK(made.has_value(), made.error().str());
    return (*made)->result();
  };
  const auto addInput = [&](const Value* value) {
    const int block = value->type().layout.block;
    Value* input = part->addInput(value->name(), {value->elem(), value->shape(), {}});
    map[value] = block ? reordered(input, block) : input;
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
  for (const Value* output : outputs) {
    Value* value = map.at(output);
    part->addOutput(value->type().layout.isPlain() ? value : reordered(value, 0), output->name());
  }
  return part;
}

} // namespace enfold
