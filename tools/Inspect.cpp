// enfold inspect: what a model takes, gives, holds and costs, without running it; and the same of a
// compiled file, which was told when it was made.
#include "lower/Lowering.h"
#include "tools/Artifact.h"
#include "tools/Certificates.h"
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
                 const Facts& facts, double flops, const ordered_json& certificates) {
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
  if (!certificates.empty()) out += "  folds       " + summaryOf(certificates) + "\n";
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
  const ordered_json certificates = certificatesOf(report);
  if (options.json != "-")
    ENFOLD_RETURN_IF_ERROR(writeText("-", text(options, graph, plan, facts, flops, certificates)));
  if (options.model.verbosity > 0) fmt::print(stderr, "{}", print(plan));
  if (options.json.empty()) return {};
  std::vector<const Value*> inputs;
  std::vector<std::string> names;
  for (const auto& input : graph.inputs()) {
    inputs.push_back(input.get());
    names.push_back(input->name());
  }
  const std::vector<const Value*> outputs(graph.outputs().begin(), graph.outputs().end());
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
  app.get_option("MODEL")->description(
      "A .onnx or .eir file, zoo:NAME, or a compiled .o, .a or .so");
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  return [options] {
    const auto done = isArtifact(options->model.model)
                          ? inspectArtifact(options->model.model, options->json)
                          : inspect(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
