// The parser's errors in the words of the command.
#include "tools/UsageError.h"

#include "support/ErrorCodes.h"
#include "tools/Help.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <regex>
#include <utility>
#include <vector>

namespace enfold::tool {
namespace {

/// How many letters to insert, remove or replace to make one word the other.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

/// "; did you mean --threads?", if one of the words is near enough.
std::string suggestion(std::string_view given, const std::vector<std::string>& known) {
  const auto nearest = std::ranges::min_element(
      known, {}, [&](const std::string& word) { return distance(given, word); });
  if (nearest == known.end()) return {};
  const size_t letters = distance(given, *nearest); // two in the wrong order count twice
  if (letters > std::max<size_t>(2, given.size() / 4) || letters >= given.size()) return {};
  return fmt::format("; did you mean {}?", *nearest);
}

/// The command that the words name, as far as there are such commands.
const CLI::App& commandOf(const CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::string nameOf(const CLI::App& app) {
  return app.get_parent() ? nameOf(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

std::vector<std::string> commandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

std::vector<std::string> optionNamesOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : optionsOf(app))
    for (std::string& name : namesOf(*option)) names.push_back(std::move(name));
  return names;
}

/// Of a word that is no option or argument of the command.
std::string unexpected(const CLI::App& command, const std::string& word) {
  if (!word.starts_with("-")) return fmt::format("'{}' is one argument too many", word);
  const std::string name = word.substr(0, word.find('='));
  return fmt::format("no option {}{}", name, suggestion(name, optionNamesOf(command)));
}

/// Of a command that is missing or that there is none of that name of.
std::string noCommand(const CLI::App& command, const std::vector<std::string>& rest) {
  const std::vector<std::string> names = commandsOf(command);
  const auto given =
      std::ranges::find_if(rest, [](const std::string& word) { return !word.starts_with("-"); });
  if (given != rest.end())
    return fmt::format("no command '{}'{}", *given, suggestion(*given, names));
  return fmt::format("a command is missing: {}", fmt::join(names, ", "));
}

/// "above 0", or "from 1 to 1024", by a range that the parser states in all digits.
std::string rangeText(const std::string& low, const std::string& high) {
  const double least = std::stod(low), most = std::stod(high);
  constexpr double kEndless = 1e15;
  if (most > kEndless) return low == "0" ? "of 0 or more" : "above 0"; // tiny as well
  return fmt::format("from {:g} to {:g}", least, most);
}

/// The parser's message about the value of an option.
std::string aboutValue(const CLI::App& command, const std::string& message) {
  static const std::regex range("(.+): Value (.*) not in range (.+) to (.+)");
  static const std::regex member("(.+): (.*) not in \\{(.+)\\}");
  static const std::regex number("Could not convert: (.+) = (.*)");
  static const std::regex unit("(.+): (.*) unit not recognized.*");
  static const std::regex missing("(.+): 1 required (.+) missing");
  static const std::regex tooMany("(.+): At Most (.+) required but received .+");
  std::smatch found;
  const auto part = [&](int i) { return found[static_cast<size_t>(i)].str(); };
  if (std::regex_match(message, found, range))
    return fmt::format("{}: '{}' is not a number {}", part(1), part(2),
                       rangeText(part(3), part(4)));
  if (std::regex_match(message, found, member))
    return fmt::format("{}: '{}' is not one of {}", part(1), part(2),
                       std::regex_replace(part(3), std::regex(","), ", "));
  if (std::regex_match(message, found, unit))
    return fmt::format("{}: '{}' is not a number of bytes, such as 500MB", part(1), part(2));
  if (std::regex_match(message, found, missing))
    return fmt::format("{}: its value, {}, is missing", part(1), part(2));
  if (std::regex_match(message, found, tooMany))
    return fmt::format("{}: takes at most {} value, and MODEL goes in front of it", part(1),
                       part(2));
  if (!std::regex_match(message, found, number)) return message;
  const CLI::Option* option = command.get_option_no_throw(part(1));
  if (option && option->get_items_expected_max() == 0)
    return fmt::format("{}: takes no value such as '{}'", part(1), part(2));
  return fmt::format("{}: '{}' is not a number", part(1), part(2));
}

} // namespace

std::string usageErrorText(const CLI::App& program, const CLI::ParseError& error,
                           std::span<char* const> words) {
  if (words.size() < 2) return helpText(program);
  const CLI::App& command = commandOf(program);
  const std::vector<std::string> rest = program.remaining(true);
  const bool needsCommand = !command.get_subcommands({}).empty();
  const bool lacks = dynamic_cast<const CLI::RequiredError*>(&error);
  const bool hasMore = dynamic_cast<const CLI::ExtrasError*>(&error) && !rest.empty();
  std::string text;
  if (lacks && needsCommand)
    text = noCommand(command, rest);
  else if (hasMore)
    text = unexpected(command, rest.front());
  else
    text = aboutValue(command, error.what());
  const ErrorCode code = lacks || hasMore ? ErrorCode::UnknownOption : ErrorCode::BadValue;
  return fmt::format("{}: {}\nSee `{} --help` and `enfold errors {}`.\n", program.get_name(), text,
                     nameOf(command), info(code).code);
}

} // namespace enfold::tool
