// The help of the command and its subcommands, in lines of at most 80 columns.
#pragma once

#include <string>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace enfold::tool {

/// "-o, --output".
std::string namesText(const CLI::Option& option);

/// What stands for the option's value: "FILE", "standard|strict"; empty if it takes none.
std::string valueText(const CLI::Option& option);

/// What `--help` prints of the app.
std::string helpText(const CLI::App& app);

} // namespace enfold::tool
