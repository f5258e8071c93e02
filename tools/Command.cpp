// The `enfold` command as a function.
#include "diagnose/Json.h"
#include "support/ErrorCodes.h"
#include "support/Memory.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Config.h"
#include "tools/Help.h"
#include "tools/UsageError.h"

#include <enfold/enfold_compiler.h>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>

namespace enfold::tool {
namespace {

constexpr Command kCommands[] = {
    {"run", "Run a model; print, save or check its outputs",
     "enfold run model.onnx --input x=image.npy\n"
     "enfold run model.onnx --random --against reference",
     addRun},
    {"bench", "Measure the latency of a model",
     "enfold bench model.onnx --threads 1 --profile\n"
     "enfold bench zoo:resnet18 --compare unfused",
     addBench},
    {"compile", "Compile a model to a library, an object file or text",
     "enfold compile model.onnx -o model.so\n"
     "enfold compile model.onnx -o model.o --target-cpu cortex-a76",
     addCompile},
    {"opt", "Run passes; show or save the graph",
     "enfold opt model.onnx --print-after fold-batchnorm\n"
     "enfold opt model.onnx -o folded.onnx",
     addOpt},
    {"explain", "Show why each fusion was applied or refused, and how each op runs",
     "enfold explain model.onnx\n"
     "enfold explain model.onnx --require fold-batchnorm",
     addExplain},
    {"inspect", "Show inputs, outputs, ops, parameters, arithmetic and memory",
     "enfold inspect model.onnx --shape x=1x3x640x640\n"
     "enfold inspect model.so",
     addInspect},
    {"report", "Write a page that shows graph, passes, kernels, memory and times",
     "enfold report model.onnx -o report.html\n"
     "enfold report model.onnx --json report.json",
     addReport},
    {"doctor", "Show what keeps this machine or a model from running at full speed",
     "enfold doctor\n"
     "enfold doctor model.onnx --shape x=1x3x640x640",
     addDoctor},
    {"diff", "Compare every tensor of a model with another way to compute it",
     "enfold diff model.onnx --random --against onnxruntime\n"
     "enfold diff model.onnx --random --against reference --all",
     addDiff},
    {"bisect", "Find the rewrite that makes a model's answers wrong",
     "enfold bisect model.onnx --random\n"
     "enfold bisect model.onnx --against DIR -o case",
     addBisect},
    {"quantize", "Convert a network of floats to 8-bit integers",
     "enfold quantize model.onnx --calibrate images.npy -o model_int8.onnx\n"
     "enfold quantize model.onnx --calibrate DIR -o model_int8.onnx --max-loss 20",
     addQuantize},
    {"reduce", "Write a model that compiles the same way but reveals nothing else",
     "enfold reduce model.onnx -o reduced.onnx\n"
     "enfold reduce model.onnx -o reduced.onnx --seconds 0 --json -",
     addReduce},
    {"fuzz", "Check the compiler with random networks and passes",
     "enfold fuzz --count 1000\n"
     "enfold fuzz --seed 7 --count 100 --jobs 2",
     addFuzz},
    {"cache", "List, check or prune the programs that --cache keeps",
     "enfold cache ls\n"
     "enfold cache prune --keep 1GB",
     addCache},
    {"machine", "Describe a processor as cost models see it, as a file for --machine",
     "enfold machine\n"
     "enfold machine --target-cpu neoverse-v1 > v1.txt",
     addMachine},
    {"zoo", "List the built-in networks, or write one as ONNX",
     "enfold zoo list\n"
     "enfold zoo resnet18 -o resnet18.onnx",
     addZoo},
    {"passes", "List the passes",
     "enfold passes\n"
     "enfold passes --remarks",
     addPasses},
    {"ops", "List the supported ops and how they run",
     "enfold ops\n"
     "enfold ops --json ops.json",
     addOps},
    {"errors", "List the codes of errors, or explain one",
     "enfold errors\n"
     "enfold errors unsupported-model",
     addErrors},
    {"completion", "Print a script that completes commands and options in a shell",
     "source <(enfold completion bash)\n"
     "enfold completion fish > ~/.config/fish/completions/enfold.fish",
     addCompletion},
    {"man", "Print or write the pages of the manual",
     "enfold man run | man -l -\n"
     "enfold man -o share/man/man1",
     addMan},
};

constexpr const char* kNotes =
    "MODEL is a .onnx file, an .eir file, zoo:NAME (see `enfold zoo list`), or - for\n"
    "ONNX on standard input.\n"
    "Environment: ENFOLD_NUM_THREADS, ENFOLD_MAX_ISA=avx512|avx2|sse4.2|scalar,\n"
    "ENFOLD_TILES=0|1, ENFOLD_DUMP_IR=DIR, ENFOLD_CACHE_DIR=DIR,\n"
    "ENFOLD_PERF=map|jitdump, ENFOLD_GDB=1, ENFOLD_VERBOSE=1, ENFOLD_PIN=1,\n"
    "ENFOLD_PYTHON=FILE.";

const std::string kVersion = "enfold " ENFOLD_VERSION;

std::string versionJson() {
  const diagnose::Json json = {{"version", 1},
                               {"enfold", ENFOLD_VERSION},
                               {"llvm", ENFOLD_LLVM_VERSION},
                               {"compiler", __VERSION__},
                               {"program_version", ENFOLD_PROGRAM_VERSION}};
  return diagnose::jsonText(json, 2);
}

/// "Examples:" and the lines, indented.
std::string examplesText(std::string_view lines) {
  std::string text = "Examples:\n  ";
  for (const char c : lines) text += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return text;
}

/// What the parser could not take of a file: the last word of its message.
std::string unknownIn(const CLI::ConfigError& error) {
  const std::string message = error.what();
  return message.substr(message.rfind(' ') + 1);
}

/// Has options of real numbers refuse "nan", which the parser takes and no range holds back.
void refuseNotANumber(CLI::App& app) {
  constexpr std::string_view kReal[] = {"FLOAT", "PERCENT", "DB"};
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (std::ranges::none_of(kReal, [&](std::string_view real) { return type.starts_with(real); }))
      continue;
    option->check([](const std::string& text) {
      return std::isnan(std::strtod(text.c_str(), nullptr))
                 ? fmt::format("'{}' is not a number", text)
                 : std::string();
    });
  }
  for (CLI::App* command : app.get_subcommands({})) refuseNotANumber(*command);
}

int runCommand(int argc, char** argv) {
  CLI::App app("enfold compiles ONNX convolutional networks to native CPU code.", "enfold");
  app.require_subcommand(1);
  const std::span<char*> words(argv, static_cast<size_t>(argc));
  const bool asJson = std::ranges::any_of(
      words, [](const char* word) { return std::string_view(word) == "--json"; });
  app.set_version_flag(
      "--version", [=] { return asJson ? versionJson() : kVersion; },
      "Show the version, with --json also of what it was built with");
  app.set_help_all_flag("--help-all", "Show the help of all commands");
  app.formatter_fn([](const CLI::App* which, const std::string&, CLI::AppFormatMode mode) {
    std::string text = helpText(*which);
    if (mode == CLI::AppFormatMode::All)
      for (const CLI::App* command : which->get_subcommands({}))
        text += "\n\n" + helpText(*command);
    return text;
  });
  bool dumpConfig = false;
  addConfig(app, dumpConfig);
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    sub->fallthrough();
    sub->option_defaults()->always_capture_default();
    sub->set_help_all_flag();
    sub->footer(examplesText(command.examples));
    actions.emplace_back(sub, command.add(*sub));
  }
  app.footer(kNotes);
  refuseNotANumber(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ConfigError& error) {
    return report(
        Error(ErrorCode::UnknownOption,
              fmt::format("--config: {}: not an option of the command, in a line NAME=VALUE",
                          unknownIn(error))));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return app.exit(error);
    fmt::print(stderr, "{}", usageErrorText(app, error, words));
    return kUsage;
  }
  for (const auto& [sub, action] : actions) {
    if (!sub->parsed()) continue;
    if (!dumpConfig) return action();
    fmt::print("{}", configText(*sub));
    return 0;
  }
  return 2;
}

/// The exit code of a command that is done: what it printed may not have gone anywhere.
int finished(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  fmt::print(stderr, "enfold: cannot write to standard output: {}\n", std::strerror(errno));
  std::clearerr(stdout);
  return code == 0 ? kUsage : code;
}

} // namespace
} // namespace enfold::tool

int enfold_command(int argc, char** argv) {
  constexpr const char* kSeeNoMemory = "See `enfold errors no-memory`.\n";
  try {
    return enfold::tool::finished(enfold::tool::runCommand(argc, argv));
  } catch (const enfold::OutOfMemory& error) {
    std::fprintf(stderr, "enfold: %s\n%s", error.what(), kSeeNoMemory);
    return 3;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "enfold: out of memory\n%s", kSeeNoMemory);
    return 3;
  } catch (const std::exception& error) { // of the file system, for one
    std::fprintf(stderr, "enfold: %s\n", error.what());
    return 3;
  }
}
