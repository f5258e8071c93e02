// The `enfold` command as a function.
#include "support/Memory.h"
#include "tools/Commands.h"

#include <enfold/enfold_compiler.h>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cstdio>
#include <new>

namespace enfold::tool {
namespace {

constexpr Command kCommands[] = {
    {"run", "Run a model; print, save or check its outputs", addRun},
    {"bench", "Measure the latency of a model", addBench},
    {"compile", "Compile a model to a library, an object file or text", addCompile},
    {"opt", "Run passes; show or save the graph", addOpt},
    {"explain", "Show why each fusion was applied or refused, and how each op runs", addExplain},
    {"inspect", "Show inputs, outputs, ops, parameters, arithmetic and memory", addInspect},
    {"report", "Write a page that shows graph, passes, kernels, memory and times", addReport},
    {"doctor", "Show what keeps this machine or a model from its full speed", addDoctor},
    {"diff", "Compare every tensor of a model with another way to compute it", addDiff},
    {"bisect", "Find the rewrite that makes a model answer wrongly", addBisect},
    {"fuzz", "Check the compiler with random networks and passes", addFuzz},
    {"cache", "List, check or prune the programs that --cache keeps", addCache},
    {"machine", "Describe a processor as cost models see it, as a file for --machine", addMachine},
    {"zoo", "List the built-in networks, or write one as ONNX", addZoo},
    {"passes", "List the passes", addPasses},
    {"ops", "List the supported ops and how they run", addOps},
    {"completion", "Print a script that completes commands and options in a shell", addCompletion},
    {"man", "Print or write the pages of the manual", addMan},
};

int runCommand(int argc, char** argv) {
  CLI::App app("enfold compiles ONNX convolutional networks to native CPU code.", "enfold");
  app.require_subcommand(1);
  app.set_version_flag("--version", "enfold " ENFOLD_VERSION);
  app.set_help_all_flag("--help-all", "Show the help of all commands");
  app.footer("MODEL is a .onnx file, an .eir file or zoo:NAME (see `enfold zoo list`).\n"
             "Environment: ENFOLD_NUM_THREADS, ENFOLD_MAX_ISA=avx512|avx2|sse4.2|scalar, "
             "ENFOLD_DUMP_IR=DIR, ENFOLD_CACHE_DIR=DIR.");
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const Command& command : kCommands) {
    CLI::App* sub = app.add_subcommand(command.name, command.summary);
    actions.emplace_back(sub, command.add(*sub));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
    app.exit(error);
    return asked ? 0 : 2;
  }
  for (const auto& [sub, action] : actions)
    if (sub->parsed()) return action();
  return 2;
}

} // namespace
} // namespace enfold::tool

int enfold_command(int argc, char** argv) {
  try {
    return enfold::tool::runCommand(argc, argv);
  } catch (const enfold::OutOfMemory& error) {
    std::fprintf(stderr, "enfold: %s\n", error.what());
    return 3;
  } catch (const std::bad_alloc&) {
    std::fputs("enfold: out of memory\n", stderr);
    return 3;
  } catch (const std::exception& error) { // of the file system, for one
    std::fprintf(stderr, "enfold: %s\n", error.what());
    return 3;
  }
}
