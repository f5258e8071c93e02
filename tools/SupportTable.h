// What operators are supported, for `enfold ops`.
#pragma once

#include "ir/OpInfo.h"

#include <string>

namespace enfold::tool {

/// The kernel families that may take ops of a kind, best first; empty if only the reference does.
std::string familiesOf(OpKind kind);

/// docs/operators.md.
std::string operatorsMarkdown();

} // namespace enfold::tool
