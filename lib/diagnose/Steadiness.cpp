// Counters of the system before and after, and statistics of the samples.
#include "diagnose/Steadiness.h"

#include "diagnose/Samples.h"

#include <fmt/format.h>

#include <cmath>
#include <ctime>
#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace enfold::diagnose {
namespace {

using Clock = std::chrono::steady_clock;

/// What is told of: shares of time, and relative differences.
constexpr double kOtherLoad = 0.1, kStolen = 0.02, kClockChange = 0.05, kDrift = 0.05,
                 kSpread = 0.25;
constexpr size_t kFewestSamples = 10;

double secondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// Additions that wait for each other, a second: in proportion to the clock. The best of several
/// short turns, so that an interruption does not count.
double measureClock() {
  constexpr int kTurns = 20, kAdditions = 200000;
  double best = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    const auto start = Clock::now();
    uint64_t sum = 1;
    for (int i = 0; i < kAdditions; ++i) {
      sum += 1;
      asm volatile("" : "+r"(sum)); // one after the other
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, kAdditions / seconds);
  }
  return best;
}

double medianOfHalf(const std::vector<double>& samples, bool second) {
  const auto middle = samples.begin() + static_cast<ptrdiff_t>(samples.size() / 2);
  return summarize(second ? std::vector<double>(middle, samples.end())
                          : std::vector<double>(samples.begin(), middle))
      .p50;
}

} // namespace

SteadinessWatch::SteadinessWatch(std::vector<int> processes)
    : processes_(std::move(processes)), begin_(now()) {}

SteadinessWatch::State SteadinessWatch::now() const {
  State state;
  state.clock = measureClock();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  state.ownSeconds = secondsOf(usage.ru_utime) + secondsOf(usage.ru_stime);
  for (const int process : processes_) {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(process, &clock) == 0 && ::clock_gettime(clock, &used) == 0)
      state.ownSeconds +=
          static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
  }
  std::ifstream file("/proc/stat");
  std::string word;
  // Of all CPUs: user, nice, system, idle, waiting, interrupts, soft interrupts, stolen.
  double ticks[8] = {};
  file >> word;
  for (double& count : ticks) file >> count;
  const auto second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  state.busySeconds = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / second;
  state.stolenSeconds = ticks[7] / second;
  state.time = Clock::now();
  return state;
}

std::vector<std::string> SteadinessWatch::complaints(const std::vector<double>& samples) const {
  const State end = now();
  const double seconds = std::chrono::duration<double>(end.time - begin_.time).count();
  std::vector<std::string> complaints;
  const double others =
      (end.busySeconds - begin_.busySeconds) - (end.ownSeconds - begin_.ownSeconds);
  const bool isShared = others > kOtherLoad * seconds;
  if (isShared)
    complaints.push_back(
        fmt::format("other programs kept {:.1f} processors busy", others / seconds));
  if (const double stolen = end.stolenSeconds - begin_.stolenSeconds; stolen > kStolen * seconds)
    complaints.push_back(
        fmt::format("the hypervisor took {:.0f} % of a processor's time", 100 * stolen / seconds));
  // Who shares the processor does not measure its clock.
  const double change = end.clock / begin_.clock - 1;
  if (!isShared && std::fabs(change) > kClockChange)
    complaints.push_back(fmt::format("the clock is {:.0f} % {} than at the start",
                                     100 * std::fabs(change), change > 0 ? "faster" : "slower"));
  if (samples.size() < kFewestSamples) return complaints;
  const double first = medianOfHalf(samples, false), second = medianOfHalf(samples, true);
  if (const double drift = second / first - 1; std::fabs(drift) > kDrift)
    complaints.push_back(fmt::format("the second half of the runs took {:.0f} % {} than the first",
                                     100 * std::fabs(drift), drift > 0 ? "longer" : "less"));
  if (const Summary s = summarize(samples); s.p90 - s.p5 > kSpread * s.p50)
    complaints.push_back(
        fmt::format("p5 and p90 differ by {:.0f} % of the median", 100 * (s.p90 - s.p5) / s.p50));
  return complaints;
}

} // namespace enfold::diagnose
