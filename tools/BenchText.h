// Measurements as people and spreadsheets read them.
#pragma once

#include "diagnose/Bench.h"
#include "diagnose/Throughput.h"

#include <string>

namespace enfold::tool {

/// A line on the network, a table of the arms if there are several, one of the kernels if wanted,
/// and what speaks against the times.
std::string benchText(const diagnose::BenchReport& report, bool withProfile);

/// One line on the machine that measured.
std::string machineText(const diagnose::MachineFacts& machine);

/// One row of comma-separated values for each arm, below a row of names.
std::string benchCsv(const diagnose::BenchReport& report);

/// One row for each run of each arm, below a row of names: arm, run, milliseconds.
std::string rawCsv(const std::vector<diagnose::BenchArm>& arms);

/// One line on streams.
std::string throughputText(const std::string& model, int64_t batch,
                           const diagnose::ThroughputReport& report);

} // namespace enfold::tool
