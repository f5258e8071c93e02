// How far sound computations of a quantized network may lie apart.
//
// Numbers that are rounded to integers differ by a step where they lie close to a tie, and what
// follows differs in the scale of that step. A product sums as many steps as it has terms; they are
// independent, so it grows them by the root of that count.
#pragma once

#include "ir/Graph.h"

#include <string>
#include <unordered_map>

namespace enfold::diagnose {

/// One step of rounding in each value of the model that depends on one, by name.
std::unordered_map<std::string, double> quantizationSteps(const Graph& model);

} // namespace enfold::diagnose
