// enfold inspect: what a model takes, gives, holds and costs, without running it; and what a
// compiled file says about itself.
#include "diagnose/Inspect.h"

#include "diagnose/Artifact.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {
namespace {

using diagnose::Artifact;
using diagnose::Certificate;
using diagnose::Inspection;

struct InspectOptions {
  ModelOptions model;
  std::string json;
  bool check = false;
  std::vector<int> threads;
};

/// "20, each changes its tensor by at most 1.1e-06 max|x| + 2e-08"
std::string summaryOf(std::span<const Certificate> certificates) {
  double perInput = 0, constant = 0;
  for (const Certificate& certificate : certificates) {
    perInput = std::max(perInput, certificate.boundPerInput());
    constant = std::max(constant, certificate.boundConstant());
  }
  return fmt::format("{}, each changes its tensor by at most {:.2g} max|x| + {:.2g}",
                     certificates.size(), perInput, constant);
}

std::string tableOf(std::span<const Certificate> certificates) {
  std::vector<std::vector<std::string>> rows = {{"fold", "of max|x|", "plus", "tensor", "nodes"}};
  for (const Certificate& certificate : certificates)
    rows.push_back({certificate.reason, fmt::format("{:.2g}", certificate.boundPerInput()),
                    fmt::format("{:.2g}", certificate.boundConstant()), certificate.tensor,
                    fmt::format("{}", fmt::join(certificate.nodes, " + "))});
  return table(rows);
}

std::string tensorsText(const char* role, std::span<const TensorSpec> tensors) {
  std::string out;
  for (const TensorSpec& tensor : tensors)
    out += fmt::format("  {:6}  {}: {}\n", role, tensor.name, tensor.type.str());
  return out;
}

std::string opsText(const Inspection& facts) {
  std::map<std::string, std::pair<int64_t, int64_t>> both;
  for (const auto& [op, count] : facts.ops) both[op].first = count;
  for (const auto& [op, count] : facts.opsAfterPasses) both[op].second = count;
  std::vector<std::vector<std::string>> rows = {{"op", "in the model", "after the passes"}};
  for (const auto& [op, counts] : both)
    rows.push_back({op, std::to_string(counts.first), std::to_string(counts.second)});
  return table(rows);
}

/// " (f32 1.2 GFLOP, bf16 3.4 GFLOP)" where there are several types.
template <typename T, typename Text>
std::string byType(const std::map<std::string, T>& amounts, Text&& text) {
  if (amounts.size() < 2) return "";
  std::string out;
  for (const auto& [type, amount] : amounts)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", type, text(static_cast<double>(amount)));
  return " (" + out + ")";
}

std::string text(const Inspection& facts) {
  std::string out = facts.model + "\n";
  out += tensorsText("input", facts.inputs) + tensorsText("output", facts.outputs);
  out += fmt::format("  parameters  {} ({})\n", facts.parameters,
                     humanBytes(static_cast<double>(facts.parameterBytes)));
  out += fmt::format(
      "  arithmetic  {}{}\n", humanCount(facts.flops, "FLOP"),
      byType(facts.flopsByType, [](double amount) { return humanCount(amount, "FLOP"); }));
  double tensorBytes = 0;
  for (const auto& [type, bytes] : facts.tensorBytesByType)
    tensorBytes += static_cast<double>(bytes);
  out += fmt::format("  tensors     {}{}\n", humanBytes(tensorBytes),
                     byType(facts.tensorBytesByType, humanBytes));
  out +=
      fmt::format("  memory      arena {}, constants {}, {} calls of {} kernels\n",
                  humanBytes(static_cast<double>(facts.arenaBytes)),
                  humanBytes(static_cast<double>(facts.constantBytes)), facts.calls, facts.kernels);
  out += fmt::format("  coverage    {} ops by generated kernels, {} by reference functions\n",
                     facts.generatedOps, facts.referenceOps.size());
  for (const std::string& op : facts.referenceOps) out += "    reference " + op + "\n";
  std::string statuses;
  for (const auto& [status, count] : diagnose::countStatuses(facts.batchNorms))
    statuses += fmt::format("{}{} {}", statuses.empty() ? "" : ", ", count, name(status));
  if (!statuses.empty()) out += "  batch norms " + statuses + "\n";
  if (!facts.certificates.empty()) out += "  folds       " + summaryOf(facts.certificates) + "\n";
  return out;
}

std::string text(const Artifact& artifact) {
  std::string out = fmt::format("  made by enfold {} from {} for {}\n", artifact.version,
                                artifact.model, artifact.cpu);
  out += tensorsText("input", artifact.inputs) + tensorsText("output", artifact.outputs);
  out += fmt::format("  memory      arena {}, constants {}, {} calls\n",
                     humanBytes(static_cast<double>(artifact.arenaBytes)),
                     humanBytes(static_cast<double>(artifact.constantBytes)), artifact.calls);
  if (artifact.certificates.empty()) return out + "  folds       none\n";
  return out + "  folds       " + summaryOf(artifact.certificates) + "\n" +
         tableOf(artifact.certificates);
}

std::string scalingText(const diagnose::Scaling& scaling) {
  std::vector<std::vector<std::string>> rows = {{"kernel", "iterations", "grain"}};
  for (const int threads : scaling.threads) rows[0].push_back(fmt::format("x{} %", threads));
  rows[0].insert(rows[0].end(), {"imbalance", "limit", "algorithm", "nodes"});
  for (const diagnose::KernelScaling& kernel : scaling.kernels) {
    std::vector<std::string> row = {std::to_string(rows.size() - 1),
                                    std::to_string(kernel.iterations),
                                    std::to_string(kernel.grain)};
    for (const diagnose::KernelOnThreads& on : kernel.onThreads)
      row.push_back(fmt::format("{:.0f}", 100 * on.efficiency));
    row.insert(row.end(), {fmt::format("{:.2f}", kernel.onThreads.back().imbalance),
                           std::string(name(kernel.limit)), kernel.algorithm, kernel.nodes});
    rows.push_back(std::move(row));
  }
  std::string text = table(rows) + "predicted efficiency of the network:";
  for (size_t i = 0; i < scaling.threads.size(); ++i)
    text += fmt::format("{} {:.0f} % on {}", i ? "," : "", 100 * scaling.efficiency[i],
                        scaling.threads[i]);
  return text + " threads\n";
}

Result<> inspectModel(const InspectOptions& options) {
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model, ModelUse::FirstPart));
  ENFOLD_TRY(Inspection facts, diagnose::inspect(options.model.model, std::move(model.graph),
                                                 options.model.compileOptions(), options.threads));
  facts.decided = std::move(model.remainder.decided);
  if (options.json != "-")
    ENFOLD_RETURN_IF_ERROR(writeText("-", text(facts) + (facts.scaling ? scalingText(*facts.scaling)
                                                         : options.check ? ""
                                                                         : opsText(facts))));
  if (options.model.verbosity > 0) fmt::print(stderr, "{}", facts.plan);
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, toJson(facts)));
  if (options.check && !facts.referenceOps.empty())
    return unsupported(
        fmt::format("{} ops have no generated kernel: they run slowly, and cannot be "
                    "compiled to a file",
                    facts.referenceOps.size()));
  return {};
}

Result<> inspectArtifact(const InspectOptions& options) {
  ENFOLD_TRY(const std::vector<Artifact> artifacts, diagnose::readArtifacts(options.model.model));
  diagnose::Json json = diagnose::Json::array();
  std::string out = options.model.model + "\n";
  for (const Artifact& artifact : artifacts) {
    json.push_back(toJson(artifact));
    out += text(artifact);
  }
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", out));
  return options.json.empty() ? Result<>() : writeJson(options.json, json);
}

} // namespace

Action addInspect(CLI::App& app) {
  auto options = std::make_shared<InspectOptions>();
  options->model.add(app);
  app.get_option("MODEL")->description(
      "A .onnx or .eir file, zoo:NAME, or a compiled .o, .a or .so");
  app.remove_option(app.get_option("--threads"));
  app.add_option("--threads", options->threads,
                 "Predict how well that many threads share the work of each kernel: 1,2,4,8,16")
      ->delimiter(',')
      ->check(CLI::Range(1, ENFOLD_MAX_THREADS))
      ->type_name("COUNTS")
      ->group("Running");
  app.add_flag("--check", options->check,
               "Exit with 3 if any op has no generated kernel; leave out the table of ops");
  addJson(app, options->json);
  return [options] {
    const auto done = diagnose::isArtifact(options->model.model) ? inspectArtifact(*options)
                                                                 : inspectModel(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
