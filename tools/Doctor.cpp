// enfold doctor: what keeps this machine or a model from its full speed.
#include "diagnose/Checkup.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {
namespace {

using diagnose::Checkup;
using diagnose::Finding;
using diagnose::Severity;

struct DoctorOptions {
  ModelOptions model;
  std::string json;
};

std::string text(const diagnose::MachineFacts& facts) {
  const kir::Machine& core = facts.target.machine;
  std::string out = fmt::format("processor  {}, {}: vectors of {} bytes\n", facts.target.cpu,
                                name(facts.target.isa), core.vectorBytes);
  std::vector<std::string> dots;
  for (const kir::DotProduct instruction : core.dotProducts) dots.emplace_back(name(instruction));
  if (!dots.empty()) out += fmt::format("           dot products: {}\n", fmt::join(dots, ", "));
  out +=
      fmt::format("threads    {} by default; the process may use {} processors{}\n", facts.threads,
                  facts.affinityCpus,
                  facts.quotaCpus > 0 ? fmt::format(", and its quota is {}", facts.quotaCpus) : "");
  out += fmt::format("caches     L1 {} KiB, L2 {} KiB, L3 {} KiB\n", core.l1.bytes >> 10,
                     core.l2.bytes >> 10, core.l3.bytes >> 10);
  out += fmt::format("memory     {} free of {}\n",
                     humanBytes(static_cast<double>(facts.availableBytes)),
                     humanBytes(static_cast<double>(facts.memoryBytes)));
  out += fmt::format("load       {:.2f}\n", facts.load);
  if (!facts.governor.empty()) out += fmt::format("clock      governor {}\n", facts.governor);
  if (!facts.cacheFolder.empty()) out += fmt::format("programs   {}\n", facts.cacheFolder);
  for (const auto& [variable, value] : facts.environment)
    out += fmt::format("setting    {}={}\n", variable, value);
  return out;
}

std::string text(const diagnose::Forecast& forecast) {
  return fmt::format("model      {} ops after the passes, {} of them without a kernel\n"
                     "arithmetic {} a run: {:.2f} ms at the least on this machine\n"
                     "compiling  about {:.1f} s\n"
                     "peak       {} of memory\n",
                     forecast.ops, forecast.referenceOps.size(), humanCount(forecast.flops, "FLOP"),
                     forecast.milliseconds, forecast.compileSeconds,
                     humanBytes(static_cast<double>(forecast.memory.peak())));
}

std::string text(const Checkup& checkup) {
  std::string out = "versions   enfold " ENFOLD_VERSION ", LLVM " ENFOLD_LLVM_VERSION "\n";
  out += text(checkup.machine);
  if (checkup.forecast) out += text(*checkup.forecast);
  out += checkup.findings.empty() ? "\nnothing found\n" : "\n";
  for (const Finding& finding : checkup.findings)
    out +=
        fmt::format("{}: {} [{}]\n", finding.severity == Severity::Problem ? "problem" : "advice",
                    finding.text, finding.code);
  return out;
}

Result<int> examine(const DoctorOptions& options) {
  const Deadline deadline(options.model.limitSeconds);
  Result<Checkup> checkup = diagnose::checkUp(options.model.compileOptions());
  if (checkup && !options.model.model.empty()) {
    ENFOLD_TRY(const LoadOptions load, options.model.loadOptions());
    ENFOLD_TRY(const ModelSource source, options.model.source());
    checkup = diagnose::checkUp(source, load, options.model.compileOptions());
  }
  if (!checkup) return std::unexpected(std::move(checkup).error());
  if (options.json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", text(*checkup)));
  if (!options.json.empty()) {
    diagnose::Json json = toJson(*checkup);
    json["versions"] = {{"enfold", ENFOLD_VERSION}, {"llvm", ENFOLD_LLVM_VERSION}};
    ENFOLD_RETURN_IF_ERROR(writeJson(options.json, json));
  }
  if (!options.model.model.empty() && !checkup->forecast) return kUnsupported;
  return checkup->hasProblems() ? kWrong : kDone;
}

} // namespace

Action addDoctor(CLI::App& app) {
  auto options = std::make_shared<DoctorOptions>();
  options->model.add(app);
  app.get_option("MODEL")->required(false)->description(
      "A .onnx or .eir file, or zoo:NAME; without one, only the machine is examined");
  addJson(app, options->json);
  return [options] {
    const auto code = examine(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
