// enfold bisect: finds the rewrite that makes a model's answers wrong, and writes a folder that
// reproduces it:
//
//   model.eir, model.bin     the smallest part of the model that shows it
//   test_data_set_0/         what to run that on, and the answer expected
//   before.eir, after.eir    the whole graph around the rewrite, for reading
//   bundle.json              the rewrite, the machine, and the command that replays it
#include "diagnose/Bisect.h"

#include "diagnose/OnnxRuntime.h"
#include "ir/Printer.h"
#include "passes/FoldError.h"
#include "reference/Reference.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Inputs.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {
namespace {

struct BisectOptions {
  ModelOptions model;
  InputOptions inputs;
  ToleranceOptions tolerance;
  std::string against = "reference", folder = "enfold-bundle", json;

  bool printsText() const { return json != "-"; }
};

/// What the command line says besides the model and the passes.
std::string flagsOf(const ModelOptions& options) {
  std::string flags;
  if (options.assumeInferenceBn) flags += " --assume-inference-bn";
  if (options.strictDenormals) flags += " --strict-denormals";
  if (options.accuracy != ModelOptions{}.accuracy) flags += " --accuracy " + options.accuracy;
  if (options.precision != ModelOptions{}.precision) flags += " --precision " + options.precision;
  if (options.threads) flags += fmt::format(" --threads {}", options.threads);
  return flags;
}

Result<> writeTensors(const std::filesystem::path& folder, std::string_view kind,
                      std::span<const Tensor> tensors, std::span<const std::string> names) {
  for (size_t i = 0; i < tensors.size(); ++i)
    ENFOLD_RETURN_IF_ERROR(
        onnx::writeTensorProto(folder / fmt::format("{}_{}.pb", kind, i), {names[i], tensors[i]}));
  return {};
}

/// Returns what it wrote to bundle.json.
Result<diagnose::Json> writeBundle(const BisectOptions& options,
                                   const diagnose::BisectProblem& problem,
                                   const diagnose::Bisection& found) {
  const std::filesystem::path folder = options.folder, data = folder / "test_data_set_0";
  std::error_code error;
  std::filesystem::create_directories(data, error);
  if (error)
    return failure(ErrorCode::NoSuchFile, fmt::format("{}: {}", data.string(), error.message()));
  ENFOLD_TRY(const diagnose::Replay replay, diagnose::smallestReplay(problem, found));
  ENFOLD_RETURN_IF_ERROR(saveGraphText(*replay.graph, folder / "model.eir"));
  std::vector<std::string> inputNames;
  for (const auto& input : replay.graph->inputs()) inputNames.push_back(input->name());
  ENFOLD_RETURN_IF_ERROR(writeTensors(data, "input", replay.inputs, inputNames));
  ENFOLD_RETURN_IF_ERROR(
      writeTensors(data, "output", replay.expected, replay.graph->outputNames()));
  ENFOLD_RETURN_IF_ERROR(writeText((folder / "before.eir").string(), print(*found.before.graph)));
  ENFOLD_RETURN_IF_ERROR(writeText((folder / "after.eir").string(), print(*found.after.graph)));
  std::string command =
      fmt::format("enfold run {} --against {} --rtol {} --atol {} --passes '{}'{}",
                  (folder / "model.eir").string(), folder.string(), problem.tolerance.rtol,
                  problem.tolerance.atol, replay.passes, flagsOf(options.model));
  if (replay.maxRewrites != PipelineOptions{}.maxRewrites)
    command += fmt::format(" --max-rewrites {}", replay.maxRewrites);
  diagnose::Json json = {{"model", options.model.model}};
  json.update(toJson(found));
  json.update({{"passes", problem.pipeline.str()},
               {"cpu", problem.target.cpu},
               {"isa", kir::name(problem.target.isa)},
               {"version", ENFOLD_VERSION},
               {"replay", command}});
  ENFOLD_RETURN_IF_ERROR(writeJson((folder / "bundle.json").string(), json));
  if (options.printsText())
    fmt::print("written to {}; to reproduce, run\n  {}\n", folder.string(), command);
  json["folder"] = folder.string();
  return json;
}

void printFinding(const diagnose::Bisection& found) {
  fmt::print("rewrite {} of {} is the first that makes the answer wrong ({} networks tried)\n",
             found.after.rewrites, found.total, found.tries);
  if (found.remark)
    fmt::print("  {}\n", found.remark->str());
  else
    fmt::print("  {}\n", found.name);
  fmt::print("  max abs {:.3g} before, {:.3g} after (of {:.3g}), worst at element {}\n",
             found.before.worst.maxAbs, found.after.worst.maxAbs, found.after.worst.scale,
             found.after.worst.worst);
  fmt::print("  {}\n", found.wrongByReference
                           ? "the rewritten graph is wrong by the reference functions, too"
                           : "the rewritten graph is right by the reference functions: the code "
                             "generated for it is wrong");
}

/// What the model should answer, where no file says so.
Result<std::vector<Tensor>> expectedAnswer(const BisectOptions& options, const Trial& trial) {
  if (options.against == "onnxruntime") return diagnose::runOnnxRuntime(*trial.graph, trial.inputs);
  if (options.against == "reference") return reference::run(*trial.graph, trial.inputs);
  CompileOptions how = options.model.compileOptions();
  how.fuse = false;
  ENFOLD_TRY(const Compilation unfused, compile(trial.graph->clone(), how));
  ENFOLD_TRY(const auto session,
             Session::create(unfused.executable, options.model.sessionOptions()));
  return session->run(trial.inputs);
}

std::string_view name(diagnose::BisectStatus status) {
  switch (status) {
  case diagnose::BisectStatus::Right:
    return "right";
  case diagnose::BisectStatus::WrongAnyway:
    return "wrong without rewrites";
  case diagnose::BisectStatus::WrongRewrite:
    break;
  }
  return "wrong rewrite";
}

void printOutcome(const diagnose::Bisection& found) {
  switch (found.status) {
  case diagnose::BisectStatus::Right:
    fmt::print("the answer is right with all {} rewrites: max abs {:.3g} (of {:.3g})\n",
               found.total, found.after.worst.maxAbs, found.after.worst.scale);
    return;
  case diagnose::BisectStatus::WrongAnyway:
    fmt::print("the answer is wrong even without rewrites: max abs {:.3g} (of {:.3g}); either the "
               "code generated for an op is wrong, which `enfold diff` would show, or the expected "
               "answer is\n",
               found.before.worst.maxAbs, found.before.worst.scale);
    return;
  case diagnose::BisectStatus::WrongRewrite:
    printFinding(found);
  }
}

/// What was found, as JSON.
Result<diagnose::Json> search(const BisectOptions& options, Trial trial) {
  const CompileOptions compile = options.model.compileOptions();
  ENFOLD_TRY(const codegen::Target target, targetOf(compile));
  ENFOLD_TRY(Pipeline pipeline, pipelineOf(compile));
  diagnose::BisectProblem problem{.model = *trial.graph,
                                  .pipeline = std::move(pipeline),
                                  .passes = compile.passes,
                                  .target = target,
                                  .inputs = trial.inputs,
                                  .expected = std::move(trial.expected),
                                  .tolerance = options.tolerance.over(diagnose::atPrecision(
                                      trial.tolerance, options.model.precisionAsked())),
                                  .session = options.model.sessionOptions(),
                                  .memory = compile.memory};
  ProgressLine line;
  problem.progress = [&line](int tries, int64_t suspects) {
    line.show(suspects ? fmt::format("network {}: {} rewrites left", tries, suspects)
                       : "all rewrites");
  };
  if (compile.tolerance) {
    ENFOLD_TRY(problem.passes.passes.unfolded,
               foldsExceeding(*compile.tolerance, problem.model, problem.pipeline, problem.passes));
    ENFOLD_TRY(
        problem.passes.passes.unrounded,
        roundingsExceeding(*compile.tolerance, problem.model, problem.pipeline, problem.passes));
  }
  if (problem.expected.empty()) {
    ENFOLD_TRY(problem.expected, expectedAnswer(options, trial));
  }
  ENFOLD_TRY(const diagnose::Bisection found, diagnose::bisect(problem));
  line.clear();
  if (options.printsText()) printOutcome(found);
  diagnose::Json json = {
      {"status", name(found.status)}, {"rewrites", found.total}, {"networks", found.tries}};
  if (found.status == diagnose::BisectStatus::WrongRewrite) {
    ENFOLD_TRY(json["finding"], writeBundle(options, problem, found));
  }
  return json;
}

Result<int> bisectModel(const BisectOptions& options) {
  diagnose::Json json = {{"version", 1},
                         {"model", options.model.model},
                         {"against", options.against},
                         {"searches", diagnose::Json::array()}};
  bool isRight = true;
  const auto searchOn = [&](const onnx::DataSet* set) -> Result<> {
    ENFOLD_TRY(Trial trial, makeTrial(options.model, options.inputs, set));
    if (set && options.printsText()) fmt::print("{}: ", set->folder.filename().string());
    ENFOLD_TRY(diagnose::Json found, search(options, std::move(trial)));
    if (set) found["data_set"] = set->folder.filename().string();
    isRight = found["status"] == name(diagnose::BisectStatus::Right);
    json["searches"].push_back(std::move(found));
    return {};
  };
  if (isWayToCompute(options.against)) {
    ENFOLD_RETURN_IF_ERROR(searchOn(nullptr));
  } else {
    ENFOLD_RETURN_IF_ERROR(checkFolder(options.against));
    ENFOLD_TRY(const std::vector<onnx::DataSet> sets, onnx::readDataSets(options.against));
    for (auto set = sets.begin(); isRight && set != sets.end(); ++set)
      ENFOLD_RETURN_IF_ERROR(searchOn(&*set));
  }
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, json));
  return isRight ? kDone : kWrong;
}

} // namespace

Action addBisect(CLI::App& app) {
  auto options = std::make_shared<BisectOptions>();
  options->model.add(app);
  options->inputs.add(app);
  options->tolerance.add(app);
  addAgainst(app, options->against);
  app.add_option("-o,--output", options->folder, "Folder for the case that is found")
      ->type_name("DIR");
  addJson(app, options->json);
  return [options] {
    const auto code = bisectModel(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
