// enfold errors: what the codes of errors mean, and what helps.
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ranges>

namespace enfold::tool {
namespace {

struct ErrorsOptions {
  std::string code, json;
  bool markdown = false;
};

/// The page on errors of the documentation.
std::string errorsMarkdown() {
  std::string text =
      "# Errors\n\n"
      "<!-- Written by `enfold errors --markdown` from lib/support/ErrorCodes.cpp; not by hand. -->"
      "\n\nBelow the messages of an error, the command names its code. Codes never change their "
      "meaning. A failed check is\nnot an error: the command then exits with 1.\n";
  for (const ErrorInfo& row : errorTable())
    text += fmt::format("\n## {}\n\n{}\n\n{}\n\nExit code {}; in C `{}`, in Python `enfold.{}`.\n",
                        row.code, row.meaning, row.advice, row.exitCode, row.status, row.python);
  return text;
}

diagnose::Json toJson(const ErrorInfo& row) {
  return {{"code", row.code},     {"exit_code", row.exitCode}, {"status", row.status},
          {"python", row.python}, {"meaning", row.meaning},    {"advice", row.advice}};
}

Result<> listErrors(const std::string& json) {
  if (!json.empty()) {
    diagnose::Json errors = diagnose::Json::array();
    for (const ErrorInfo& row : errorTable()) errors.push_back(toJson(row));
    return writeJson(json, {{"version", 1}, {"errors", std::move(errors)}});
  }
  std::vector<std::vector<std::string>> rows = {{"code", "exit", "in C", "in Python"}};
  for (const ErrorInfo& row : errorTable())
    rows.push_back({std::string(row.code), std::to_string(row.exitCode), std::string(row.status),
                    std::string(row.python)});
  return writeText("-", table(rows));
}

Result<> showErrors(const ErrorsOptions& options) {
  if (options.code.empty())
    return options.markdown ? writeText("-", errorsMarkdown()) : listErrors(options.json);
  if (options.markdown || !options.json.empty())
    return usageError("--markdown and --json tell of all errors: leave out the code");
  const auto codes = errorTable() | std::views::transform(&ErrorInfo::code);
  const auto row = std::ranges::find(errorTable(), options.code, &ErrorInfo::code);
  if (row == errorTable().end())
    return usageError(
        fmt::format("no error {}; the codes: {}", options.code, fmt::join(codes, ", ")));
  return writeText("-", fmt::format("{}\n{}\n", row->meaning, row->advice));
}

} // namespace

Action addErrors(CLI::App& app) {
  auto options = std::make_shared<ErrorsOptions>();
  app.add_option("CODE", options->code, "Explain the error of this code");
  app.add_flag("--markdown", options->markdown, "Print all as a page of the documentation");
  addJson(app, options->json);
  return [options] {
    const auto done = showErrors(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
