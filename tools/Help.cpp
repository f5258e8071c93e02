// The help of the command: names and values on the left, what they mean on the right.
#include "tools/Help.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace enfold::tool {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kNames = 26; ///< columns of names, on the left of what they mean

/// The text in lines, each after the first indented by `indent` columns.
std::string wrapped(const std::string& text, size_t indent) {
  std::string out;
  size_t column = indent;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (column > indent && column + 1 + (end - at) > kColumns) {
      out += '\n' + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) out += ' ', ++column;
    out += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return out;
}

/// A name and what it means, side by side, or below each other where the name is long.
std::string row(const std::string& name, const std::string& meaning) {
  std::string out = "  " + name;
  if (out.size() + 2 > kNames)
    out += '\n' + std::string(kNames, ' ');
  else
    out.append(kNames - out.size(), ' ');
  return out + wrapped(meaning, kNames) + '\n';
}

std::string optionRow(const CLI::Option& option) {
  const std::string value = valueText(option);
  return row(namesText(option) + (value.empty() ? "" : " " + value), option.get_description());
}

std::string usage(const CLI::App& app) {
  std::string out = app.get_name();
  for (const CLI::App* parent = app.get_parent(); parent; parent = parent->get_parent())
    out = parent->get_name() + " " + out;
  out = "Usage: " + out;
  if (!app.get_subcommands({}).empty()) return out + " COMMAND [OPTIONS]";
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional())
      out += option->get_required() ? " " + option->get_name()
                                    : fmt::format(" [{}]", option->get_name());
  return out + " [OPTIONS]";
}

} // namespace

std::vector<const CLI::Option*> optionsOf(const CLI::App& app) {
  std::vector<const CLI::Option*> options = app.get_options();
  if (const CLI::App* program = app.get_parent())
    for (const CLI::Option* option : program->get_options())
      if (option->get_group() == kForAllCommands) options.push_back(option);
  return options;
}

std::vector<std::string> namesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// The parser names the type of such an option {a,b}.
std::vector<std::string> choicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find('{'), end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  std::vector<std::string> choices(1);
  for (const char c : type.substr(begin + 1, end - begin - 1))
    if (c == ',')
      choices.emplace_back();
    else
      choices.back() += c;
  return choices;
}

std::string namesText(const CLI::Option& option) {
  if (option.get_positional()) return option.get_name();
  return fmt::format("{}", fmt::join(namesOf(option), ", "));
}

std::string valueText(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0 || option.get_positional()) return {};
  if (const auto choices = choicesOf(option); !choices.empty())
    return fmt::format("{}", fmt::join(choices, "|"));
  // Behind the name of the type stand those of checks, each behind a colon.
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string helpText(const CLI::App& app) {
  std::string out = wrapped(app.get_description(), 0) + "\n\n" + usage(app) + "\n";
  std::string positionals;
  for (const CLI::Option* option : app.get_options())
    if (option->get_positional()) positionals += optionRow(*option);
  if (!positionals.empty()) out += "\n" + positionals;
  if (const auto commands = app.get_subcommands({}); !commands.empty()) {
    out += "\nCommands:\n";
    for (const CLI::App* command : commands)
      out += row(command->get_name(), command->get_description());
  }
  std::vector<std::string> groups = app.get_groups();
  if (app.get_parent()) groups.emplace_back(kForAllCommands);
  for (const std::string& group : groups) {
    std::string rows;
    for (const CLI::Option* option : optionsOf(app))
      if (option->nonpositional() && option->get_group() == group) rows += optionRow(*option);
    if (!rows.empty()) out += "\n" + group + ":\n" + rows;
  }
  const std::string footer = app.get_footer();
  return footer.empty() ? out : out + "\n" + footer + "\n";
}

} // namespace enfold::tool
