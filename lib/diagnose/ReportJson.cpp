// A report as JSON.
#include "diagnose/Report.h"

#include <nlohmann/json.hpp>

#include <set>

namespace enfold::diagnose {
namespace {

Json opsJson(const Report& report) {
  Json json = Json::array();
  for (const auto& [record, account] : report.ops) {
    Json refused = Json::object();
    for (const auto& [family, reason] : account.refused) refused[family] = reason;
    json.push_back({{"op", record}, {"runs_as", account.runsAs}, {"refused", std::move(refused)}});
  }
  return json;
}

Json buffersJson(const Report& report) {
  Json json = Json::array();
  for (const BufferRecord& buffer : report.buffers)
    json.push_back({{"space", buffer.space},
                    {"bytes", buffer.bytes},
                    {"offset", buffer.offset},
                    {"first", buffer.firstStep},
                    {"last", buffer.lastStep}});
  return json;
}

Json microseconds(const Summary& seconds) {
  return {{"min", seconds.min * 1e6},
          {"p5", seconds.p5 * 1e6},
          {"p50", seconds.p50 * 1e6},
          {"p90", seconds.p90 * 1e6}};
}

Json stepsJson(const Report& report) {
  Json json = Json::array();
  const auto* profile = report.bench && report.bench->profile ? &*report.bench->profile : nullptr;
  for (size_t i = 0; i < report.steps.size(); ++i) {
    const StepRecord& step = report.steps[i];
    Json row = {{"op", step.op},
                {"kernel", step.kernel},
                {"algorithm", step.algorithm},
                {"next_best", step.secondChoice},
                {"nodes", step.nodes},
                {"flops", step.flops},
                {"bytes", step.bytes},
                {"buffers", step.buffers}};
    if (profile && i < profile->kernels.size()) {
      const KernelProfile& kernel = profile->kernels[i];
      row["us"] = microseconds(kernel.times);
      row["percent_of_limit"] = profile->percentOfLimit(kernel);
      row["bound_by"] = profile->boundOf(kernel);
      row["multiplies"] = kir::name(kernel.work.multiplies);
    }
    json.push_back(std::move(row));
  }
  return json;
}

Json armsJson(const BenchReport& bench) {
  Json json = Json::array();
  for (const BenchArm& arm : bench.arms) {
    Json row = {
        {"name", arm.name},
        {"latency_ms", toJson(arm.latency)},
        {"samples", arm.latency.samples},
        {"ratio", {{"median", arm.ratio.median}, {"low", arm.ratio.low}, {"high", arm.ratio.high}}},
        {"steps", Json::array()}};
    if (&arm != &bench.arms.front()) // whose steps are the report's own
      for (const KernelProfile& kernel : arm.kernels)
        row["steps"].push_back({{"nodes", kernel.nodes},
                                {"algorithm", kernel.algorithm},
                                {"us", microseconds(kernel.times)}});
    json.push_back(std::move(row));
  }
  return json;
}

/// The sentences of the codes that occur.
Json reasonsJson(const Report& report) {
  Json json = Json::object();
  for (const Remark& remark : report.remarks) {
    const ReasonInfo& reason = info(remark.reason);
    json[std::string(reason.code)] = reason.explanation;
  }
  return json;
}

Json passesJson(const Report& report) {
  std::set<std::string_view> names;
  for (const Stage& stage : report.history->stages()) names.insert(stage.pass);
  names.insert(report.idlePasses.begin(), report.idlePasses.end());
  Json json = Json::object();
  for (const std::string_view name : names)
    if (const PassInfo* pass = findPass(name)) json[std::string(name)] = pass->summary;
  return json;
}

Json kernelsJson(const Report& report) {
  Json json = Json::array();
  const auto text = [](const codegen::ListedText& listed) -> Json {
    return {{"text", listed.text}, {"origin", listed.origin}};
  };
  for (const codegen::Listing& listing : report.listings.entries)
    json.push_back({{"name", listing.name},
                    {"kir", listing.kir},
                    {"llvm", text(listing.llvm)},
                    {"assembly", text(listing.assembly)}});
  return json;
}

} // namespace

Json toJson(const Report& report) {
  Json json = {{"schema", "enfold-report"},
               {"version", kReportVersion},
               {"enfold", ENFOLD_VERSION},
               {"model", report.model},
               {"target", {{"cpu", report.target}, {"isa", report.isa}}},
               {"pipeline", report.pipeline},
               {"inputs", tensorsJson(report.inputs)},
               {"outputs", tensorsJson(report.outputs)},
               {"parameters", report.parameters},
               {"parameter_bytes", report.parameterBytes},
               {"notes", report.notes},
               {"graph", toJson(*report.history)},
               {"passes", passesJson(report)},
               {"idle_passes", report.idlePasses},
               {"batch_norms", toJson(report.batchNorms)},
               {"reasons", reasonsJson(report)},
               {"remarks", Json::array()},
               {"ops", opsJson(report)},
               {"steps", stepsJson(report)},
               {"buffers", buffersJson(report)},
               {"arena_bytes", report.arenaBytes},
               {"constant_bytes", report.constantBytes},
               {"scratch_bytes", report.scratchBytes},
               {"kernels", kernelsJson(report)}};
  for (const Remark& remark : report.remarks) json["remarks"].push_back(toJson(remark));
  if (report.bench) {
    json["threads"] = report.bench->threads;
    json["compile_ms"] = {{"passes", report.bench->compileTimes.passes},
                          {"lowering", report.bench->compileTimes.lowering},
                          {"codegen", report.bench->compileTimes.codegen}};
    json["limits"] = toJson(report.bench->profile->limits);
    json["timeline"] = toJson(report.bench->profile->timeline);
    json["arms"] = armsJson(*report.bench);
    json["complaints"] = report.bench->complaints;
  }
  if (!report.errors.empty()) {
    json["errors"] = Json::array();
    for (const TensorError& error : report.errors)
      json["errors"].push_back(
          {{"value", error.value}, {"error", error.maxAbs}, {"scale", error.scale}});
  }
  return json;
}

} // namespace enfold::diagnose
