// Files that list sizes of a network's inputs, for commands that take several.
#pragma once

#include "support/Result.h"

#include <string>
#include <vector>

namespace enfold::tool {

/// Lines of NAME=1x3x224x224, several words if there are several inputs, each as --shape takes it.
/// Empty lines and those that begin with # say nothing; a file without others is refused.
Result<std::vector<std::vector<std::string>>> readSizes(const std::string& path);

} // namespace enfold::tool
