// The help of the command and its subcommands, in lines of at most 80 columns.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace enfold::tool {

/// The group of options of the program that go with every command.
inline constexpr const char* kForAllCommands = "All commands";

/// The options that a command takes: its own, and those of the program that go with every command.
std::vector<const CLI::Option*> optionsOf(const CLI::App& app);

/// "-o" and "--output".
std::vector<std::string> namesOf(const CLI::Option& option);

/// The words that an option is limited to; none if it is not.
std::vector<std::string> choicesOf(const CLI::Option& option);

/// "-o, --output".
std::string namesText(const CLI::Option& option);

/// What stands for the option's value: "FILE", "standard|strict"; empty if it takes none.
std::string valueText(const CLI::Option& option);

/// What `--help` prints of the app.
std::string helpText(const CLI::App& app);

} // namespace enfold::tool
