// enfold opt: runs passes over a graph; prints it before, between or after them, or saves it.
#include "diagnose/Explain.h"
#include "ir/Printer.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>

namespace enfold::tool {
namespace {

struct OptOptions {
  ModelOptions model;
  std::vector<std::string> printAfter;
  std::string output, json;
  bool verifyEach = false, timePasses = false, printBefore = false;
};

/// Prints between passes.
class Instruments final : public PassObserver {
public:
  explicit Instruments(const OptOptions& options) : options_(options) {}

  Result<> after(const PassRun& run, const Graph& graph) override {
    for (const std::string& name : options_.printAfter)
      if (name == "all" || name == run.pass->name || (name == "change" && run.rewrites > 0))
        fmt::print("# after {} ({} rewrites)\n{}\n", run.pass->name, run.rewrites, print(graph));
    return {};
  }

private:
  const OptOptions& options_;
};

Result<> save(const LoadedModel& model, const std::string& output) {
  const Graph& graph = *model.graph;
  const std::filesystem::path path = output;
  if (path.extension() == ".eir") return saveGraphText(graph, path);
  if (path.extension() == ".onnx" || output == "-")
    return saveModel(graph, output, {.inputDefaults = model.inputDefaults});
  if (path.extension() == ".dot") return writeText(output, printDot(graph));
  return failure(ErrorCode::BadValue,
                 fmt::format("-o {}: the name must end in .eir, .onnx or .dot, or be -", output));
}

/// What the passes did, and the graph behind them.
diagnose::Json toJson(const OptOptions& options, const PipelineReport& report, const Graph& graph) {
  diagnose::Json json = {{"version", 1},
                         {"model", options.model.model},
                         {"passes", diagnose::Json::array()},
                         {"remarks", diagnose::Json::array()},
                         {"graph", print(graph)}};
  for (const PassRun& run : report.runs)
    json["passes"].push_back(
        {{"pass", run.pass->name}, {"ms", run.seconds * 1e3}, {"rewrites", run.rewrites}});
  for (const Remark& remark : report.remarks.remarks())
    json["remarks"].push_back(diagnose::toJson(remark));
  return json;
}

Result<> opt(const OptOptions& options) {
  const bool prints = options.printBefore || !options.printAfter.empty();
  if ((options.json == "-") + (options.output == "-") + prints > 1)
    return failure(ErrorCode::OptionConflict,
                   "only one of -o -, --json - and --print can write to standard output");
  for (const std::string& name : options.printAfter)
    if (name != "all" && name != "change" && !findPass(name))
      return failure(ErrorCode::UnknownName, fmt::format("--print-after {}: no such pass", name));
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model));
  if (options.printBefore) fmt::print("# before\n{}\n", print(*model.graph));
  Instruments instruments(options);
  CompileOptions compileOptions = options.model.compileOptions();
  ENFOLD_TRY(const codegen::Target target, targetOf(compileOptions));
  compileOptions.passes.observers = {&instruments};
  compileOptions.passes.verifyEach |= options.verifyEach;
  ENFOLD_TRY(const PipelineReport report, optimize(*model.graph, compileOptions, target));
  if (options.model.verbosity > 0)
    for (const Remark& remark : report.remarks.remarks()) note(remark.str());
  if (options.timePasses) {
    std::vector<std::vector<std::string>> rows = {{"pass", "ms", "rewrites"}};
    for (const PassRun& run : report.runs)
      rows.push_back({std::string(run.pass->name), fmt::format("{:.2f}", run.seconds * 1e3),
                      std::to_string(run.rewrites)});
    fmt::print(stderr, "{}", table(rows));
  }
  if (!options.json.empty())
    ENFOLD_RETURN_IF_ERROR(writeJson(options.json, toJson(options, report, *model.graph)));
  if (!options.output.empty()) return save(model, options.output);
  if (options.printAfter.empty() && options.json != "-") fmt::print("{}", print(*model.graph));
  return {};
}

} // namespace

Action addOpt(CLI::App& app) {
  auto options = std::make_shared<OptOptions>();
  options->model.add(app);
  app.add_option("--print-after", options->printAfter,
                 "Print the graph after this pass, after `all`, or after every `change` to it")
      ->type_name("PASS");
  app.add_flag("--print-before", options->printBefore, "Print the graph before the passes");
  app.add_flag("--verify-each", options->verifyEach, "Verify the graph after every pass");
  app.add_flag("--time-passes", options->timePasses, "Print the time of every pass to stderr");
  app.add_option("-o,--output", options->output,
                 "Write the graph to this file: .eir, .onnx or .dot; - for ONNX on stdout")
      ->type_name("FILE");
  addJson(app, options->json);
  return [options] {
    const auto done = opt(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
