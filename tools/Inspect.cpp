// enfold inspect: what a model takes, gives, holds and costs, without running it; and the same of a
// compiled file, which was told when it was made.
#include "diagnose/BatchNorms.h"
#include "lower/Lowering.h"
#include "tools/Artifact.h"
#include "tools/Certificates.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>

namespace enfold::tool {
namespace {

using nlohmann::ordered_json;

struct InspectOptions {
  ModelOptions model;
  std::string json;
  bool check = false;
};

struct Facts {
  std::map<std::string, int64_t> before, after; ///< ops by name
  int64_t parameters = 0;
  double parameterBytes = 0;
  double flops = 0;
  size_t generated = 0;                 ///< ops with a kernel, or a part of one
  std::vector<std::string> reference;   ///< ops without, described
  std::map<std::string, int64_t> fates; ///< of batch normalizations
  ordered_json certificates;
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

std::string fatesText(const Facts& facts) {
  if (facts.fates.empty()) return "";
  std::string text = "  batch norms ";
  for (const auto& [fate, count] : facts.fates)
    text += fmt::format("{}{} {}", text.back() == ' ' ? "" : ", ", count, fate);
  return text + "\n";
}

std::string text(const InspectOptions& options, const Graph& graph, const lower::Plan& plan,
                 const Facts& facts) {
  std::string out = fmt::format("{}\n", options.model.model);
  for (const auto& input : graph.inputs())
    out += fmt::format("  input   {}: {}\n", input->name(), input->type().str());
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    out +=
        fmt::format("  output  {}: {}\n", graph.outputNames()[i], graph.outputs()[i]->type().str());
  out += fmt::format("  parameters  {} ({})\n", facts.parameters, humanBytes(facts.parameterBytes));
  out += fmt::format("  arithmetic  {}\n", humanCount(facts.flops, "FLOP"));
  out += fmt::format("  memory      arena {}, constants {}, {} calls of {} kernels\n",
                     humanBytes(static_cast<double>(plan.arenaBytes)),
                     humanBytes(static_cast<double>(plan.constantBytes)), plan.calls.size(),
                     plan.kernels.size());
  out += fmt::format("  coverage    {} ops by generated kernels, {} by reference functions\n",
                     facts.generated, facts.reference.size());
  for (const std::string& op : facts.reference) out += "    reference " + op + "\n";
  out += fatesText(facts);
  if (!facts.certificates.empty()) out += "  folds       " + summaryOf(facts.certificates) + "\n";
  if (options.check) return out;
  std::vector<std::vector<std::string>> rows = {{"op", "in the model", "after the passes"}};
  std::map<std::string, std::pair<int64_t, int64_t>> both;
  for (const auto& [op, count] : facts.before) both[op].first = count;
  for (const auto& [op, count] : facts.after) both[op].second = count;
  for (const auto& [op, counts] : both)
    rows.push_back({op, std::to_string(counts.first), std::to_string(counts.second)});
  return out + table(rows);
}

ordered_json json(const InspectOptions& options, const Graph& graph, const lower::Plan& plan,
                  const Facts& facts) {
  std::vector<const Value*> inputs;
  std::vector<std::string> names;
  for (const auto& input : graph.inputs()) {
    inputs.push_back(input.get());
    names.push_back(input->name());
  }
  const std::vector<const Value*> outputs(graph.outputs().begin(), graph.outputs().end());
  return {{"model", options.model.model},
          {"inputs", typesJson(inputs, names)},
          {"outputs", typesJson(outputs, graph.outputNames())},
          {"parameters", facts.parameters},
          {"parameter_bytes", facts.parameterBytes},
          {"flops", facts.flops},
          {"ops", facts.before},
          {"ops_after_passes", facts.after},
          {"arena_bytes", plan.arenaBytes},
          {"constant_bytes", plan.constantBytes},
          {"calls", plan.calls.size()},
          {"kernels", plan.kernels.size()},
          {"reference_ops", facts.reference},
          {"batch_norms", facts.fates},
          {"certificates", facts.certificates}};
}

/// What is known of a model before the passes.
Facts factsOf(const Graph& graph) {
  Facts facts{.before = countOps(graph)};
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::Constant) {
      facts.parameters += op->tensor("value").numElements();
      facts.parameterBytes += static_cast<double>(op->tensor("value").numBytes());
    }
  return facts;
}

Result<> inspect(const InspectOptions& options) {
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model));
  Graph& graph = *model.graph;
  Facts facts = factsOf(graph);
  const std::vector<std::string> batchNorms = diagnose::batchNormsOf(graph);
  ENFOLD_TRY(const codegen::Target target, codegen::targetFor("native"));
  ENFOLD_TRY(const PipelineReport report, optimize(graph, options.model.compileOptions(), target));
  const lower::Plan plan = lower::lowerGraph(graph, target);
  facts.after = countOps(graph);
  facts.reference = plan.referenceOps();
  for (const auto& [op, count] : facts.after) facts.generated += static_cast<size_t>(count);
  facts.generated -= facts.reference.size();
  for (const diagnose::BatchNormAccount& account : diagnose::accountOf(batchNorms, graph, report))
    ++facts.fates[std::string(name(account.fate))];
  for (const lower::Call& call : plan.calls) facts.flops += call.flops;
  facts.certificates = certificatesOf(report);
  if (options.json != "-")
    ENFOLD_RETURN_IF_ERROR(writeText("-", text(options, graph, plan, facts)));
  if (options.model.verbosity > 0) fmt::print(stderr, "{}", print(plan));
  if (!options.json.empty())
    ENFOLD_RETURN_IF_ERROR(writeJson(options.json, json(options, graph, plan, facts)));
  if (options.check && !facts.reference.empty())
    return unsupported(fmt::format("{} ops have no generated kernel: they run slowly, and not from "
                                   "compiled files",
                                   facts.reference.size()));
  return {};
}

} // namespace

Action addInspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  options->model.add(app);
  app.get_option("MODEL")->description(
      "A .onnx or .eir file, zoo:NAME, or a compiled .o, .a or .so");
  app.add_flag("--check", options->check,
               "Leave out the ops; exit code 3 when any has no generated kernel");
  app.add_option("--json", options->json, "Write JSON to this file, - for stdout");
  return [options] {
    const auto done = isArtifact(options->model.model)
                          ? inspectArtifact(options->model.model, options->json)
                          : inspect(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
