// Times in cycles, of the longest share of each kernel.
#include "diagnose/Scaling.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>

namespace enfold::diagnose {
namespace {

constexpr double kWorthTelling = 0.9;

class Predictor {
public:
  explicit Predictor(const kir::Machine& machine)
      : machine_(machine),
        flopsPerCycle_(2 * machine.fma.of(machine.vectorBytes) * machine.lanes(kir::Scalar::F32)) {}

  KernelScaling of(const lower::Plan& plan, const lower::Call& call,
                   std::span<const int> threads) const {
    KernelScaling kernel{.algorithm = call.algorithm, .nodes = call.origin, .grain = call.grain};
    kernel.iterations = call.reference ? 1 : plan.kernels[call.kernel].iterations;
    const bool isShared = !call.reference && kernel.iterations > call.grain;
    const int64_t grains = std::max<int64_t>(
        (kernel.iterations + call.grain - 1) / std::max<int64_t>(call.grain, 1), 1);
    kernel.cycles = cyclesOf(call, 1, 1);
    for (const int count : threads) {
      KernelOnThreads on;
      // As the runtime chooses it.
      on.used = isShared ? std::clamp<int64_t>(kernel.iterations / call.grain, 1, count) : 1;
      const auto longest = static_cast<double>((grains + on.used - 1) / on.used);
      on.imbalance = longest * static_cast<double>(on.used) / static_cast<double>(grains);
      on.efficiency = kernel.cycles / (count * cyclesOf(call, on.used, on.imbalance));
      kernel.onThreads.push_back(on);
    }
    if (!kernel.onThreads.empty() && kernel.onThreads.back().efficiency < kWorthTelling)
      kernel.limit = limitOf(kernel.onThreads.back(), threads.back(), isShared);
    return kernel;
  }

  double cyclesOf(const lower::Call& call, int64_t used, double imbalance) const {
    const double share = imbalance / static_cast<double>(used);
    const auto held = static_cast<int64_t>(call.bytes * share);
    const double work = std::max(call.flops * share / flopsPerCycle_,
                                 call.bytes * share / machine_.bytesPerCycle(held));
    // Threads are joined in pairs.
    const auto rounds = static_cast<double>(std::bit_width(static_cast<uint64_t>(used - 1)));
    return work + machine_.callCycles + rounds * machine_.barrierCycles;
  }

private:
  static ScalingLimit limitOf(const KernelOnThreads& on, int threads, bool isShared) {
    if (!isShared) return ScalingLimit::Serial;
    const double byShares = static_cast<double>(on.used) / (on.imbalance * threads);
    return byShares < on.efficiency / byShares ? ScalingLimit::Iterations : ScalingLimit::Barrier;
  }

  const kir::Machine& machine_;
  double flopsPerCycle_;
};

} // namespace

std::string_view name(ScalingLimit limit) {
  switch (limit) {
  case ScalingLimit::None:
    return "";
  case ScalingLimit::Serial:
    return "not shared";
  case ScalingLimit::Iterations:
    return "iterations";
  case ScalingLimit::Barrier:
    return "barrier";
  }
  return "";
}

Scaling predictScaling(const lower::Plan& plan, const kir::Machine& machine,
                       std::vector<int> threads) {
  Scaling scaling{.threads = std::move(threads), .kernels = {}, .efficiency = {}};
  const Predictor predictor(machine);
  for (const lower::Call& call : plan.calls)
    scaling.kernels.push_back(predictor.of(plan, call, scaling.threads));
  for (size_t i = 0; i < scaling.threads.size(); ++i) {
    double alone = 0, together = 0;
    for (const KernelScaling& kernel : scaling.kernels) {
      alone += kernel.cycles;
      together += kernel.cycles / (kernel.onThreads[i].efficiency * scaling.threads[i]);
    }
    scaling.efficiency.push_back(together > 0 ? alone / (scaling.threads[i] * together) : 1);
  }
  return scaling;
}

Json toJson(const Scaling& scaling) {
  Json json = {
      {"threads", scaling.threads}, {"efficiency", scaling.efficiency}, {"kernels", Json::array()}};
  for (const KernelScaling& kernel : scaling.kernels) {
    Json row = {{"algorithm", kernel.algorithm},   {"nodes", kernel.nodes},
                {"iterations", kernel.iterations}, {"grain", kernel.grain},
                {"cycles", kernel.cycles},         {"limit", name(kernel.limit)},
                {"on_threads", Json::array()}};
    for (const KernelOnThreads& on : kernel.onThreads)
      row["on_threads"].push_back(
          {{"used", on.used}, {"imbalance", on.imbalance}, {"efficiency", on.efficiency}});
    json["kernels"].push_back(std::move(row));
  }
  return json;
}

} // namespace enfold::diagnose
