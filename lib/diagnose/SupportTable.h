// What operators are supported, for `enfold ops`.
#pragma once

#include "ir/OpInfo.h"

#include <string>

namespace enfold::diagnose {

/// The kernel families that may take ops of a kind, best first, or what else becomes of them.
std::string howItRuns(const OpInfo& row);

/// docs/operators.md.
std::string operatorsMarkdown();

} // namespace enfold::diagnose
