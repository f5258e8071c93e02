// enfold compile: writes native code, or an earlier form of the program, to a file.
#include "codegen/NativeFile.h"
#include "diagnose/Artifact.h"
#include "driver/NativeProgram.h"
#include "kernel/Printer.h"
#include "lower/Lowering.h"
#include "support/NewFile.h"
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
  std::string output, header, name;
  std::string cpu = "native";
};

/// What the output's name asks for: a native form, or none for .eir and .kir.
Result<std::optional<codegen::NativeForm>> formOf(const FileOptions& options) {
  const std::string extension = std::filesystem::path(options.output).extension().string();
  const auto form = codegen::nativeFormOf(extension);
  if (!form && extension != ".eir" && extension != ".kir")
    return usageError(fmt::format(
        "-o {}: the name must end in .so, .o, .a, .s, .ll, .bc, .kir or .eir", options.output));
  if (!form && !options.header.empty())
    return usageError("--header goes with native code, not with " + extension);
  return form;
}

std::string printKernels(const lower::Plan& plan) {
  std::string text;
  for (const kir::Kernel& kernel : plan.kernels)
    text += (text.empty() ? "" : "\n") + kir::print(kernel);
  return text;
}

/// Writes the code and its header, both or neither.
Result<> writeNative(const FileOptions& options, lower::Plan& plan, const codegen::Target& target,
                     const PipelineReport& report, codegen::NativeForm form,
                     const std::string& symbol) {
  ENFOLD_TRY(codegen::ProgramDesc program, nativeProgram(plan));
  program.annotation = diagnose::jsonText(
      toJson(diagnose::artifactOf(options.model.model, program, target, report)));
  ENFOLD_TRY(const std::string bytes, codegen::nativeFile(program, target, form, symbol));
  std::unique_ptr<NewFile> header;
  if (!options.header.empty()) {
    ENFOLD_TRY(NewFile file, NewFile::create(options.header));
    ENFOLD_RETURN_IF_ERROR(file.append(cHeader(program, target, symbol)));
    header = std::make_unique<NewFile>(std::move(file));
  }
  ENFOLD_RETURN_IF_ERROR(writeFile(options.output, bytes));
  return header ? header->commit() : Result<>();
}

Result<> compileToFile(const FileOptions& options) {
  ENFOLD_TRY(const auto form, formOf(options));
  if (!options.name.empty() && !isSymbol(options.name))
    return usageError(
        fmt::format("--name {}: must be a C identifier that begins with a letter, and not with "
                    "the runtime's prefix enfold",
                    options.name));
  if (options.header == options.output) return usageError("-o and --header name the same file");
  CompileOptions how = options.model.compileOptions();
  how.cpu = options.cpu;
  ENFOLD_TRY(const codegen::Target target, targetOf(how));
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model));
  ENFOLD_TRY(const PipelineReport report, optimize(*model.graph, how, target));
  if (options.model.verbosity > 0)
    for (const Remark& remark : report.remarks.remarks()) note(remark.str());
  if (options.output.ends_with(".eir")) return saveGraphText(*model.graph, options.output);

  ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*model.graph, target));
  if (!form) return writeText(options.output, printKernels(plan));
  const MemoryNeeds needs = nativeMemoryNeeds(*model.graph, plan);
  ENFOLD_RETURN_IF_ERROR(checkMemory(needs, how.memory));
  if (how.memory) note("memory: at most " + needs.str());
  model.graph->forgetConstants();
  return writeNative(options, plan, target, report, *form,
                     options.name.empty() ? symbolOf(model.name) : options.name);
}

} // namespace

Action addCompile(CLI::App& app) {
  auto options = std::make_shared<FileOptions>();
  options->model.add(app);
  options->model.addTune(app);
  app.add_option(
         "-o", options->output,
         "The file to write; its extension selects the form: .so, .o, .a, .s (native code), "
         ".ll, .bc (LLVM), .kir (kernels), .eir (graph after the passes)")
      ->required();
  app.add_option("--header", options->header, "Also write a C header for calling it");
  app.add_option("--name", options->name,
                 "Prefix of the names in C; default: made from the model's name");
  app.add_option("--target-cpu", options->cpu,
                 "The processor to compile for, by LLVM's name: x86-64-v3, znver5, cortex-a72 ...");
  return [options] {
    const auto done = compileToFile(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
