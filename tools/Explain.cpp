// enfold explain: what became of every batch normalization, every fusion candidate with its reason,
// the error of each fold on request, and how each op runs.
#include "diagnose/BatchNorms.h"
#include "lower/Families.h"
#include "passes/FoldError.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace enfold::tool {
namespace {

using nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

struct ExplainOptions {
  ModelOptions model;
  std::string json;
  std::vector<std::string> require;
  bool all = false, measure = false;
};

constexpr diagnose::BatchNormFate kFates[] = {
    diagnose::BatchNormFate::Folded, diagnose::BatchNormFate::Fused, diagnose::BatchNormFate::Alone,
    diagnose::BatchNormFate::Removed, diagnose::BatchNormFate::Kept};

/// Everything that is told, whatever the form.
struct Explanation {
  LoadedModel model; ///< after the passes
  PipelineReport report;
  std::vector<diagnose::BatchNormAccount> batchNorms;
  std::vector<std::pair<const Op*, lower::Choice>> choices;
  std::optional<std::vector<FoldError>> errors;
};

std::string_view outcomeName(const Remark& remark) {
  return remark.outcome == Outcome::Applied ? "applied" : "refused";
}

std::string shortened(std::string text, size_t size) {
  return text.size() <= size ? text : text.substr(0, size - 3) + "...";
}

// ---- Text
// -----------------------------------------------------------------------------------------

/// Nodes of a group that are shown unless all are asked for.
constexpr size_t kShown = 3;

std::string refusalCode(const diagnose::BatchNormAccount& account) {
  return account.refusal ? std::string(info(account.refusal->reason).code) : "-";
}

/// "20 batch normalizations: 18 folded, 2 fused", and those that were not folded, grouped.
std::string batchNormText(const std::vector<diagnose::BatchNormAccount>& accounts, bool all) {
  std::string text;
  std::map<std::pair<diagnose::BatchNormFate, std::string>,
           std::vector<const diagnose::BatchNormAccount*>>
      groups;
  for (const diagnose::BatchNormAccount& account : accounts)
    if (account.fate != diagnose::BatchNormFate::Folded)
      groups[{account.fate, refusalCode(account)}].push_back(&account);
  for (diagnose::BatchNormFate fate : kFates) {
    const auto count = std::ranges::count(accounts, fate, &diagnose::BatchNormAccount::fate);
    if (count)
      text += fmt::format("{} {} {}", text.empty() ? ":" : ",", count, diagnose::name(fate));
  }
  Rows rows;
  for (const auto& [key, group] : groups) {
    const size_t shown = all ? group.size() : std::min(group.size(), kShown);
    for (size_t i = 0; i < shown; ++i)
      rows.push_back({fmt::format("  {}", group[i]->name), std::string(name(key.first)), key.second,
                      group[i]->detail});
    if (shown < group.size())
      rows.push_back({fmt::format("  ... and {} more", group.size() - shown),
                      std::string(name(key.first)), key.second});
  }
  return fmt::format("{} batch normalizations{}\n{}", accounts.size(), text,
                     rows.empty() ? "" : table(rows));
}

/// Remarks of one pass with one reason: a group of the table.
struct Group {
  const Remark* first;
  std::vector<const Remark*> remarks;
};

std::vector<Group> groupsOf(std::span<const Remark> remarks) {
  std::vector<Group> groups;
  for (const Remark& remark : remarks) {
    const auto same = std::ranges::find_if(groups, [&](const Group& group) {
      return group.first->pass == remark.pass && group.first->reason == remark.reason;
    });
    Group& group = same == groups.end() ? groups.emplace_back(Group{&remark, {}}) : *same;
    group.remarks.push_back(&remark);
  }
  std::ranges::stable_sort(groups, {}, [](const Group& group) {
    const auto passes = passTable();
    return std::pair(std::ranges::find(passes, group.first->pass, &PassInfo::name) - passes.begin(),
                     group.first->outcome);
  });
  return groups;
}

std::string remarkText(const PipelineReport& report, bool all) {
  Rows rows = {{"pass", "outcome", "reason", "count", "nodes", "why"}};
  for (const Group& group : groupsOf(report.remarks.remarks())) {
    const size_t count = group.remarks.size();
    const size_t shown = all ? count : std::min(count, kShown);
    for (size_t i = 0; i < shown; ++i) {
      const Remark& remark = *group.remarks[i];
      const std::string nodes = shortened(fmt::format("{}", fmt::join(remark.ops, " + ")), 60);
      if (i == 0)
        rows.push_back({remark.pass, std::string(outcomeName(remark)),
                        std::string(info(remark.reason).code), std::to_string(count), nodes,
                        remark.message});
      else
        rows.push_back({"", "", "", "", nodes, remark.message});
    }
    if (shown < count)
      rows.push_back({"", "", "", "", fmt::format("... and {} more", count - shown)});
  }
  return table(rows);
}

std::string errorText(const std::vector<FoldError>& errors) {
  Rows rows = {{"folded", "error", "bound", "of", "into"}};
  for (const FoldError& error : errors)
    rows.push_back({shortened(error.nodes, 60), fmt::format("{:.2e}", error.maxAbs),
                    fmt::format("{:.2e}", error.bound), fmt::format("{:.3g}", error.scale),
                    fmt::format("%{}", error.value)});
  return table(rows);
}

std::string choiceText(const Explanation& e) {
  Rows rows = {{"op", "runs as", "type", "nodes"}};
  for (const auto& [op, choice] : e.choices) {
    std::string name = op->info().name;
    for (const EpilogueStep& step : op->epilogue()) name += "+" + enfold::name(step.kind);
    rows.push_back({shortened(name, 44), choice.how, op->result()->type().str(),
                    shortened(fmt::format("{}", fmt::join(op->origins(), " + ")), 60)});
  }
  return table(rows);
}

void printText(const Explanation& e, bool all) {
  fmt::print("{}\n{}\n", batchNormText(e.batchNorms, all), remarkText(e.report, all));
  if (e.errors) fmt::print("{}\n", errorText(*e.errors));
  fmt::print("{}", choiceText(e));
}

// ---- JSON
// -----------------------------------------------------------------------------------------

ordered_json batchNormJson(const std::vector<diagnose::BatchNormAccount>& accounts) {
  ordered_json json = {{"total", accounts.size()}};
  for (diagnose::BatchNormFate fate : kFates)
    json[diagnose::name(fate)] =
        std::ranges::count(accounts, fate, &diagnose::BatchNormAccount::fate);
  json["nodes"] = ordered_json::array();
  for (const diagnose::BatchNormAccount& account : accounts)
    json["nodes"].push_back(
        {{"name", account.name},
         {"fate", name(account.fate)},
         {"refused", account.refusal ? ordered_json(info(account.refusal->reason).code) : nullptr},
         {"detail", account.detail}});
  return json;
}

ordered_json remarkJson(const Remark& remark) {
  return {{"pass", remark.pass},
          {"outcome", outcomeName(remark)},
          {"reason", info(remark.reason).code},
          {"op", remark.kind},
          {"value", remark.candidate},
          {"nodes", remark.ops},
          {"message", remark.message},
          {"numbers", remark.facts.numbers}};
}

ordered_json choiceJson(const Op& op, const lower::Choice& choice) {
  ordered_json entry = {{"op", op.info().name},
                        {"nodes", op.origins()},
                        {"runs_as", choice.how},
                        {"refused", ordered_json::object()}};
  for (const auto& [family, reason] : choice.refused) entry["refused"][family] = reason;
  return entry;
}

ordered_json json(const Explanation& e, const std::string& model) {
  ordered_json json = {{"model", model},
                       {"batch_norms", batchNormJson(e.batchNorms)},
                       {"remarks", ordered_json::array()},
                       {"ops", ordered_json::array()}};
  for (const Remark& remark : e.report.remarks.remarks())
    json["remarks"].push_back(remarkJson(remark));
  for (const auto& [op, choice] : e.choices) json["ops"].push_back(choiceJson(*op, choice));
  if (!e.errors) return json;
  json["folds"] = ordered_json::array();
  for (const FoldError& error : *e.errors)
    json["folds"].push_back({{"value", error.value},
                             {"nodes", error.nodes},
                             {"error", error.maxAbs},
                             {"bound", error.bound},
                             {"scale", error.scale}});
  return json;
}

// ---- The command
// ----------------------------------------------------------------------------------

Result<Explanation> explained(const ExplainOptions& options) {
  Explanation e;
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(e.model, load(options.model));
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor("native"));
  const CompileOptions compileOptions = options.model.compileOptions();
  const std::vector<std::string> batchNorms = diagnose::batchNormsOf(*e.model.graph);
  const auto before = options.measure ? e.model.graph->clone() : nullptr;
  ENFOLD_TRY(e.report, optimize(*e.model.graph, compileOptions, target));
  e.batchNorms = diagnose::accountOf(batchNorms, *e.model.graph, e.report);
  for (const auto& op : e.model.graph->ops())
    if (op->kind() != OpKind::Constant)
      e.choices.emplace_back(op.get(), lower::explainChoice(*op, target));
  if (before) {
    ENFOLD_TRY(const Pipeline pipeline, pipelineOf(compileOptions));
    ENFOLD_TRY(e.errors,
               measureFolds(*before, pipeline, compileOptions.passes, measuringInputs(*before)));
  }
  return e;
}

/// Names what the gate does not let pass; true if there is nothing. Of fold-batchnorm it wants that
/// every normalization behind a convolution or product was folded; of another pass, that it refused
/// nothing.
bool passesGate(const Explanation& e, const std::string& pass) {
  std::vector<const Remark*> misses;
  if (pass == "fold-batchnorm") {
    for (const diagnose::BatchNormAccount& account : e.batchNorms)
      if (account.looksFoldable && account.fate != diagnose::BatchNormFate::Folded)
        misses.push_back(account.refusal);
  } else {
    for (const Remark& remark : e.report.remarks.remarks())
      if (remark.pass == pass && remark.outcome == Outcome::Refused) misses.push_back(&remark);
  }
  for (const Remark* miss : misses) note("required but " + miss->str());
  return misses.empty();
}

Result<int> explain(const ExplainOptions& options) {
  for (const std::string& pass : options.require)
    if (!findPass(pass)) return usageError(fmt::format("--require {}: no such pass", pass));
  ENFOLD_TRY(const Explanation e, explained(options));
  if (options.json != "-") printText(e, options.all);
  if (!options.json.empty())
    ENFOLD_RETURN_IF_ERROR(writeJson(options.json, json(e, options.model.model)));
  bool passed = true;
  for (const std::string& pass : options.require) passed &= passesGate(e, pass);
  return passed ? kDone : kWrong;
}

} // namespace

Action addExplain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  options->model.add(app);
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  app.add_option("--require", options->require,
                 "Exit with 1 if this pass refused a candidate; fold-batchnorm: if a batch "
                 "normalization behind a convolution was not folded");
  app.add_flag("--all", options->all, "Show every node of a group");
  app.add_flag("--measure", options->measure,
               "Measure the error of each fold by the reference functions");
  return [options] {
    const auto code = explain(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
