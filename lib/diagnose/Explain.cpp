// Collects what passes and kernel families say.
#include "diagnose/Explain.h"

#include "lower/Families.h"

#include <nlohmann/json.hpp>

namespace enfold::diagnose {

OpAccount accountOf(const Op& op, const codegen::Target& target) {
  lower::Choice choice = lower::explainChoice(op, target);
  OpAccount account{.op = op.info().name,
                    .epilogue = {},
                    .type = op.result()->type(),
                    .nodes = {op.origins().begin(), op.origins().end()},
                    .runsAs = std::move(choice.how),
                    .refused = std::move(choice.refused)};
  for (const EpilogueStep& step : op.epilogue())
    account.epilogue.emplace_back(enfold::name(step.kind));
  return account;
}

namespace {

Json toJson(const OpAccount& account) {
  Json json = {{"op", account.op},           {"epilogue", account.epilogue},
               {"type", account.type.str()}, {"nodes", account.nodes},
               {"runs_as", account.runsAs},  {"refused", Json::object()}};
  for (const auto& [family, reason] : account.refused) json["refused"][family] = reason;
  return json;
}

Json toJson(const FoldError& error) {
  return {{"value", error.value},
          {"nodes", error.nodes},
          {"error", error.maxAbs},
          {"bound", error.bound},
          {"scale", error.scale}};
}

} // namespace

Result<Explanation> explain(const std::string& model, std::unique_ptr<Graph> graph,
                            const CompileOptions& compile, const ExplainOptions& options) {
  Explanation explanation{.model = model};
  ENFOLD_TRY(const codegen::Target target, targetOf(compile));
  const std::vector<std::string> batchNorms = batchNormsOf(*graph);
  const auto before = options.measureFolds ? graph->clone() : nullptr;
  ENFOLD_TRY(const PipelineReport report, optimize(*graph, compile, target));
  explanation.batchNorms = diagnose::accountOf(batchNorms, *graph, report);
  explanation.remarks.assign(report.remarks.remarks().begin(), report.remarks.remarks().end());
  for (const auto& op : graph->ops())
    if (op->kind() != OpKind::Constant) explanation.ops.push_back(accountOf(*op, target));
  if (before) {
    ENFOLD_TRY(const Pipeline pipeline, pipelineOf(compile));
    PipelineOptions passes = compile.passes;
    passes.passes.target = factsOf(target);
    ENFOLD_TRY(explanation.folds, measureFolds(*before, pipeline, passes, sampleInputs(*before)));
  }
  return explanation;
}

std::vector<Remark> missedBy(const Explanation& explanation, std::string_view pass) {
  std::vector<Remark> missed;
  if (pass == "fold-batchnorm") {
    for (const BatchNormAccount& account : explanation.batchNorms)
      if (account.looksFoldable && account.status != BatchNormStatus::Folded)
        missed.push_back(*account.refusal);
  } else {
    for (const Remark& remark : explanation.remarks)
      if (remark.pass == pass && remark.outcome == Outcome::Refused) missed.push_back(remark);
  }
  return missed;
}

Json toJson(const Remark& remark) {
  return {{"pass", remark.pass},
          {"outcome", name(remark.outcome)},
          {"reason", info(remark.reason).code},
          {"op", remark.kind},
          {"value", remark.candidate},
          {"nodes", remark.ops},
          {"message", remark.message},
          {"numbers", remark.facts.numbers}};
}

Json toJson(const std::vector<onnx::Remainder::Decided>& decided) {
  Json json = Json::array();
  for (const auto& [node, reason] : decided) json.push_back({{"node", node}, {"reason", reason}});
  return json;
}

Json toJson(const Explanation& explanation) {
  Json json = {{"version", 1},
               {"model", explanation.model},
               {"batch_norms", toJson(explanation.batchNorms)},
               {"remarks", Json::array()},
               {"ops", Json::array()},
               {"decided_by_data", toJson(explanation.decided)}};
  for (const Remark& remark : explanation.remarks) json["remarks"].push_back(toJson(remark));
  for (const OpAccount& op : explanation.ops) json["ops"].push_back(toJson(op));
  if (!explanation.folds) return json;
  json["folds"] = Json::array();
  for (const FoldError& error : *explanation.folds) json["folds"].push_back(toJson(error));
  return json;
}

} // namespace enfold::diagnose
