// enfold compile: writes native code, or an earlier form of the program, to a file.
#include "diagnose/SaveProgram.h"
#include "driver/NativeProgram.h"
#include "kernel/Printer.h"
#include "lower/Lowering.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {
namespace {

struct FileOptions {
  ModelOptions model;
  std::string output, header, name, json;
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

Result<diagnose::Json> compileToFile(const FileOptions& options) {
  if (isText(options.output) && !options.header.empty())
    return failure(ErrorCode::OptionConflict,
                   "--header goes with native code, not with " + options.output);
  if (isText(options.output) && options.debug)
    return failure(ErrorCode::OptionConflict,
                   "-g goes with native code, not with " + options.output);
  ENFOLD_TRY(const ModelSource source, options.model.source());
  const diagnose::NativeOutput native = {.file = options.output,
                                         .header = options.header,
                                         .symbol = options.name.empty() ? symbolOf(source.stem())
                                                                        : options.name,
                                         .texts = options.debug ? options.output + ".kir" : ""};
  if (!isText(options.output)) ENFOLD_RETURN_IF_ERROR(diagnose::checkOutput(native));
  CompileOptions how = options.model.compileOptions();
  how.cpu = options.cpu;
  ENFOLD_TRY(const codegen::Target target, targetOf(how));
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model));
  ENFOLD_TRY(const PipelineReport report, optimize(*model.graph, how, target));
  if (options.model.verbosity > 0)
    for (const Remark& remark : report.remarks.remarks()) note(remark.str());
  diagnose::Json json = {{"version", 1},
                         {"model", options.model.model},
                         {"output", options.output},
                         {"cpu", target.cpu},
                         {"isa", kir::name(target.isa)},
                         {"inputs", diagnose::tensorsJson(inputsOf(*model.graph))},
                         {"outputs", diagnose::tensorsJson(outputsOf(*model.graph))}};
  if (options.output.ends_with(".eir")) {
    ENFOLD_RETURN_IF_ERROR(saveGraphText(*model.graph, options.output));
    return json;
  }

  ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*model.graph, target));
  json["program"] = toJson(plan);
  if (isText(options.output)) {
    ENFOLD_RETURN_IF_ERROR(writeText(options.output, printKernels(plan)));
    return json;
  }
  const MemoryNeeds needs = nativeMemoryNeeds(*model.graph, plan);
  ENFOLD_RETURN_IF_ERROR(checkMemory(needs, how.memory));
  if (how.memory) note("memory: at most " + needs.str());
  model.graph->forgetConstants();
  ENFOLD_RETURN_IF_ERROR(diagnose::saveProgram(native, source.name, plan, target, report));
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
