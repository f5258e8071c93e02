// enfold explain: what became of every batch normalization, every fusion candidate with its reason,
// the error of each fold on request, and how each op runs.
#include "diagnose/Explain.h"

#include "support/ErrorCodes.h"
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

using diagnose::BatchNormAccount;
using diagnose::BatchNormStatus;
using diagnose::Explanation;
using diagnose::OpAccount;
using Rows = std::vector<std::vector<std::string>>;

struct ExplainOptions {
  ModelOptions model;
  std::string json;
  std::vector<std::string> require;
  bool all = false, measure = false;
};

std::string shortened(std::string text, size_t size) {
  return text.size() <= size ? text : text.substr(0, size - 3) + "...";
}

/// Nodes of a group that are shown unless all are asked for.
constexpr size_t kShown = 3;

std::string refusalCode(const BatchNormAccount& account) {
  return account.refusal ? std::string(info(account.refusal->reason).code) : "-";
}

/// "20 batch normalizations: 18 folded, 2 fused", and those that were not folded, grouped.
std::string batchNormText(const std::vector<BatchNormAccount>& accounts, bool all) {
  std::string text;
  std::map<std::pair<BatchNormStatus, std::string>, std::vector<const BatchNormAccount*>> groups;
  for (const BatchNormAccount& account : accounts)
    if (account.status != BatchNormStatus::Folded)
      groups[{account.status, refusalCode(account)}].push_back(&account);
  for (const auto& [status, count] : diagnose::countStatuses(accounts))
    text += fmt::format("{} {} {}", text.empty() ? ":" : ",", count, name(status));
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

std::string remarkText(std::span<const Remark> remarks, bool all) {
  Rows rows = {{"pass", "outcome", "reason", "count", "nodes", "why"}};
  for (const Group& group : groupsOf(remarks)) {
    const size_t count = group.remarks.size();
    const size_t shown = all ? count : std::min(count, kShown);
    for (size_t i = 0; i < shown; ++i) {
      const Remark& remark = *group.remarks[i];
      const std::string nodes = shortened(fmt::format("{}", fmt::join(remark.ops, " + ")), 60);
      if (i == 0)
        rows.push_back({remark.pass, std::string(name(remark.outcome)),
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

std::string opsText(const std::vector<OpAccount>& ops) {
  Rows rows = {{"op", "runs as", "type", "nodes"}};
  for (const OpAccount& op : ops) {
    std::string name = op.op;
    for (const std::string& step : op.epilogue) name += "+" + step;
    rows.push_back({shortened(name, 44), op.runsAs, op.type.str(),
                    shortened(fmt::format("{}", fmt::join(op.nodes, " + ")), 60)});
  }
  return table(rows);
}

void printText(const Explanation& e, bool all) {
  fmt::print("{}\n{}\n", batchNormText(e.batchNorms, all), remarkText(e.remarks, all));
  if (e.folds) fmt::print("{}\n", errorText(*e.folds));
  fmt::print("{}", opsText(e.ops));
}

/// Names what the gate does not let pass; true if there is nothing.
bool passesGate(const Explanation& e, const std::string& pass) {
  const std::vector<Remark> missed = diagnose::missedBy(e, pass);
  for (const Remark& remark : missed) note("required but " + remark.str());
  return missed.empty();
}

Result<int> explainModel(const ExplainOptions& options) {
  for (const std::string& pass : options.require)
    if (!findPass(pass))
      return failure(ErrorCode::UnknownName, fmt::format("--require {}: no such pass", pass));
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model, ModelUse::FirstPart));
  ENFOLD_TRY(Explanation e,
             diagnose::explain(options.model.model, std::move(model.graph),
                               options.model.compileOptions(), {.measureFolds = options.measure}));
  e.decided = std::move(model.remainder.decided);
  if (options.json != "-") printText(e, options.all);
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, toJson(e)));
  bool passed = true;
  for (const std::string& pass : options.require) passed &= passesGate(e, pass);
  return passed ? kDone : kWrong;
}

} // namespace

Action addExplain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  options->model.add(app);
  addJson(app, options->json);
  app.add_option("--require", options->require,
                 "Exit with 1 if this pass refused a candidate; for fold-batchnorm, if a batch "
                 "normalization behind a convolution was not folded")
      ->type_name("PASS");
  app.add_flag("--all", options->all, "Show all nodes of each group");
  app.add_flag("--measure", options->measure,
               "Measure the error of each fold with the reference functions");
  return [options] {
    const auto code = explainModel(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
