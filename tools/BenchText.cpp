// Lines and tables of measurements.
#include "tools/BenchText.h"

#include "tools/Common.h"

#include <fmt/format.h>

namespace enfold::tool {
namespace {

using diagnose::BenchArm;
using diagnose::BenchReport;
using diagnose::KernelProfile;
using diagnose::Profile;

std::string comparisonTable(const BenchReport& report) {
  std::vector<std::vector<std::string>> rows = {
      {"arm", "median ms", "p5 ms", "runs", "ratio", "95% interval", "error"}};
  for (const BenchArm& arm : report.arms)
    rows.push_back({arm.name, fmt::format("{:.4f}", arm.latency.p50),
                    fmt::format("{:.4f}", arm.latency.p5), std::to_string(arm.latency.samples),
                    fmt::format("{:.3f}", arm.ratio.median),
                    fmt::format("[{:.3f}, {:.3f}]", arm.ratio.low, arm.ratio.high),
                    arm.error ? fmt::format("{:.2g}", *arm.error) : "-"});
  return table(rows) +
         fmt::format("ratio: time of the arm over that of {0}; error: the largest difference of an "
                     "output from that of {0}, over its largest magnitude or 1\n",
                     report.arms[0].name);
}

std::string profileTable(const Profile& profile) {
  double total = 0;
  for (const KernelProfile& kernel : profile.kernels) total += kernel.seconds;
  std::vector<std::vector<std::string>> rows = {{"kernel", "us", "%", "GFLOP/s", "GB/s", "of limit",
                                                 "bound by", "type", "algorithm", "second choice",
                                                 "nodes"}};
  for (const KernelProfile& kernel : profile.kernels)
    rows.push_back({std::to_string(rows.size() - 1), fmt::format("{:.1f}", kernel.seconds * 1e6),
                    fmt::format("{:.1f}", total > 0 ? 100 * kernel.seconds / total : 0),
                    fmt::format("{:.1f}", kernel.gflops()), fmt::format("{:.1f}", kernel.gbps()),
                    fmt::format("{:.0f} %", profile.percentOfLimit(kernel)),
                    std::string(profile.boundOf(kernel)),
                    std::string(kir::name(kernel.work.multiplies)), kernel.algorithm,
                    kernel.secondChoice, kernel.nodes});
  std::string peaks;
  for (const auto& [multiplies, gflops] : profile.limits.peaks)
    peaks += fmt::format("{:.0f} GFLOP/s in {}, ", gflops, kir::name(multiplies));
  return table(rows) + fmt::format("limits of this machine: {}{:.1f} GB/s from memory; kernels can "
                                   "exceed them in caches and with Winograd\n",
                                   peaks, profile.limits.gbps);
}

/// Quoted where a spreadsheet would take it apart.
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

} // namespace

std::string benchText(const BenchReport& report, bool withProfile) {
  const BenchArm& first = report.arms.front();
  const diagnose::Summary& latency = first.latency;
  std::string text =
      fmt::format("{}  {} thread{}  median {:.4f} ms  p5 {:.4f}  p90 {:.4f}  p99 {:.4f}  {:.1f} "
                  "images/s  ({} runs, compiled in {:.0f} ms)\n",
                  report.model, report.threads, report.threads == 1 ? "" : "s", latency.p50,
                  latency.p5, latency.p90, latency.p99, first.imagesPerSecond(report.batch),
                  latency.samples, report.compileTimes.total());
  if (report.arms.size() > 1) text += comparisonTable(report);
  if (withProfile) text += profileTable(*report.profile);
  for (const std::string& complaint : report.complaints)
    text += fmt::format("unsteady: {}\n", complaint);
  return text;
}

std::string machineText(const diagnose::MachineFacts& machine) {
  std::string text = fmt::format("machine: {}, {}, vectors of {} bytes, {} processors",
                                 machine.target.cpu, kir::name(machine.target.isa),
                                 machine.target.machine.vectorBytes, machine.affinityCpus);
  if (machine.quotaCpus > 0) text += fmt::format(", a quota of {}", machine.quotaCpus);
  if (machine.megahertz > 0) text += fmt::format(", {:.0f} MHz", machine.megahertz);
  if (!machine.governor.empty()) text += fmt::format(", governor {}", machine.governor);
  return text + fmt::format(", load {:.2f}", machine.load);
}

std::string benchCsv(const BenchReport& report) {
  std::string text = "model,arm,threads,batch,runs,images_per_second,min_ms,p5_ms,p50_ms,p90_ms,"
                     "p95_ms,p99_ms,max_ms,mean_ms,ratio,ratio_low,ratio_high\n";
  for (const BenchArm& arm : report.arms) {
    const diagnose::Summary& s = arm.latency;
    text += fmt::format("{},{},{},{},{},{:.3f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},"
                        "{:.6f},{:.4f},{:.4f},{:.4f}\n",
                        cell(report.model), cell(arm.name), report.threads, report.batch, s.samples,
                        arm.imagesPerSecond(report.batch), s.min, s.p5, s.p50, s.p90, s.p95, s.p99,
                        s.max, s.mean, arm.ratio.median, arm.ratio.low, arm.ratio.high);
  }
  return text;
}

std::string rawCsv(const std::vector<BenchArm>& arms) {
  std::string text = "arm,run,ms\n";
  for (const BenchArm& arm : arms)
    for (size_t i = 0; i < arm.samples.size(); ++i)
      text += fmt::format("{},{},{:.6f}\n", cell(arm.name), i, arm.samples[i]);
  return text;
}

std::string throughputText(const std::string& model, int64_t batch,
                           const diagnose::ThroughputReport& report) {
  const diagnose::Summary& latency = report.latency;
  return fmt::format("{}  {} stream{} of {} thread{}{}  {:.1f} images/s  latency median {:.4f} ms  "
                     "p90 {:.4f}  p95 {:.4f}  p99 {:.4f}  ({} runs in {:.2f} s)\n",
                     model, report.streams, report.streams == 1 ? "" : "s", report.threadsPerStream,
                     report.threadsPerStream == 1 ? "" : "s",
                     report.isPinned ? "" : ", more than there are processors,",
                     report.runsPerSecond() * static_cast<double>(batch), latency.p50, latency.p90,
                     latency.p95, latency.p99, latency.samples, report.seconds);
}

} // namespace enfold::tool
