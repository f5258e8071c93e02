// enfold bisect: finds the rewrite that makes a model's answers wrong, and writes a folder that
// reproduces it:
//
//   model.eir, model.bin     the smallest part of the model that shows it
//   test_data_set_0/         what to run that on, and the answer expected
//   before.eir, after.eir    the whole graph around the rewrite, for reading
//   bundle.json              the rewrite, the machine, and the command that replays it
#include "diagnose/Bisect.h"

#include "ir/Printer.h"
#include "passes/FoldError.h"
#include "reference/Reference.h"
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
  std::string check, folder = "enfold-bundle";
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

Result<> writeBundle(const BisectOptions& options, const diagnose::BisectProblem& problem,
                     const diagnose::Bisection& found) {
  const std::filesystem::path folder = options.folder, data = folder / "test_data_set_0";
  std::error_code error;
  std::filesystem::create_directories(data, error);
  if (error) return usageError(fmt::format("{}: {}", data.string(), error.message()));
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
      fmt::format("enfold run {} --check {} --rtol {} --atol {} --passes '{}'{}",
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
  fmt::print("written to {}; to reproduce, run\n  {}\n", folder.string(), command);
  return {};
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

/// True when there was something to find.
Result<bool> search(const BisectOptions& options, Trial trial) {
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
    ENFOLD_TRY(problem.expected, reference::run(problem.model, problem.inputs));
  }
  ENFOLD_TRY(const diagnose::Bisection found, diagnose::bisect(problem));
  line.clear();
  switch (found.status) {
  case diagnose::BisectStatus::Right:
    fmt::print("the answer is right with all {} rewrites: max abs {:.3g} (of {:.3g})\n",
               found.total, found.after.worst.maxAbs, found.after.worst.scale);
    return false;
  case diagnose::BisectStatus::WrongAnyway:
    fmt::print("the answer is wrong even without rewrites: max abs {:.3g} (of {:.3g}); either the "
               "code generated for an op is wrong, which `enfold diff` would show, or the expected "
               "answer is\n",
               found.before.worst.maxAbs, found.before.worst.scale);
    return true;
  case diagnose::BisectStatus::WrongRewrite:
    printFinding(found);
    ENFOLD_RETURN_IF_ERROR(writeBundle(options, problem, found));
    return true;
  }
  return false;
}

Result<int> bisectModel(const BisectOptions& options) {
  if (options.check.empty()) {
    ENFOLD_TRY(Trial trial, makeTrial(options.model, options.inputs, nullptr));
    ENFOLD_TRY(const bool found, search(options, std::move(trial)));
    return found ? kWrong : kDone;
  }
  ENFOLD_TRY(const std::vector<onnx::DataSet> sets, onnx::readDataSets(options.check));
  for (const onnx::DataSet& set : sets) {
    ENFOLD_TRY(Trial trial, makeTrial(options.model, options.inputs, &set));
    fmt::print("{}: ", set.folder.filename().string());
    ENFOLD_TRY(const bool found, search(options, std::move(trial)));
    if (found) return kWrong;
  }
  return kDone;
}

} // namespace

Action addBisect(CLI::App& app) {
  auto options = std::make_shared<BisectOptions>();
  options->model.add(app);
  options->inputs.add(app);
  options->tolerance.add(app);
  app.add_option(
         "--check", options->check,
         "Expect the outputs of the test_data_set_* in this folder; default: the reference's")
      ->type_name("DIR");
  app.add_option("-o,--output", options->folder, "Folder for the case that is found")
      ->type_name("DIR");
  return [options] {
    const auto code = bisectModel(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
