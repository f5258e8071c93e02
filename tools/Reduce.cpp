// enfold reduce: writes a model that compiles like another, and reveals nothing else of it.
#include "diagnose/Anonymize.h"
#include "diagnose/Likeness.h"
#include "onnx/Export.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"
#include "tools/OpenSizes.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace enfold::tool {
namespace {

/// Times that are further apart are told.
constexpr double kLikeTimes = 0.05;

struct ReduceOptions {
  ModelOptions model;
  std::string output, json;
  double seconds = 1;
};

diagnose::Json toJson(const diagnose::Anonymized& reduced, const diagnose::Likeness& likeness) {
  diagnose::Json json = {{"version", 1},
                         {"constants",
                          {{"replaced", reduced.replaced},
                           {"replaced_bytes", reduced.replacedBytes},
                           {"kept", diagnose::Json::object()}}},
                         {"rewrites", likeness.rewrites},
                         {"kernels", likeness.kernels},
                         {"alike", likeness.alike()},
                         {"differences", likeness.differences}};
  for (const auto& [why, count] : reduced.kept)
    json["constants"]["kept"][std::string(name(why))] = count;
  if (!likeness.times.empty()) {
    const diagnose::Ratio& ratio = likeness.times[1].ratio;
    json["time_ratio"] = {{"median", ratio.median}, {"low", ratio.low}, {"high", ratio.high}};
  }
  return json;
}

void print(const diagnose::Anonymized& reduced, const diagnose::Likeness& likeness) {
  std::string kept;
  for (const auto& [why, count] : reduced.kept)
    kept += fmt::format("{}{} {}", kept.empty() ? "" : ", ", count, name(why));
  fmt::print("constants: {} replaced ({}); kept: {}\n", reduced.replaced,
             humanBytes(static_cast<double>(reduced.replacedBytes)), kept.empty() ? "none" : kept);
  if (likeness.alike())
    fmt::print("compiles alike: {} remarks of passes and {} kernels are the same\n",
               likeness.rewrites, likeness.kernels);
  for (const std::string& difference : likeness.differences)
    fmt::print("DIFFERENT {} (model and reduced)\n", difference);
  if (likeness.times.empty()) return;
  const diagnose::Ratio& ratio = likeness.times[1].ratio;
  fmt::print("time: {:.4f} ms, reduced {:.4f} ms, ratio {:.3f} [{:.3f}, {:.3f}]{}\n",
             likeness.times[0].latency.p50, likeness.times[1].latency.p50, ratio.median, ratio.low,
             ratio.high, std::fabs(ratio.median - 1) <= kLikeTimes ? "" : ": more than 5 % apart");
}

Result<int> reduce(const ReduceOptions& options) {
  const bool toStdout = options.output == "-";
  if (!options.output.ends_with(".onnx") && !toStdout)
    return failure(ErrorCode::BadValue,
                   fmt::format("-o {}: the name must end in .onnx, or be -", options.output));
  if (toStdout && options.json == "-")
    return failure(ErrorCode::OptionConflict,
                   "-o - and --json - cannot both write to standard output");
  const Deadline deadline(options.model.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(options.model));
  const auto copied = [](const Graph& graph) -> Result<std::unique_ptr<Graph>> {
    return graph.clone();
  };
  const auto open = openTypes(options.model, model, ModelUse::Any, copied);
  const diagnose::Anonymized reduced = diagnose::anonymize(*model.graph, model.inputDefaults, open);
  const onnx::ExportOptions how = {.inputDefaults = reduced.inputDefaults,
                                   .openTypes = reduced.openTypes};
  ENFOLD_RETURN_IF_ERROR(saveModel(*reduced.graph, options.output, how));

  // What was written is what is compared, for the sizes that the model was loaded for.
  ModelSource source(options.output);
  if (toStdout) {
    ENFOLD_TRY(std::string bytes, onnx::encodeModel(*reduced.graph, how));
    source = ModelSource::inMemory(std::move(bytes));
  }
  LoadOptions load;
  load.limits = options.model.limits;
  for (const auto& input : reduced.graph->inputs()) load.shapes[input->name()] = input->shape();
  ENFOLD_TRY(LoadedModel written, loadModel(source, load));
  ProgressLine line;
  ENFOLD_TRY(const diagnose::Likeness likeness,
             diagnose::likeness({.first = std::move(model.graph),
                                 .second = std::move(written.graph),
                                 .compile = options.model.compileOptions(),
                                 .session = options.model.sessionOptions(),
                                 .seconds = options.seconds,
                                 .progress = [&](double seconds, double total) {
                                   line.show(measuringText(seconds, total));
                                 }}));
  line.clear();
  if (options.json != "-" && !toStdout) print(reduced, likeness);
  if (!options.json.empty())
    ENFOLD_RETURN_IF_ERROR(writeJson(options.json, toJson(reduced, likeness)));
  return likeness.alike() ? kDone : kWrong;
}

} // namespace

Action addReduce(CLI::App& app) {
  auto options = std::make_shared<ReduceOptions>();
  options->model.add(app);
  app.add_option("-o,--output", options->output, "The .onnx file to write, - for stdout")
      ->required()
      ->type_name("FILE");
  app.add_option("--seconds", options->seconds,
                 "How long to measure both models; 0: do not measure them")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_option("--json", options->json, "Write the report as JSON to this file, - for stdout")
      ->type_name("FILE");
  return [options] {
    const auto code = reduce(*options);
    return code ? *code : report(code.error());
  };
}

} // namespace enfold::tool
