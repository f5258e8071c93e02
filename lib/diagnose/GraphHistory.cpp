// Records graphs between passes.
#include "diagnose/GraphHistory.h"

#include "ir/Printer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace enfold::diagnose {
namespace {

std::string_view name(ValueRecord::Source source) {
  constexpr std::string_view kNames[] = {"input", "constant", "computed"};
  return kNames[static_cast<size_t>(source)];
}

} // namespace

Result<> GraphHistory::after(const PassRun& run, const Graph& graph) {
  if (run.rewrites > 0) add(std::string(run.pass->name), run.seconds, run.rewrites, graph);
  return {};
}

void GraphHistory::add(std::string step, double seconds, int64_t rewrites, const Graph& graph) {
  Stage stage{.pass = std::move(step), .seconds = seconds, .rewrites = rewrites};
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) stage.ops.push_back(recordOf(*op));
  if (stages_.empty() || stages_.back().ops != stage.ops) stages_.push_back(std::move(stage));
}

int64_t GraphHistory::recordOf(const Value* value) {
  if (!value) return OpRecord::kAbsent;
  using enum ValueRecord::Source;
  const ValueRecord record{value->name(), value->type(),
                           !value->producer()  ? Input
                           : value->constant() ? Constant
                                               : Computed};
  const auto [entry, isNew] = valueIndex_.emplace(
      fmt::format("{} {} {}", static_cast<int>(record.source), record.type.str(), record.name),
      static_cast<int64_t>(values_.size()));
  if (isNew) values_.push_back(record);
  return entry->second;
}

int64_t GraphHistory::recordOf(const Op& op) {
  OpRecord record{
      .op = op.info().name, .nodes = {op.origins().begin(), op.origins().end()}, .text = print(op)};
  for (const EpilogueStep& step : op.epilogue())
    record.epilogue.emplace_back(enfold::name(step.kind));
  for (const Value* operand : op.operands()) record.operands.push_back(recordOf(operand));
  for (size_t i = 0; i < op.numResults(); ++i) record.results.push_back(recordOf(op.result(i)));
  const auto [entry, isNew] =
      opIndex_.emplace(fmt::format("{}\n{}\n{}", record.text, fmt::join(record.operands, " "),
                                   fmt::join(record.results, " ")),
                       static_cast<int64_t>(ops_.size()));
  if (isNew) ops_.push_back(std::move(record));
  return entry->second;
}

std::unordered_map<std::string, int64_t> GraphHistory::latestOps() const {
  std::unordered_map<std::string, int64_t> ops;
  for (const int64_t index : stages_.back().ops) {
    const int64_t result = ops_[static_cast<size_t>(index)].results[0];
    ops.emplace(values_[static_cast<size_t>(result)].name, index);
  }
  return ops;
}

Json toJson(const GraphHistory& history) {
  Json json = {{"values", Json::array()}, {"ops", Json::array()}, {"stages", Json::array()}};
  for (const ValueRecord& value : history.values())
    json["values"].push_back({{"name", value.name},
                              {"type", value.type.str()},
                              {"bytes", value.type.numBytes()},
                              {"source", name(value.source)}});
  for (const OpRecord& op : history.ops())
    json["ops"].push_back({{"op", op.op},
                           {"epilogue", op.epilogue},
                           {"operands", op.operands},
                           {"results", op.results},
                           {"nodes", op.nodes},
                           {"text", op.text}});
  for (const Stage& stage : history.stages())
    json["stages"].push_back({{"pass", stage.pass},
                              {"ms", stage.seconds * 1e3},
                              {"rewrites", stage.rewrites},
                              {"ops", stage.ops}});
  return json;
}

} // namespace enfold::diagnose
