// enfold bench: latency of a model, alone or against itself compiled otherwise and other runtimes,
// or its throughput.
#include "diagnose/Bench.h"

#include "diagnose/BenchStages.h"
#include "diagnose/ShapeBench.h"
#include "ir/ConstantText.h"
#include "onnx/AnonymousSize.h"
#include "support/ErrorCodes.h"
#include "tools/BenchText.h"
#include "tools/Cache.h"
#include "tools/Commands.h"
#include "tools/Inputs.h"
#include "tools/ProgressLine.h"
#include "tools/SizesFile.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace enfold::tool {
namespace {

using diagnose::BenchReport;

struct BenchOptions {
  ModelOptions model;
  CacheOptions cache;
  InputOptions inputs;
  double seconds = 2, rate = 0;
  int warmUp = 2, streams = 0, threadsPerStream = 0;
  int64_t batch = 0, iterations = 0;
  std::vector<std::string> compareWith;
  std::string json, csv, raw, trace, shapes;
  bool profile = false, cold = false;
};

/// States the batch of every input that leaves it open.
Result<> setBatch(BenchOptions& options) {
  if (options.batch == 0) return {};
  ENFOLD_TRY(const LoadOptions load, options.model.loadOptions());
  ENFOLD_TRY(const ModelSource source, options.model.source());
  ENFOLD_TRY(const onnx::Signature signature, loadSignature(source, load));
  std::vector<std::string> stated;
  for (const onnx::DeclaredTensor& input : signature.inputs) {
    if (!input.type.dims || input.type.dims->empty() || load.shapes.contains(input.name)) continue;
    const onnx::DeclaredType::Dim& first = input.type.dims->front();
    if (first.size && *first.size != options.batch)
      return failure(ErrorCode::WrongInput,
                     fmt::format("--batch {}: the model fixes the batch of input '{}' to {}",
                                 options.batch, input.name, *first.size));
    if (first.size) continue;
    if (!onnx::isAnonymous(first.symbol)) {
      stated.push_back(fmt::format("{}={}", first.symbol, options.batch));
      continue;
    }
    std::string shape = std::to_string(options.batch);
    for (size_t i = 1; i < input.type.dims->size(); ++i) {
      const onnx::DeclaredType::Dim& dim = (*input.type.dims)[i];
      const auto known = load.dims.find(dim.symbol);
      if (!dim.size && known == load.dims.end())
        return failure(ErrorCode::OpenShape,
                       fmt::format("--batch {}: input '{}' leaves other sizes open as well: "
                                   "state them all with --shape",
                                   options.batch, input.name));
      shape += fmt::format("x{}", dim.size ? *dim.size : known->second);
    }
    stated.push_back(fmt::format("{}={}", input.name, shape));
  }
  std::ranges::sort(stated);
  const auto repeated = std::ranges::unique(stated);
  options.model.shapes.insert(options.model.shapes.end(), stated.begin(), repeated.begin());
  return {};
}

/// What --input gives, and for what it does not, random numbers; nothing without --input.
Result<std::vector<Tensor>> inputsFor(const BenchOptions& options, const CompiledModel& compiled,
                                      std::vector<NamedTensor> given) {
  if (options.inputs.files.empty() && !options.inputs.isRandom()) return std::vector<Tensor>();
  const std::vector<TensorSpec> wanted = compiled.executable->inputs();
  uint64_t seed = options.inputs.seed();
  for (const auto& [name, type] : wanted)
    if (!compiled.inputDefaults.contains(name) &&
        std::ranges::find(given, name, &NamedTensor::name) == given.end())
      given.push_back({name, randomTensor(type, seed++)});
  ENFOLD_TRY(
      std::vector<Tensor> inputs,
      arrange(options.inputs, wanted, {compiled.inputDefaults, compiled.boundInputs}, given));
  for (size_t i = 0; i < wanted.size(); ++i)
    if (inputs[i].type() != wanted[i].type)
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' must be {}, not {}", wanted[i].name,
                                 wanted[i].type.str(), inputs[i].type().str()));
  return inputs;
}

/// Which options cannot be met together.
Result<> checkTogether(const BenchOptions& options) {
  if ((options.json == "-") + (options.csv == "-") + (options.raw == "-") > 1)
    return failure(ErrorCode::OptionConflict, "only one of --json, --csv and --raw can be stdout");
  const bool withStreams = options.streams > 0 || options.threadsPerStream > 0;
  if (withStreams && options.streams == 0)
    return failure(ErrorCode::OptionConflict, "--threads-per-stream goes with --streams");
  if (withStreams && (options.profile || options.cold || options.rate > 0 ||
                      !options.compareWith.empty() || !options.trace.empty()))
    return failure(ErrorCode::OptionConflict,
                   "--streams measures all streams together, without --compare, --profile, "
                   "--trace, --cold and --rate");
  if (withStreams && options.model.threads > 0)
    return failure(ErrorCode::OptionConflict,
                   "--threads is of one run: with --streams, use --threads-per-stream");
  if (withStreams && (options.iterations > 0 || !options.csv.empty()))
    return failure(ErrorCode::OptionConflict, "--streams goes with --seconds, --json and --raw");
  if (!options.shapes.empty() &&
      (withStreams || options.rate > 0 || options.cold || options.iterations > 0 ||
       options.batch > 0 || !options.csv.empty() || !options.raw.empty() ||
       !options.inputs.files.empty()))
    return failure(ErrorCode::OptionConflict,
                   "--shapes is a measurement of its own, which takes --seconds and --json");
  return {};
}

Result<> benchSizes(const BenchOptions& options) {
  ENFOLD_TRY(auto sizes, readSizes(options.shapes));
  ENFOLD_TRY(const LoadOptions load, options.model.loadOptions());
  ENFOLD_TRY(ModelSource source, options.model.source());
  ENFOLD_TRY(auto cache, options.cache.cache());
  ProgressLine line;
  ENFOLD_TRY(const auto report,
             diagnose::benchShapes({.model = std::move(source),
                                    .network = {.load = load,
                                                .compile = options.model.compileOptions(),
                                                .session = options.model.sessionOptions(),
                                                .cache = std::move(cache)},
                                    .sizes = std::move(sizes),
                                    .seconds = options.seconds,
                                    .progress = [&](size_t done, size_t total) {
                                      line.show(
                                          fmt::format("measured {} of {} sizes", done, total));
                                    }}));
  line.clear();
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", diagnose::print(report)));
  return options.json.empty() ? Result<>() : writeJson(options.json, diagnose::toJson(report));
}

/// To the terminal and to files, as asked for; a form that goes to standard output is alone there.
Result<> write(const BenchOptions& options, const BenchReport& report) {
  if (options.json != "-" && options.csv != "-" && options.raw != "-")
    ENFOLD_RETURN_IF_ERROR(writeText("-", benchText(report, options.profile)));
  if (options.model.verbosity > 0 && report.machine) note(machineText(*report.machine));
  if (!options.csv.empty()) ENFOLD_RETURN_IF_ERROR(writeText(options.csv, benchCsv(report)));
  if (!options.raw.empty()) ENFOLD_RETURN_IF_ERROR(writeText(options.raw, rawCsv(report.arms)));
  return options.json.empty() ? Result<>() : writeJson(options.json, toJson(report));
}

Result<> benchInStages(const BenchOptions& options, CompiledModel compiled) {
  if (!options.compareWith.empty() || options.profile || !options.trace.empty() ||
      options.streams > 0 || options.cold || options.rate > 0 || options.iterations > 0 ||
      !options.inputs.files.empty())
    return usageError("data decide sizes of the model, which then is measured as a whole, on "
                      "random inputs and for --seconds only");
  ENFOLD_TRY(const auto stage, stageOf(compiled.executable, std::move(compiled.remainder),
                                       {.compile = options.model.compileOptions(),
                                        .session = options.model.sessionOptions()}));
  ENFOLD_TRY(const BenchReport report,
             diagnose::benchStages(options.model.model, *stage, compiled.signature,
                                   compiled.inputDefaults, options.model.sessionOptions(),
                                   options.seconds));
  return write(options, report);
}

Result<> benchStreams(const BenchOptions& options, const CompiledModel& compiled,
                      std::vector<Tensor> inputs) {
  ProgressLine line;
  ENFOLD_TRY(const diagnose::ThroughputReport report,
             diagnose::throughput({.executable = compiled.executable,
                                   .inputs = std::move(inputs),
                                   .session = options.model.sessionOptions(),
                                   .streams = options.streams,
                                   .threadsPerStream = std::max(options.threadsPerStream, 1),
                                   .warmUpRuns = options.warmUp,
                                   .seconds = options.seconds,
                                   .progress = [&](double seconds, double total) {
                                     line.show(measuringText(seconds, total));
                                   }}));
  line.clear();
  const int64_t batch = diagnose::batchOf(*compiled.executable);
  const std::string& model = options.model.model;
  if (options.json != "-" && options.raw != "-")
    ENFOLD_RETURN_IF_ERROR(writeText("-", throughputText(model, batch, report)));
  if (!options.raw.empty())
    ENFOLD_RETURN_IF_ERROR(writeText(
        options.raw,
        rawCsv({{.name = "streams", .latency = {}, .ratio = {}, .samples = report.samples}})));
  return options.json.empty() ? Result<>() : writeJson(options.json, toJson(model, batch, report));
}

Result<> benchModel(BenchOptions& options) {
  ENFOLD_RETURN_IF_ERROR(setBatch(options));
  ENFOLD_TRY(std::vector<NamedTensor> given, readInputs(options.inputs, options.model));
  ENFOLD_TRY(CompiledModel compiled, compileFor(options.model, options.cache, given, true));
  if (compiled.remainder.rest) return benchInStages(options, std::move(compiled));
  ENFOLD_TRY(std::vector<Tensor> inputs, inputsFor(options, compiled, std::move(given)));
  if (options.streams > 0) return benchStreams(options, compiled, std::move(inputs));
  ProgressLine line;
  ENFOLD_TRY(const BenchReport report,
             diagnose::bench(
                 {.model = options.model.model,
                  .executable = compiled.executable,
                  .inputs = std::move(inputs),
                  .name = options.model.noFuse ? "unfused" : "fused",
                  .others = options.compareWith,
                  .load = [&]() -> Result<std::unique_ptr<Graph>> {
                    ENFOLD_TRY(LoadedModel model, load(options.model, ModelUse::WithDefaults));
                    return std::move(model.graph);
                  },
                  .compile = options.model.compileOptions(),
                  .session = options.model.sessionOptions(),
                  .warmUpRuns = options.warmUp,
                  .seconds = options.seconds,
                  .iterations = options.iterations,
                  .cold = options.cold,
                  .rate = options.rate,
                  .profile = options.profile || !options.trace.empty(),
                  .progress = [&](double seconds,
                                  double total) { line.show(measuringText(seconds, total)); }}));
  line.clear();
  if (!options.trace.empty())
    ENFOLD_RETURN_IF_ERROR(
        writeJson(options.trace, diagnose::traceOf(*report.profile, report.compileTimes)));
  return write(options, report);
}

} // namespace

Action addBench(CLI::App& app) {
  auto options = std::make_shared<BenchOptions>();
  options->model.add(app);
  options->model.addTune(app);
  options->cache.add(app);
  options->inputs.add(app);
  app.add_option("--seconds", options->seconds, "How long to measure each variant")
      ->check(CLI::Range(0.001, 86400.0));
  app.add_option("--iterations", options->iterations,
                 "How many runs of each variant to measure, instead of --seconds")
      ->check(CLI::PositiveNumber)
      ->type_name("COUNT");
  app.add_option("--warm-up", options->warmUp, "Runs of each variant before it is measured")
      ->check(CLI::NonNegativeNumber)
      ->type_name("COUNT");
  app.add_option("--batch", options->batch, "Size of the batch, where the model leaves it open")
      ->check(CLI::PositiveNumber)
      ->type_name("COUNT");
  app.add_option(
         "--streams", options->streams,
         "Measure throughput, with this many contexts that share the weights, each run back "
         "to back on processors of its own")
      ->check(CLI::Range(1, ENFOLD_MAX_THREADS))
      ->type_name("COUNT");
  app.add_option("--threads-per-stream", options->threadsPerStream,
                 "Threads of each stream (default 1)")
      ->check(CLI::Range(1, ENFOLD_MAX_THREADS))
      ->type_name("COUNT");
  app.add_option("--rate", options->rate,
                 "Start this many runs a second; latency counts from when a run was due")
      ->check(CLI::PositiveNumber)
      ->type_name("RUNS");
  app.add_flag("--cold", options->cold, "Fill the caches with other data before each run");
  app.add_option("--compare", options->compareWith,
                 "Also measure the model folded (but not fused), unfused, in fp32 or bf16, by the "
                 "reference functions (reference), or by onnxruntime or openvino in a python3 (or "
                 "ENFOLD_PYTHON) that has them")
      ->type_name("WHAT")
      ->delimiter(',');
  addJson(app, options->json);
  app.add_option("--csv", options->csv,
                 "Write a row of numbers for each variant to this file, - for stdout")
      ->type_name("FILE");
  app.add_option("--raw", options->raw,
                 "Write the time of each run to this file as rows of text, - for stdout")
      ->type_name("FILE");
  app.add_flag("--profile", options->profile,
               "List the time of each kernel, and how close it is to the machine's limits");
  app.add_option("--trace", options->trace,
                 "Write what each thread did when to this file, to view in Perfetto")
      ->type_name("FILE");
  app.add_option(
         "--shapes", options->shapes,
         "Change the sizes of inputs from line to line of this file, NAME=1x3x224x224 each, "
         "and tell what a new size costs")
      ->type_name("FILE");
  return [options] {
    if (const auto possible = checkTogether(*options); !possible) return report(possible.error());
    const auto done = options->shapes.empty() ? benchModel(*options) : benchSizes(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
