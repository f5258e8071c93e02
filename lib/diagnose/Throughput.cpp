// A thread for each stream, in a closed loop: the next run starts when the one before is done.
#include "diagnose/Throughput.h"

#include "diagnose/Bench.h"
#include "runtime/CpuTopology.h"
#include "support/Memory.h"

#include <nlohmann/json.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <latch>
#include <thread>

namespace enfold::diagnose {
namespace {

using Clock = std::chrono::steady_clock;

/// One stream, from its own thread.
struct Stream {
  std::span<const int32_t> cpus; ///< empty: any
  std::vector<double> samples;   ///< milliseconds
  Clock::time_point end;
  std::optional<Error> error;

  /// Its workers are started by this thread, so that they stay on the stream's CPUs as well.
  Result<> prepare(const ThroughputProblem& problem) {
    if (!cpus.empty()) rt::confineTo(cpus.data(), static_cast<int32_t>(cpus.size()));
    Session::Options options = problem.session;
    options.threads = problem.threadsPerStream;
    ENFOLD_TRY(session_, Session::create(problem.executable, options));
    inputs_ = problem.inputs.empty() ? randomInputs(*problem.executable) : problem.inputs;
    for (const Tensor& input : inputs_) from_.push_back(input.bytes());
    for (const auto& [name, type] : problem.executable->outputs())
      outputs_.emplace_back(type.elem, type.shape);
    for (Tensor& output : outputs_) to_.push_back(output.mutableBytes());
    for (int i = 0; i < problem.warmUpRuns; ++i)
      ENFOLD_RETURN_IF_ERROR(session_->runRaw(from_, to_));
    return {};
  }

  Result<> run(Clock::time_point until) {
    do {
      const auto start = Clock::now();
      ENFOLD_RETURN_IF_ERROR(session_->runRaw(from_, to_));
      end = Clock::now();
      samples.push_back(std::chrono::duration<double, std::milli>(end - start).count());
    } while (end < until);
    return {};
  }

private:
  std::unique_ptr<Session> session_;
  std::vector<Tensor> inputs_, outputs_;
  std::vector<const void*> from_;
  std::vector<void*> to_;
};

} // namespace

Result<ThroughputReport> throughput(const ThroughputProblem& problem) {
  const auto count = static_cast<size_t>(problem.streams);
  const auto width = static_cast<size_t>(problem.threadsPerStream);
  std::array<int32_t, rt::kMostCpus> cpus;
  const auto known = static_cast<size_t>(rt::cpusByTopology(cpus.data(), rt::kMostCpus));
  ThroughputReport report{.streams = problem.streams,
                          .threadsPerStream = problem.threadsPerStream,
                          .isPinned = known >= count * width};
  std::vector<Stream> streams(count);
  for (size_t i = 0; report.isPinned && i < count; ++i)
    streams[i].cpus = std::span(cpus).subspan(i * width, width);

  std::latch ready(problem.streams + 1), start(1);
  std::atomic<bool> failed = false;
  Clock::time_point until;
  std::vector<std::jthread> threads;
  for (Stream& stream : streams)
    threads.emplace_back([&] {
      auto done = catchNoMemory("preparing a stream", [&] { return stream.prepare(problem); });
      if (!done) failed = true;
      ready.count_down();
      start.wait();
      if (done && !failed) done = stream.run(until);
      if (!done) stream.error = std::move(done).error();
    });
  ready.arrive_and_wait();
  const auto begin = Clock::now();
  until = begin + std::chrono::duration_cast<Clock::duration>(
                      std::chrono::duration<double>(problem.seconds));
  start.count_down();
  if (problem.progress && !failed)
    for (double passed = 0; passed < problem.seconds; passed += 0.5) {
      problem.progress(passed, problem.seconds);
      std::this_thread::sleep_until(std::min(until, Clock::now() + std::chrono::milliseconds(500)));
    }
  threads.clear();
  auto end = begin;
  for (Stream& stream : streams) {
    if (stream.error) return std::unexpected(*std::move(stream.error));
    end = std::max(end, stream.end);
    report.samples.insert(report.samples.end(), stream.samples.begin(), stream.samples.end());
  }
  report.seconds = std::chrono::duration<double>(end - begin).count();
  report.latency = summarize(report.samples);
  return report;
}

Json toJson(const std::string& model, int64_t batch, const ThroughputReport& report) {
  return {{"version", 1},
          {"model", model},
          {"streams", report.streams},
          {"threads_per_stream", report.threadsPerStream},
          {"pinned", report.isPinned},
          {"batch", batch},
          {"latency_ms", toJson(report.latency)},
          {"samples", report.latency.samples},
          {"seconds", report.seconds},
          {"images_per_second", report.runsPerSecond() * static_cast<double>(batch)}};
}

} // namespace enfold::diagnose
