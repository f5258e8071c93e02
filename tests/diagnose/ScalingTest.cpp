// The prediction of how kernels share their work.
#include "diagnose/Inspect.h"
#include "driver/Model.h"
#include "kernel/MachineText.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fstream>

namespace enfold::diagnose {
namespace {

/// A plan of one kernel of so many iterations.
lower::Plan planOf(int64_t iterations, int64_t grain, double flops) {
  lower::Plan plan;
  plan.kernels.resize(1);
  plan.kernels[0].iterations = iterations;
  plan.calls.push_back({.kernel = 0, .flops = flops, .grain = grain});
  return plan;
}

KernelScaling scalingOf(int64_t iterations, int64_t grain, double flops, int threads) {
  const auto scaling = predictScaling(planOf(iterations, grain, flops), kir::Machine{}, {threads});
  return scaling.kernels.front();
}

TEST(Scaling, OneThreadIsFullyUsed) {
  for (const int64_t iterations : {1, 7, 64})
    EXPECT_DOUBLE_EQ(scalingOf(iterations, 1, 1e6, 1).onThreads[0].efficiency, 1);
}

TEST(Scaling, SharesAreOfWholeGrains) {
  const auto on = [](int64_t iterations, int64_t grain, int threads) {
    return scalingOf(iterations, grain, 1e12, threads).onThreads[0];
  };
  EXPECT_EQ(on(64, 1, 16).used, 16);
  EXPECT_DOUBLE_EQ(on(64, 1, 16).imbalance, 1);
  EXPECT_NEAR(on(64, 1, 16).efficiency, 1, 1e-3);
  EXPECT_DOUBLE_EQ(on(65, 1, 16).imbalance, 5.0 * 16 / 65);
  EXPECT_NEAR(on(65, 1, 16).efficiency, 65.0 / 80, 1e-3);
  EXPECT_EQ(on(7, 1, 16).used, 7);
  EXPECT_NEAR(on(7, 1, 16).efficiency, 7.0 / 16, 1e-3);
  EXPECT_EQ(on(10, 4, 16).used, 2) << "two grains of four, and what is left";
  EXPECT_EQ(on(3, 4, 16).used, 1);
}

TEST(Scaling, TellsWhatLimits) {
  EXPECT_EQ(scalingOf(1, 1, 1e9, 8).limit, ScalingLimit::Serial);
  EXPECT_EQ(scalingOf(3, 1, 1e12, 8).limit, ScalingLimit::Iterations);
  EXPECT_EQ(scalingOf(64, 1, 1e5, 8).limit, ScalingLimit::Barrier);
  EXPECT_EQ(scalingOf(64, 1, 1e12, 8).limit, ScalingLimit::None);
}

TEST(Scaling, LittleWorkIsLostToBarriers) {
  double before = 1;
  for (const int threads : {2, 4, 16, 64}) {
    const double efficiency = scalingOf(64, 1, 1e6, threads).onThreads[0].efficiency;
    EXPECT_LT(efficiency, before) << threads;
    before = efficiency;
  }
}

/// Of a network of the zoo that is planned for a Zen 3 processor with so many threads.
double efficiencyOf(const char* network, int64_t batch, int threads) {
  kir::Machine machine = kir::machineOf("znver3", kir::Architecture::X86_64, 32);
  machine.threads = threads;
  const std::string path = testing::TempDir() + "enfold-machine.txt";
  std::ofstream(path) << kir::print(machine, "znver3");
  CompileOptions options;
  options.machine = path;
  auto model = loadModel(network, {.shapes = {{"input", {batch, 3, 224, 224}}}});
  if (!model) return 0;
  const auto inspection = inspect(network, std::move(model->graph), options, {threads});
  if (!inspection) ADD_FAILURE() << inspection.error().str();
  return inspection ? inspection->scaling->efficiency.front() : 0;
}

TEST(Scaling, Resnet50KeepsManyCoresBusy) {
  EXPECT_GE(efficiencyOf("zoo:resnet50", 1, 16), 0.85);
  EXPECT_GE(efficiencyOf("zoo:resnet50", 1, 32), 0.70);
  EXPECT_GE(efficiencyOf("zoo:resnet50", 32, 64), 0.95);
}

} // namespace
} // namespace enfold::diagnose
