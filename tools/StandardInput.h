// What `-` stands for where a file is read.
#pragma once

#include "support/Result.h"

#include <memory>
#include <string>

namespace enfold::tool {

/// All of standard input. An error if it was read before, as by two options.
Result<std::string> readStandardInput();

} // namespace enfold::tool
