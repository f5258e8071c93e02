// Latency of a network that runs in stages, because data decide its sizes.
#pragma once

#include "diagnose/Bench.h"
#include "driver/Stage.h"

namespace enfold::diagnose {

/// Runs on random inputs, the same each time, for so many seconds behind a second of runs in which
/// what pays is compiled. Input sizes are those that the model was loaded for.
Result<BenchReport> benchStages(const std::string& model, Stage& stage,
                                const onnx::Signature& signature,
                                const std::map<std::string, Tensor>& defaults,
                                const Session::Options& session, double seconds);

} // namespace enfold::diagnose
