// enfold compile: writes native code, or an earlier form of the program, to a file.
#include "diagnose/SaveProgram.h"
#include "kernel/Printer.h"
#include "lower/Lowering.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"
#include "tools/ProgressLine.h"
#include "tools/SizesFile.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {
namespace {

struct FileOptions {
  ModelOptions model;
  std::string output, header, name, json, shapes;
  std::string cpu = "native";
  bool debug = false;
};

std::string printKernels(const lower::Plan& plan) {
  std::string text;
  for (const kir::Kernel& kernel : plan.kernels)
    text += (text.empty() ? "" : "\n") + kir::print(kernel);
  return text;
}

/// Forms of the program that come before code.
bool isText(const std::string& output) {
  return output.ends_with(".eir") || output.ends_with(".kir");
}

/// What a program is and takes.
diagnose::Json toJson(const lower::Plan& plan) {
  return {{"kernels", plan.kernels.size()},     {"calls", plan.calls.size()},
          {"arena_bytes", plan.arenaBytes},     {"constant_bytes", plan.constantBytes},
          {"scratch_bytes", plan.scratchBytes}, {"reference_ops", plan.referenceOps()}};
}

/// What compiling a file for any sizes has in common.
struct Job {
  const FileOptions& options;
  ModelSource source;
  CompileOptions how;
  codegen::Target target;
};

struct Optimized {
  LoadedModel model;
  PipelineReport report;
};

/// The network after the passes, for the sizes that `shapes` state beside those of the options.
Result<Optimized> optimized(const Job& job, std::span<const std::string> shapes = {}) {
  ModelOptions options = job.options.model;
  options.shapes.insert(options.shapes.end(), shapes.begin(), shapes.end());
  Optimized made;
  ENFOLD_TRY(made.model, load(options));
  ENFOLD_TRY(made.report, optimize(*made.model.graph, job.how, job.target));
  if (options.verbosity > 0)
    for (const Remark& remark : made.report.remarks.remarks()) note(remark.str());
  return made;
}

diagnose::Json tensorsOf(const Graph& graph) {
  return {{"inputs", diagnose::tensorsJson(inputsOf(graph))},
          {"outputs", diagnose::tensorsJson(outputsOf(graph))}};
}

/// Adds the program for one size to a file of native code.
Result<> addTo(diagnose::NativeFileWriter& file, const Job& job, Optimized& network,
               lower::Plan& plan) {
  const MemoryNeeds needs = nativeMemoryNeeds(*network.model.graph, plan);
  ENFOLD_RETURN_IF_ERROR(checkMemory(needs, job.how.memory));
  if (job.how.memory) note("memory: at most " + needs.str());
  network.model.graph->forgetConstants();
  return file.add(network.model, plan, network.report);
}

/// The network for one size, in any form.
Result<diagnose::Json> compileOne(const Job& job, const diagnose::NativeOutput& native) {
  const std::string& output = job.options.output;
  ENFOLD_TRY(Optimized network, optimized(job));
  diagnose::Json json = tensorsOf(*network.model.graph);
  if (output.ends_with(".eir")) {
    ENFOLD_RETURN_IF_ERROR(saveGraphText(*network.model.graph, output));
    return json;
  }
  ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*network.model.graph, job.target));
  json["program"] = toJson(plan);
  if (isText(output)) {
    ENFOLD_RETURN_IF_ERROR(writeText(output, printKernels(plan)));
    return json;
  }
  ENFOLD_TRY(auto file, diagnose::NativeFileWriter::create(native, job.source.name, job.target));
  ENFOLD_RETURN_IF_ERROR(addTo(file, job, network, plan));
  ENFOLD_RETURN_IF_ERROR(file.write());
  return json;
}

/// The network for all sizes that a file lists. What the JSON says is of the first; "programs" has
/// them all.
Result<diagnose::Json> compileAll(const Job& job, const diagnose::NativeOutput& native) {
  ENFOLD_TRY(const auto sizes, readSizes(job.options.shapes));
  ENFOLD_TRY(auto file,
             diagnose::NativeFileWriter::create(native, job.source.name, job.target,
                                                diagnose::NativeFileWriter::Sizes::Several));
  diagnose::Json all = diagnose::Json::array();
  ProgressLine line;
  for (const std::vector<std::string>& shapes : sizes) {
    line.show(fmt::format("lowering for size {} of {}", all.size() + 1, sizes.size()));
    ENFOLD_TRY(Optimized network, optimized(job, shapes));
    diagnose::Json json = tensorsOf(*network.model.graph);
    ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*network.model.graph, job.target));
    json["program"] = toJson(plan);
    ENFOLD_RETURN_IF_ERROR(addTo(file, job, network, plan));
    all.push_back(std::move(json));
  }
  line.show("generating code");
  ENFOLD_RETURN_IF_ERROR(file.write());
  line.clear();
  diagnose::Json json = all.front();
  json["programs"] = std::move(all);
  return json;
}

Result<> checkOptions(const FileOptions& options) {
  if (!isText(options.output)) return {};
  for (const auto& [isGiven, name] : {std::pair(!options.header.empty(), "--header"),
                                      {options.debug, "-g"},
                                      {!options.shapes.empty(), "--shapes"}})
    if (isGiven)
      return failure(ErrorCode::OptionConflict,
                     fmt::format("{} goes with native code, not with {}", name, options.output));
  return {};
}

Result<diagnose::Json> compileToFile(const FileOptions& options) {
  ENFOLD_RETURN_IF_ERROR(checkOptions(options));
  ENFOLD_TRY(const ModelSource source, options.model.source());
  const diagnose::NativeOutput native = {.file = options.output,
                                         .header = options.header,
                                         .symbol = options.name.empty() ? symbolOf(source.stem())
                                                                        : options.name,
                                         .texts = options.debug ? options.output + ".kir" : ""};
  if (!isText(options.output)) ENFOLD_RETURN_IF_ERROR(diagnose::checkOutput(native));
  Job job{options, source, options.model.compileOptions(), {}};
  job.how.cpu = options.cpu;
  ENFOLD_TRY(job.target, targetOf(job.how));
  // Convolutions of one algorithm have weights of one form.
  if (!options.shapes.empty()) job.how.pins = std::make_shared<AlgorithmPins>();
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(diagnose::Json json,
             options.shapes.empty() ? compileOne(job, native) : compileAll(job, native));
  json.update({{"version", 1},
               {"model", options.model.model},
               {"output", options.output},
               {"cpu", job.target.cpu},
               {"isa", kir::name(job.target.isa)}});
  return json;
}

Result<> compileAndTell(const FileOptions& options) {
  ENFOLD_TRY(const diagnose::Json json, compileToFile(options));
  return options.json.empty() ? Result<>() : writeJson(options.json, json);
}

} // namespace

Action addCompile(CLI::App& app) {
  auto options = std::make_shared<FileOptions>();
  options->model.add(app);
  options->model.addTune(app);
  app.add_option(
         "-o,--output", options->output,
         "The file to write; its extension selects the form: .so, .o, .a, .s (native code), "
         ".ll, .bc (LLVM), .kir (kernels), .eir (graph after the passes)")
      ->type_name("FILE")
      ->required();
  app.add_option("--header", options->header, "Also write a C header for calling it");
  app.add_option("--name", options->name,
                 "Prefix of the names in C; default: made from the model's name");
  app.add_option("--shapes", options->shapes,
                 "Compile for each line of sizes in this file into one library or object, whose "
                 "programs share weights: input=1x3x320x320")
      ->type_name("FILE");
  app.add_flag(
      "-g", options->debug,
      "Add lines for debuggers and profilers: those of the kernels' text, which is written "
      "to the folder FILE.kir");
  app.add_option("--target-cpu", options->cpu,
                 "The processor to compile for, by LLVM's name: x86-64-v3, znver5, cortex-a72 ...")
      ->type_name("CPU");
  addJson(app, options->json);
  return [options] {
    const auto done = compileAndTell(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
