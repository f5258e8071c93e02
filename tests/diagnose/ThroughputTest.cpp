// Ways to measure: streams, numbers of runs, cold caches, a rate, other runtimes; and what is said
// of times that are not to be trusted.
#include "diagnose/Throughput.h"

#include "diagnose/Bench.h"
#include "diagnose/PeerProcess.h"
#include "diagnose/Steadiness.h"
#include "ir/Parser.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace enfold::diagnose {
namespace {

constexpr const char* kModel = R"(
graph @small(%x: f32[5,3,6,6]) {
  %w = const f32[4,3,3,3] random(seed=1)
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[5,4,6,6]
  %b = relu(%a) : f32[5,4,6,6]
  return %b
}
)";

std::shared_ptr<const Executable> compiled() {
  auto made = compile(parseGraph(kModel).value());
  EXPECT_TRUE(made.has_value());
  return made->executable;
}

TEST(Throughput, CountsTheRunsOfAllStreams) {
  for (const int streams : {1, 2, 3, 7}) {
    for (const int threads : {1, 2}) {
      const auto report = throughput({.executable = compiled(),
                                      .streams = streams,
                                      .threadsPerStream = threads,
                                      .seconds = 0.02});
      ASSERT_TRUE(report.has_value()) << report.error().str();
      EXPECT_GE(report->samples.size(), static_cast<size_t>(streams));
      EXPECT_EQ(report->latency.samples, report->samples.size());
      EXPECT_GE(report->seconds, 0.02);
      EXPECT_GT(report->runsPerSecond(), 0);
      const Json json = toJson("small", 5, *report);
      EXPECT_DOUBLE_EQ(json.at("images_per_second"), 5 * report->runsPerSecond());
      EXPECT_EQ(json.at("streams"), streams);
    }
  }
}

TEST(Throughput, SaysWhatFails) {
  const auto report = throughput(
      {.executable = compiled(), .streams = 2, .threadsPerStream = ENFOLD_MAX_THREADS + 1});
  EXPECT_FALSE(report.has_value());
}

TEST(Bench, RunsAsOftenAsWanted) {
  for (const int64_t iterations : {1, 2, 17}) {
    const auto report = bench({.executable = compiled(),
                               .others = {"unfused"},
                               .load = [] { return parseGraph(kModel); },
                               .session = {.threads = 1},
                               .warmUpRuns = 0,
                               .iterations = iterations});
    ASSERT_TRUE(report.has_value()) << report.error().str();
    EXPECT_EQ(report->batch, 5);
    for (const BenchArm& arm : report->arms) {
      EXPECT_EQ(arm.samples.size(), static_cast<size_t>(iterations));
      EXPECT_EQ(arm.latency.samples, static_cast<size_t>(iterations));
      EXPECT_DOUBLE_EQ(arm.imagesPerSecond(report->batch), 5e3 / arm.latency.mean);
    }
    ASSERT_TRUE(report->machine.has_value());
    EXPECT_GE(report->machine->affinityCpus, 1);
  }
}

TEST(Bench, RunsOnTheInputsGiven) {
  const Tensor wrong(ElemType::F32, {5, 3, 6, 6});
  const auto report = bench({.executable = compiled(), .inputs = {wrong}, .iterations = 2});
  EXPECT_TRUE(report.has_value());
}

TEST(Bench, AtARateWaitsBetweenRuns) {
  const auto start = std::chrono::steady_clock::now();
  const auto report = bench({.executable = compiled(), .iterations = 5, .cold = true, .rate = 100});
  ASSERT_TRUE(report.has_value()) << report.error().str();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  EXPECT_GE(passed.count(), 0.04) << "four pauses of 10 ms";
  EXPECT_EQ(report->arms[0].samples.size(), 5u);
  const auto compared = bench({.executable = compiled(), .others = {"unfused"}, .rate = 100});
  ASSERT_FALSE(compared.has_value());
  EXPECT_EQ(compared.error().kind, ErrorKind::Usage);
}

bool isAmong(const std::vector<std::string>& complaints, std::string_view words) {
  return std::ranges::any_of(
      complaints, [&](const std::string& text) { return text.find(words) != std::string::npos; });
}

TEST(Steadiness, TellsOfDriftAndSpread) {
  const SteadinessWatch watch;
  const std::vector<double> steady(100, 1.0);
  EXPECT_FALSE(isAmong(watch.complaints(steady), "half"));
  EXPECT_FALSE(isAmong(watch.complaints(steady), "p90"));
  std::vector<double> slower = steady;
  std::fill(slower.begin() + 50, slower.end(), 1.2);
  EXPECT_TRUE(isAmong(watch.complaints(slower), "the second half of the runs took 20 % longer"));
  std::vector<double> wide = steady;
  for (size_t i = 0; i < wide.size(); i += 5) wide[i] = 3;
  EXPECT_TRUE(isAmong(watch.complaints(wide), "p5 and p90 differ by 200 % of the median"));
  EXPECT_FALSE(isAmong(watch.complaints({1, 9}), "p90")) << "too few to judge";
}

/// A folder of Python modules that stand in for the runtimes, and variables that point there.
class Peers : public testing::Test {
protected:
  void SetUp() override {
    if (std::system("python3 -c '' 2> /dev/null") != 0) GTEST_SKIP() << "there is no python3";
    write("numpy.py", "def load(path):\n    return path\n");
    write("onnxruntime.py", R"(
__version__ = "1.2.3"
class SessionOptions: pass
class Input:
    name = "x"
class InferenceSession:
    def __init__(self, model, options, providers):
        open(model, "rb").close()
        print("noise")
    def get_inputs(self):
        return [Input]
    def run(self, outputs, feeds):
        assert feeds["x"].endswith("in0.npy")
)");
    write("openvino.py", "__version__ = '2.0'\ndef Core():\n    raise RuntimeError('no CPU')\n");
    ::setenv("PYTHONPATH", folder_.path().c_str(), 1);
    ::setenv("ENFOLD_PYTHON", "python3", 1);
  }
  void TearDown() override {
    ::unsetenv("PYTHONPATH");
    ::unsetenv("ENFOLD_PYTHON");
  }
  void write(const char* name, const char* text) { std::ofstream(folder_.path() / name) << text; }

  Result<BenchReport> compareWith(const char* name) {
    return bench({.executable = compiled(),
                  .others = {name},
                  .load = [] { return parseGraph(kModel); },
                  .session = {.threads = 1},
                  .seconds = 0.02});
  }

  TemporaryFolder folder_;
};

TEST_F(Peers, AreMeasuredInTurn) {
  const auto report = compareWith("onnxruntime");
  ASSERT_TRUE(report.has_value()) << report.error().str();
  ASSERT_EQ(report->arms.size(), 2u);
  EXPECT_EQ(report->arms[1].name, "onnxruntime 1.2.3");
  EXPECT_GE(report->arms[1].samples.size(), 3u);
  EXPECT_GT(report->arms[1].latency.p50, 0);
}

TEST_F(Peers, ThatDoNotRunAreTold) {
  const auto report = compareWith("openvino");
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().kind, ErrorKind::Unsupported);
  EXPECT_NE(report.error().str().find("openvino does not run"), std::string::npos);
  ::setenv("ENFOLD_PYTHON", "/nonexistent/python", 1);
  EXPECT_FALSE(compareWith("onnxruntime").has_value());
}

} // namespace
} // namespace enfold::diagnose
