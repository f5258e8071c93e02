// enfold inspect: what a model takes, gives, holds and costs, without running it.
#include "lower/Lowering.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <fmt/format.h>

#include <map>

namespace enfold::tool {
namespace {

using nlohmann::ordered_json;

struct InspectOptions {
  ModelOptions model;
  std::string json;
};

/// A fold with the bound on its error (docs/numerics.md).
ordered_json certificateJson(const Remark& remark) {
  ordered_json json = {{"pass", remark.pass},
                       {"reason", info(remark.reason).code},
                       {"nodes", remark.ops},
                       {"tensor", remark.facts.value}};
  for (const auto& [name, number] : remark.facts.numbers) json[name] = number;
  return json;
}

std::vector<const Remark*> certificatesOf(const PipelineReport& report) {
  std::vector<const Remark*> folds;
  for (const Remark& remark : report.remarks.remarks())
    if (remark.outcome == Outcome::Applied && remark.facts.numbers.contains("bound_per_input"))
      folds.push_back(&remark);
  return folds;
}

std::string certificatesText(const PipelineReport& report) {
  const std::vector<const Remark*> folds = certificatesOf(report);
  if (folds.empty()) return "";
  double perInput = 0, constant = 0;
  for (const Remark* fold : folds) {
    perInput = std::max(perInput, fold->facts.numbers.at("bound_per_input"));
    constant = std::max(constant, fold->facts.numbers.at("bound_constant"));
  }
  return fmt::format(
      "  folds       {}, each changes its tensor by at most {:.2g} max|x| + {:.2g}\n", folds.size(),
      perInput, constant);
}

struct Facts {
  std::map<std::string, int64_t> before, after; ///< ops by name
  int64_t parameters = 0;
  double parameterBytes = 0;
};

std::map<std::string, int64_t> countOps(const Graph& graph) {
  std::map<std::string, int64_t> counts;
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) ++counts[op->info().name];
  return counts;
}

ordered_json typesJson(std::span<const Value* const> values, std::span<const std::string> names) {
  ordered_json json = ordered_json::array();
  for (size_t i = 0; i < values.size(); ++i)
    json.push_back(
        {{"name", names[i]}, {"elem", name(values[i]->elem())}, {"shape", values[i]->shape()}});
  return json;
}

std::string text(const InspectOptions& options, const Graph& graph, const lower::Plan& plan,
                 const Facts& facts, double flops, const PipelineReport& report) {
  std::string out = fmt::format("{}\n", options.model.model);
  for (const auto& input : graph.inputs())
    out += fmt::format("  input   {}: {}\n", input->name(), input->type().str());
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    out +=
        fmt::format("  output  {}: {}\n", graph.outputNames()[i], graph.outputs()[i]->type().str());
  out += fmt::format("  parameters  {} ({})\n", facts.parameters, humanBytes(facts.parameterBytes));
  out += fmt::format("  arithmetic  {}\n", humanCount(flops, "FLOP"));
  out += fmt::format("  memory      arena {}, constants {}, {} calls of {} kernels\n",
                     humanBytes(static_cast<double>(plan.arenaBytes)),
                     humanBytes(static_cast<double>(plan.constantBytes)), plan.calls.size(),
                     plan.kernels.size());
  out += certificatesText(report);
  std::vector<std::vector<std::string>> rows = {{"op", "in the model", "after the passes"}};
  std::map<std::string, std::pair<int64_t, int64_t>> both;
  for (const auto& [op, count] : facts.before) both[op].first = count;
  for (const auto& [op, count] : facts.after) both[op].second = count;
  for (const auto& [op, counts] : both)
    rows.push_back({op, std::to_string(counts.first), std::to_string(counts.second)});
  return out + table(rows);
}

Result<> inspect(const InspectOptions& options) {
  ENFOLD_TRY(LoadedModel model, load(options.model));
  Graph& graph = *model.graph;
  Facts facts{.before = countOps(graph), .after = {}};
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::Constant) {
      facts.parameters += op->tensor("value").numElements();
      facts.parameterBytes += static_cast<double>(op->tensor("value").numBytes());
    }
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor("native"));
  ENFOLD_TRY(const PipelineReport report, optimize(graph, options.model.compileOptions(), target));
  facts.after = countOps(graph);
  const lower::Plan plan = lower::lowerGraph(graph, target);
  double flops = 0;
  for (const lower::Call& call : plan.calls) flops += call.flops;
  if (options.json != "-")
    ENFOLD_RETURN_IF_ERROR(writeText("-", text(options, graph, plan, facts, flops, report)));
  if (options.model.verbosity > 0) fmt::print(stderr, "{}", print(plan));
  if (options.json.empty()) return {};
  std::vector<const Value*> inputs;
  std::vector<std::string> names;
  for (const auto& input : graph.inputs()) {
    inputs.push_back(input.get());
    names.push_back(input->name());
  }
  const std::vector<const Value*> outputs(graph.outputs().begin(), graph.outputs().end());
  ordered_json certificates = ordered_json::array();
  for (const Remark* fold : certificatesOf(report)) certificates.push_back(certificateJson(*fold));
  const ordered_json json = {{"model", options.model.model},
                             {"inputs", typesJson(inputs, names)},
                             {"outputs", typesJson(outputs, graph.outputNames())},
                             {"parameters", facts.parameters},
                             {"parameter_bytes", facts.parameterBytes},
                             {"flops", flops},
                             {"ops", facts.before},
                             {"ops_after_passes", facts.after},
                             {"arena_bytes", plan.arenaBytes},
                             {"constant_bytes", plan.constantBytes},
                             {"calls", plan.calls.size()},
                             {"kernels", plan.kernels.size()},
                             {"reference_ops", plan.referenceOps()},
                             {"certificates", certificates}};
  return writeText(options.json, json.dump(2) + "\n");
}

} // namespace

Action addInspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  options->model.add(app);
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  return [options] {
    const auto done = inspect(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
