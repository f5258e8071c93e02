// perf [PROBLEM...]: speed of single layers, one thread, beside what the machine can do at best.
// perf sweep: the same of convolutions of every size, in per cent of the machine's peak.
// No part of the tests: nothing it prints is right or wrong.
#include "Problem.h"
#include "diagnose/MachineLimits.h"
#include "driver/Compiler.h"
#include "ir/ConstantText.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace enfold::perf {
namespace {

constexpr const char* kUsual[] = {
    "conv c3 h224 o64 k7 s2 p3 bias relu",     "conv c3 h224 o64 k3 p1 bias relu",
    "conv c64 h56 o64 k3 p1 bias relu",        "conv c128 h28 o128 k3 p1 bias relu",
    "conv c256 h14 o256 k3 p1 bias relu",      "conv c512 h7 o512 k3 p1 bias relu",
    "conv c128 h56 o128 k3 s2 p1 bias relu",   "conv c64 h56 o256 k1 bias",
    "conv c256 h56 o64 k1 bias relu",          "conv c256 h14 o1024 k1 bias",
    "conv c2048 h7 o512 k1 bias relu",         "conv c128 h56 o128 k3 p1 g32 bias relu",
    "conv c120 h28 o120 k5 p2 g120 bias relu", "conv c96 h112 o96 k3 s2 p1 g96 bias relu",
    "gemm m1 k4096 n4096 bias relu",           "gemm m64 k512 n512",
};

struct Kernel {
  std::string algorithm;
  double seconds = 0, flops = 0;
};

/// The slowest kernel of the layer, which is the layer's own: the others reorder its tensors.
Result<Kernel> measure(std::string_view problem, int milliseconds = 300) {
  ENFOLD_TRY(auto graph, graphOf(problem));
  ENFOLD_TRY(const Compilation compiled, compile(std::move(graph)));
  ENFOLD_TRY(const auto session, Session::create(compiled.executable, {.threads = 1}));
  std::vector<Tensor> inputs;
  // Memory that nobody has written to is one page of zeros, many times over.
  for (const TensorSpec& input : compiled.executable->inputs())
    inputs.push_back(randomTensor(input.type, inputs.size()));
  enfold_start_profile(session->context());
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  do ENFOLD_RETURN_IF_ERROR(session->run(inputs));
  while (std::chrono::steady_clock::now() < end);
  enfold_stop_profile(session->context());
  const enfold_program& program = compiled.executable->program();
  Kernel best;
  for (int32_t i = 0; i < program.num_steps; ++i) {
    enfold_step_profile step;
    enfold_read_profile(session->context(), i, &step);
    if (step.flops > best.flops) best = {program.steps[i].name, step.min_seconds, step.flops};
  }
  return best;
}

Result<> printAll(std::span<const std::string> problems) {
  ENFOLD_TRY(const codegen::Target target, codegen::hostTarget());
  ENFOLD_TRY(const diagnose::MachineLimits limits, diagnose::measureLimits(target, 1));
  fmt::print("{:<44} {:>9} {:>9} {:>7}  algorithm\n", "problem", "us", "GFLOP/s", "of peak");
  for (const std::string& problem : problems) {
    ENFOLD_TRY(const Kernel kernel, measure(problem));
    const double gflops = kernel.flops / kernel.seconds * 1e-9;
    fmt::print("{:<44} {:>9.1f} {:>9.1f} {:>5.0f} %  {}\n", problem, kernel.seconds * 1e6, gflops,
               100 * gflops / limits.gflops(), kernel.algorithm);
  }
  fmt::print("peak {:.0f} GFLOP/s\n", limits.gflops());
  return {};
}

constexpr std::pair<int64_t, int64_t> kMaps[] = {{1, 1},   {2, 2},   {3, 3},   {5, 5},  {7, 7},
                                                 {14, 14}, {28, 28}, {56, 56}, {1, 64}, {64, 1}};
constexpr int64_t kChannels[] = {8, 32, 128, 512}, kBatches[] = {1, 8, 32};
struct Window {
  int64_t taps, stride;
};
constexpr Window kWindows[] = {{1, 1}, {1, 2}, {3, 1}, {3, 2}, {5, 1}};

/// Windows have one tap along sides of one pixel.
std::string problemOf(const Window& window, std::pair<int64_t, int64_t> map, int64_t channels,
                      int64_t batch) {
  const auto [height, width] = map;
  const int64_t down = height == 1 ? 1 : window.taps, across = width == 1 ? 1 : window.taps;
  return fmt::format("conv n{} c{} o{} h{} w{} s{} k{} p{} r{} q{}", batch, channels, channels,
                     height, width, window.stride, down, down / 2, across, across / 2);
}

/// Tables of maps by channels, one for each window and batch.
Result<> printSweep() {
  ENFOLD_TRY(const codegen::Target target, codegen::hostTarget());
  ENFOLD_TRY(const diagnose::MachineLimits limits, diagnose::measureLimits(target, 1));
  for (const Window& window : kWindows)
    for (const int64_t batch : kBatches) {
      fmt::print("{} {}, stride {}, batch {}\n{:<8}", window.taps,
                 window.taps == 1 ? "tap" : "taps", window.stride, batch, "map");
      for (const int64_t channels : kChannels) fmt::print("{:>6}", channels);
      for (const auto& map : kMaps) {
        fmt::print("\n{:<8}", fmt::format("{}x{}", map.first, map.second));
        for (const int64_t channels : kChannels) {
          ENFOLD_TRY(const Kernel kernel, measure(problemOf(window, map, channels, batch), 40));
          fmt::print("{:>5.0f}%", kernel.flops / kernel.seconds * 1e-7 / limits.gflops());
          std::fflush(stdout);
        }
      }
      fmt::print("\n\n");
    }
  return {};
}

} // namespace
} // namespace enfold::perf

int main(int argc, char** argv) {
  using namespace enfold;
  std::vector<std::string> problems(argv + 1, argv + argc);
  const bool sweeps = problems == std::vector<std::string>{"sweep"};
  if (problems.empty()) problems.assign(std::begin(perf::kUsual), std::end(perf::kUsual));
  const auto done = sweeps ? perf::printSweep() : perf::printAll(problems);
  if (!done) fmt::print(stderr, "perf: {}\n", done.error().str());
  return done ? 0 : 3;
}
