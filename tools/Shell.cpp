// enfold completion and man.
#include "support/ErrorCodes.h"
#include "tools/CommandReference.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

namespace enfold::tool {
namespace {

Result<> writeAllPages(const CLI::App& program, const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed)
    return failure(ErrorCode::CannotWrite,
                   fmt::format("{}: {}", folder.string(), failed.message()));
  ENFOLD_RETURN_IF_ERROR(writeText(folder / "enfold.1", manualPage(program, nullptr)));
  for (const CLI::App* command : program.get_subcommands({}))
    ENFOLD_RETURN_IF_ERROR(writeText(folder / fmt::format("enfold-{}.1", command->get_name()),
                                     manualPage(program, command)));
  return {};
}

Result<> printPage(const CLI::App& program, const std::string& name) {
  const CLI::App* command = nullptr;
  for (const CLI::App* app : program.get_subcommands({}))
    if (app->get_name() == name) command = app;
  if (!name.empty() && !command)
    return failure(ErrorCode::UnknownName, "man: there is no command " + name);
  return writeText("-", manualPage(program, command));
}

} // namespace

Action addCompletion(CLI::App& app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("SHELL", *shell, "The shell that is to read the script")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
  return [&app, shell] {
    const auto done = writeText("-", completionScript(*app.get_parent(), *shell));
    return done ? kDone : report(done.error());
  };
}

Action addMan(CLI::App& app) {
  struct Options {
    std::string command, folder;
  };
  auto options = std::make_shared<Options>();
  app.add_option("COMMAND", options->command,
                 "The command to print the page of; default: the page of enfold itself");
  app.add_option("-o,--output", options->folder, "Write all pages to this folder")
      ->type_name("DIR");
  return [&app, options] {
    const CLI::App& program = *app.get_parent();
    const auto done = options->folder.empty() ? printPage(program, options->command)
                                              : writeAllPages(program, options->folder);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
