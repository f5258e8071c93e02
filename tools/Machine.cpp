// enfold machine: the description of a processor, to look at, or to edit and compile for.
#include "kernel/MachineText.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <sstream>

namespace enfold::tool {
namespace {

struct MachineOptions {
  CompileOptions compile;
  bool list = false;
  std::string json;
};

/// The settings of a description, whose lines are "NAME = VALUE" and perhaps "# MEANING".
diagnose::Json settingsOf(const std::string& description) {
  diagnose::Json settings = diagnose::Json::object();
  std::istringstream lines(description);
  for (std::string line; std::getline(lines, line);) {
    const size_t equals = line.find(" = "), end = line.find(" #");
    std::string value = line.substr(equals + 3, end == std::string::npos ? end : end - equals - 3);
    value.erase(value.find_last_not_of(' ') + 1);
    char* rest = nullptr;
    const double number = std::strtod(value.c_str(), &rest);
    settings[line.substr(0, equals)] = *rest ? diagnose::Json(value) : diagnose::Json(number);
  }
  return settings;
}

Result<> printMachine(const MachineOptions& options) {
  if (options.list) {
    const auto names = kir::describedProcessors();
    if (!options.json.empty())
      return writeJson(options.json, {{"version", 1}, {"processors", names}});
    return writeText("-", fmt::format("{}\n", fmt::join(names, "\n")));
  }
  ENFOLD_TRY(const codegen::Target target, targetOf(options.compile));
  const std::string description = kir::print(target.machine, target.cpu);
  if (!options.json.empty())
    return writeJson(options.json, {{"version", 1}, {"settings", settingsOf(description)}});
  return writeText("-", description);
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
  addJson(app, options->json);
  return [options] {
    const auto done = printMachine(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
