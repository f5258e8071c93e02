// Options from a file: NAME=VALUE lines as in TOML, for all commands, or below [COMMAND] for one.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace enfold::tool {

/// Adds --config and --dump-config, which go with every command. The latter only sets `dump`.
void addConfig(CLI::App& program, bool& dump);

/// The options of a parsed command, those it was given and those at their defaults, as such a file.
std::string configText(const CLI::App& command);

} // namespace enfold::tool
