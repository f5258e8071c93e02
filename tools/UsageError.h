// What to tell somebody who called the command wrongly.
#pragma once

#include <span>
#include <string>

namespace CLI {
class App;
class ParseError;
} // namespace CLI

namespace enfold::tool {

/// The error of parsing `words`, which begin with the name of the program, in lines that name what
/// is wrong and where to read what is right.
std::string usageErrorText(const CLI::App& program, const CLI::ParseError& error,
                           std::span<char* const> words);

} // namespace enfold::tool
