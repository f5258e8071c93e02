// enfold explain: every fusion candidate, applied or refused, with its reason; and how each op
// runs.
#include "lower/Families.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::tool {
namespace {

using nlohmann::ordered_json;

struct ExplainOptions {
  ModelOptions model;
  std::string json;
  std::vector<std::string> require;
};

ordered_json remarkJson(const Remark& remark) {
  return {{"pass", remark.pass},
          {"outcome", remark.outcome == Outcome::Applied ? "applied" : "refused"},
          {"reason", info(remark.reason).code},
          {"nodes", remark.ops},
          {"message", remark.message},
          {"numbers", remark.facts.numbers}};
}

/// How every op of the optimized graph will run.
std::vector<std::pair<const Op*, lower::Choice>> choices(const Graph& graph,
                                                         const codegen::Target& target) {
  std::vector<std::pair<const Op*, lower::Choice>> result;
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant)
      result.emplace_back(op.get(), lower::explainChoice(*op, target));
  return result;
}

std::string shortened(std::string text, size_t size) {
  return text.size() <= size ? text : text.substr(0, size - 3) + "...";
}

std::string remarkTable(const PipelineReport& report) {
  std::vector<std::vector<std::string>> rows = {{"pass", "outcome", "reason", "nodes", "why"}};
  for (const Remark& remark : report.remarks.remarks())
    rows.push_back({remark.pass, remark.outcome == Outcome::Applied ? "applied" : "refused",
                    std::string(info(remark.reason).code),
                    shortened(fmt::format("{}", fmt::join(remark.ops, " + ")), 60),
                    remark.message});
  return table(rows);
}

Result<int> explain(const ExplainOptions& options) {
  ENFOLD_TRY(LoadedModel model, load(options.model));
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor("native"));
  ENFOLD_TRY(const PipelineReport report,
             optimize(*model.graph, options.model.compileOptions(), target));
  const auto how = choices(*model.graph, target);
  if (options.json != "-") {
    fmt::print("{}\n", remarkTable(report));
    std::vector<std::vector<std::string>> rows = {{"op", "runs as", "type", "nodes"}};
    for (const auto& [op, choice] : how) {
      std::string name = op->info().name;
      for (const EpilogueStep& step : op->epilogue()) name += "+" + enfold::name(step.kind);
      rows.push_back({shortened(name, 44), choice.how, op->result()->type().str(),
                      shortened(fmt::format("{}", fmt::join(op->origins(), " + ")), 60)});
    }
    fmt::print("{}", table(rows));
  }
  if (!options.json.empty()) {
    ordered_json json = {{"model", options.model.model},
                         {"remarks", ordered_json::array()},
                         {"ops", ordered_json::array()}};
    for (const Remark& remark : report.remarks.remarks())
      json["remarks"].push_back(remarkJson(remark));
    for (const auto& [op, choice] : how) {
      ordered_json entry = {{"op", op->info().name},
                            {"nodes", op->origins()},
                            {"runs_as", choice.how},
                            {"refused", ordered_json::object()}};
      for (const auto& [family, reason] : choice.refused) entry["refused"][family] = reason;
      json["ops"].push_back(std::move(entry));
    }
    ENFOLD_RETURN_IF_ERROR(writeText(options.json, json.dump(2) + "\n"));
  }
  bool missed = false;
  for (const Remark& remark : report.remarks.remarks())
    for (const std::string& pass : options.require)
      if (remark.pass == pass && remark.outcome == Outcome::Refused) {
        note("required but refused: " + remark.str());
        missed = true;
      }
  return missed ? kWrong : kDone;
}

} // namespace

Action addExplain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  options->model.add(app);
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  app.add_option("--require", options->require, "Exit with 1 if this pass refused a candidate");
  return [options] {
    const auto code = explain(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
