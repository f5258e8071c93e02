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
  std::vector<std::string> codes;
  std::string json;
  bool markdown = false;
};

/// How each interface tells an error of this code.
std::string interfacesText(const ErrorInfo& row) {
  const ErrorKindInfo& kind = info(row.kind);
  return fmt::format("Exit code {}; in C `{}`, in Python `enfold.{}`.", kind.exitCode, kind.status,
                     kind.python);
}

/// The page on errors of the documentation.
std::string errorsMarkdown() {
  std::string text =
      "# Errors\n\n"
      "<!-- Written by `enfold errors --markdown` from lib/support/ErrorCodes.def; not by hand. -->"
      "\n\nBelow the messages of an error, the command names the codes of their causes, which "
      "`enfold errors CODE` explains. In C\n`enfold_compiler_error_codes()` returns them, in "
      "Python "
      "they are the attribute `codes` of the exception. Codes never\nchange their meaning. Where "
      "no "
      "cause has a code of its own, the code is that of the kind of error, which stands first\n"
      "below. A failed check is not an error: the command then exits with 1.\n";
  for (const ErrorInfo& row : errorTable())
    text += fmt::format("\n## {}\n\n{}\n\n{}\n\n{}\n", row.code, row.meaning, row.advice,
                        interfacesText(row));
  return text;
}

diagnose::Json toJson(const ErrorInfo& row) {
  const ErrorKindInfo& kind = info(row.kind);
  return {{"code", row.code},      {"kind", info(kind.code).code}, {"exit_code", kind.exitCode},
          {"status", kind.status}, {"python", kind.python},        {"meaning", row.meaning},
          {"advice", row.advice}};
}

Result<> listErrors(const std::string& json) {
  if (!json.empty()) {
    diagnose::Json errors = diagnose::Json::array();
    for (const ErrorInfo& row : errorTable()) errors.push_back(toJson(row));
    return writeJson(json, {{"version", 1}, {"errors", std::move(errors)}});
  }
  std::vector<std::vector<std::string>> rows = {{"code", "exit", "in C", "in Python"}};
  for (const ErrorInfo& row : errorTable()) {
    const ErrorKindInfo& kind = info(row.kind);
    rows.push_back({std::string(row.code), std::to_string(kind.exitCode), std::string(kind.status),
                    std::string(kind.python)});
  }
  return writeText("-", table(rows));
}

/// The page of a code: what it means and what helps.
Result<std::string> explained(const std::string& code) {
  const auto row = std::ranges::find(errorTable(), code, &ErrorInfo::code);
  if (row != errorTable().end())
    return fmt::format("{}: {}\n\n{}\n\n{}\n", row->code, row->meaning, row->advice,
                       interfacesText(*row));
  const auto codes = errorTable() | std::views::transform(&ErrorInfo::code);
  return failure(ErrorCode::UnknownName,
                 fmt::format("no error {}; the codes: {}", code, fmt::join(codes, ", ")));
}

Result<> showErrors(const ErrorsOptions& options) {
  if (options.codes.empty())
    return options.markdown ? writeText("-", errorsMarkdown()) : listErrors(options.json);
  if (options.markdown || !options.json.empty())
    return failure(ErrorCode::OptionConflict,
                   "--markdown and --json tell of all errors: leave out the code");
  std::string text;
  for (const std::string& code : options.codes) {
    ENFOLD_TRY(const std::string page, explained(code));
    text += text.empty() ? page : "\n" + page;
  }
  return writeText("-", text);
}

} // namespace

Action addErrors(CLI::App& app) {
  auto options = std::make_shared<ErrorsOptions>();
  app.add_option("CODE", options->codes, "Explain the errors of these codes");
  app.add_flag("--markdown", options->markdown, "Print all as a page of the documentation");
  addJson(app, options->json);
  return [options] {
    const auto done = showErrors(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
