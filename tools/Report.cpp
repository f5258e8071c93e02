// enfold report: one page that shows a compiled network, alone or beside another.
#include "diagnose/Report.h"

#include "diagnose/ReportPage.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "tools/Deadline.h"
#include "tools/ProgressLine.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {
namespace {

using diagnose::Json;

struct ReportOptions {
  ModelOptions model;
  std::string output, against, json;
  double seconds = 1;
  bool errors = false;
};

Result<Json> reportOf(const ReportOptions& options, const ModelOptions& of) {
  std::optional<Deadline> deadline(std::in_place, of.limitSeconds);
  ENFOLD_TRY(LoadedModel model, load(of, ModelUse::WithDefaults));
  ProgressLine line;
  ENFOLD_TRY(const diagnose::Report report,
             diagnose::makeReport({.model = of.noFuse ? of.model + " unfused" : of.model,
                                   .graph = std::move(model.graph),
                                   .compile = of.compileOptions(),
                                   .session = of.sessionOptions(),
                                   .seconds = options.seconds,
                                   .errors = options.errors,
                                   .progress = [&](double seconds, double total) {
                                     deadline.reset(); // all is compiled
                                     line.show(measuringText(seconds, total));
                                   }}));
  line.clear();
  return toJson(report);
}

/// What the model is compared with; null without --against.
Result<Json> againstOf(const ReportOptions& options) {
  if (options.against.empty()) return Json();
  if (options.against.ends_with(".html")) return diagnose::readReportPage(options.against);
  ModelOptions other = options.model;
  if (options.against == "unfused")
    other.noFuse = true;
  else
    other.model = options.against;
  return reportOf(options, other);
}

Result<> writeReport(const ReportOptions& options) {
  if (options.output == options.json && options.output == "-")
    return failure(ErrorCode::OptionConflict, "-o and --json cannot both be stdout");
  ENFOLD_TRY(Json report, reportOf(options, options.model));
  ENFOLD_TRY(Json against, againstOf(options));
  if (!options.json.empty()) ENFOLD_RETURN_IF_ERROR(writeJson(options.json, report));
  return options.output.empty()
             ? Result<>()
             : writeText(options.output,
                         diagnose::reportPage(std::move(report), std::move(against)));
}

} // namespace

Action addReport(CLI::App& app) {
  auto options = std::make_shared<ReportOptions>();
  options->model.add(app);
  options->model.addTune(app);
  app.add_option("-o,--output", options->output, "The page to write, - for stdout")
      ->type_name("FILE")
      ->default_val("report.html");
  app.add_option("--against", options->against,
                 "Compare with another model, with this one unfused, or with the report in a file "
                 "whose name ends in .html")
      ->type_name("WHAT");
  app.add_option("--seconds", options->seconds, "How long to measure each variant; 0: run nothing")
      ->check(CLI::Range(0.0, 86400.0));
  app.add_flag("--errors", options->errors,
               "Compare every tensor with the reference functions, which takes longer");
  app.add_option("--json", options->json, "Also write the data as JSON to this file, - for stdout")
      ->type_name("FILE");
  return [options] {
    const auto done = writeReport(*options);
    return done ? kDone : report(done.error());
  };
}

} // namespace enfold::tool
