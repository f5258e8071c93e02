// enfold machine: the description of a processor, to look at, or to edit and compile for.
#include "tools/Commands.h"
#include "tools/Common.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace enfold::tool {
namespace {

struct MachineOptions {
  CompileOptions compile;
  bool list = false;
};

Result<> printMachine(const MachineOptions& options) {
  if (options.list)
    return writeText("-", fmt::format("{}\n", fmt::join(kir::describedProcessors(), "\n")));
  ENFOLD_TRY(const codegen::Target target, targetOf(options.compile));
  return writeText("-", kir::print(target.machine, target.cpu));
}

} // namespace

Action addMachine(CLI::App& app) {
  auto options = std::make_shared<MachineOptions>();
  app.add_option("--target-cpu", options->compile.cpu,
                 "The processor, by LLVM's name: znver5, neoverse-v1; default: this machine")
      ->type_name("CPU");
  app.add_option("--machine", options->compile.machine, "The processor that this file describes")
      ->type_name("FILE");
  app.add_flag("--list", options->list, "List the processors that are known in detail");
  return [options] {
    const auto done = printMachine(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
