// What must hold for networks that leave sizes open: for every size the program that shares its
// kernels with those of other sizes gives the bits of the one compiled for that size alone, on one
// thread and on two, when the size comes again as well, and computes what the reference does.
#pragma once

#include "fuzz/Oracles.h"

namespace enfold::fuzz {

/// Opens sizes of the graph's inputs and runs it at five. Ops that do not fit them are left out,
/// and what is behind them.
std::optional<Failure> examineSizes(const Graph& graph, const std::string& pipeline, uint64_t seed);

} // namespace enfold::fuzz
