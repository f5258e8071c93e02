// Reading is the parser's; lines outside of sections are made those of the command at hand.
#include "tools/Config.h"

#include "tools/Help.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace enfold::tool {
namespace {

class CommandConfig final : public CLI::ConfigTOML {
public:
  explicit CommandConfig(const CLI::App& program) : program_(program) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::vector<CLI::ConfigItem> items = CLI::ConfigTOML::from_config(input);
    for (CLI::ConfigItem& item : items)
      for (const CLI::App* command : program_.get_subcommands())
        if (item.parents.empty()) item.parents = {command->get_name()};
    return items;
  }

private:
  const CLI::App& program_;
};

/// As the parser reads it: numbers and truth values as they are, all else in quotes.
std::string quoted(const std::string& value) {
  double number = 0;
  if (value == "true" || value == "false" || CLI::detail::lexical_cast(value, number)) return value;
  const char quote = value.find('"') == std::string::npos ? '"' : '\'';
  return quote + value + quote;
}

std::string valueOf(const CLI::Option& option) {
  const bool isFlag = option.get_items_expected_max() == 0;
  if (isFlag) {
    int64_t count = 0;
    for (const std::string& result : option.results()) count += CLI::detail::to_flag_value(result);
    return count > 1 ? std::to_string(count) : count == 1 ? "true" : "false";
  }
  if (option.count() == 0) return quoted(option.get_default_str());
  const CLI::results_t& given = option.results();
  std::string values;
  for (const std::string& value : given) values += (values.empty() ? "" : ",") + quoted(value);
  return given.size() > 1 ? "[" + values + "]" : values;
}

} // namespace

void addConfig(CLI::App& program, bool& dump) {
  program.config_formatter(std::make_shared<CommandConfig>(program));
  program.allow_config_extras(CLI::config_extras_mode::error);
  program.set_config("--config", "", "Read options from this file, NAME=VALUE lines")
      ->type_name("FILE")
      ->group(kForAllCommands);
  program.add_flag("--dump-config", dump, "Only print the options in force, as such a file")
      ->configurable(false)
      ->group(kForAllCommands);
}

std::string configText(const CLI::App& command) {
  std::string text = fmt::format("[{}]\n", command.get_name());
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_configurable()) continue;
    const std::string byDefault = option->get_default_str();
    const bool hasDefault =
        option->get_expected_min() > 0 && !byDefault.empty() && byDefault != "[]";
    if (option->count() == 0 && option->get_items_expected_max() > 0 && !hasDefault) continue;
    const std::string name = option->get_positional() || option->get_lnames().empty()
                                 ? option->get_name()
                                 : option->get_lnames().front();
    text += fmt::format("{}={}\n", name, valueOf(*option));
  }
  return text;
}

} // namespace enfold::tool
