// The certificates of folds: what was folded into what, and the bound on the error it brings
// (docs/numerics.md). `inspect` shows them for a model, and for compiled files, which carry them.
#pragma once

#include "passes/PassManager.h"

#include <nlohmann/json_fwd.hpp>

namespace enfold::tool {

/// One object for each fold: pass, reason, nodes, tensor, and the numbers of the bound.
nlohmann::ordered_json certificatesOf(const PipelineReport& report);

/// "20, each changes its tensor by at most 1.1e-06 max|x| + 2e-08"; empty if there are none.
std::string summaryOf(const nlohmann::ordered_json& certificates);

/// One row for each fold.
std::string tableOf(const nlohmann::ordered_json& certificates);

} // namespace enfold::tool
