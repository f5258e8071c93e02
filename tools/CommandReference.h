// What shells and readers of manuals need to know of the command, made from the options that the
// subcommands declare.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace enfold::tool {

/// A script for `bash`, `zsh` or `fish` that completes the command's words.
std::string completionScript(const CLI::App& program, const std::string& shell);

/// The page of section 1 of the manual on the whole command, or on one of its subcommands.
std::string manualPage(const CLI::App& program, const CLI::App* subcommand);

} // namespace enfold::tool
