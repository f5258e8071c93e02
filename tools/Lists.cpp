// enfold zoo, passes and ops: list what enfold knows.
#include "diagnose/SupportTable.h"
#include "driver/ZooFile.h"
#include "support/ErrorCodes.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "zoo/Zoo.h"

#include <CLI/App.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace enfold::tool {
namespace {

Result<> listZoo(const std::string& json) {
  if (!json.empty()) {
    diagnose::Json networks = diagnose::Json::array();
    for (const zoo::Entry& entry : zoo::entries())
      networks.push_back(
          {{"name", entry.name}, {"input", entry.input}, {"summary", entry.summary}});
    return writeJson(json, {{"version", 1}, {"networks", std::move(networks)}});
  }
  std::vector<std::vector<std::string>> rows;
  for (const zoo::Entry& entry : zoo::entries())
    rows.push_back({std::string(entry.name), str(entry.input), std::string(entry.summary)});
  return writeText("-", table(rows));
}

Result<> writeNetwork(const std::string& name, const std::string& output) {
  ENFOLD_TRY(const zoo::Entry* entry, zoo::find(name));
  if (output != "-" && !output.ends_with(".onnx"))
    return failure(ErrorCode::BadValue, "zoo " + name + " needs -o FILE.onnx");
  ENFOLD_TRY(const auto graph, zoo::build(name));
  return saveModel(*graph, output, zooExportOptions(*entry, *graph));
}

Result<> listPasses(const std::string& json) {
  if (!json.empty()) {
    diagnose::Json passes = diagnose::Json::array(), reasons = diagnose::Json::array();
    for (const PassInfo& pass : passTable())
      passes.push_back({{"name", pass.name}, {"summary", pass.summary}});
    for (const ReasonInfo& reason : reasonTable())
      reasons.push_back({{"code", reason.code}, {"meaning", reason.explanation}});
    return writeJson(json, {{"version", 1},
                            {"passes", std::move(passes)},
                            {"pipeline", defaultPipeline().str()},
                            {"reasons", std::move(reasons)}});
  }
  std::vector<std::vector<std::string>> rows;
  for (const PassInfo& pass : passTable())
    rows.push_back({std::string(pass.name), std::string(pass.summary)});
  return writeText("-", table(rows) + "\ndefault pipeline: " + defaultPipeline().str() + "\n");
}

/// The page on remarks of the documentation.
std::string remarksMarkdown() {
  std::string text =
      "# Remarks\n\n"
      "<!-- Written by `enfold passes --remarks` from passes/Reasons.def; not by hand. -->\n\n"
      "Every pass reports each candidate as applied or refused, with a reason code and a sentence "
      "on the case.\n`enfold explain MODEL` shows them. Codes never change their meaning, so "
      "scripts and gates may match them.\n\n| code | meaning |\n|---|---|\n";
  for (const ReasonInfo& row : reasonTable())
    text += fmt::format("| `{}` | {} |\n", row.code, row.explanation);
  return text;
}

/// The page on operators of the documentation.
std::string operatorsMarkdown(const diagnose::SupportTable& support) {
  std::string text = fmt::format(
      "# Operators\n\n"
      "<!-- Written by `enfold ops --markdown`; not by hand. -->\n\n"
      "The supported operators of ONNX, opsets {} to {}. *float* is f16, bf16, f32 and f64; *int* "
      "is all integers of 8 to 64 bits. Computations on constants\nare folded away, whatever the "
      "operator. An op that no generated kernel can take runs as its reference function; `enfold "
      "explain MODEL` says why.\n\n"
      "| operator | opsets | element types | runs as |\n|---|---|---|---|\n",
      support.oldestOpset, support.newestOpset);
  for (const diagnose::OperatorSupport& row : support.operators)
    text += fmt::format("| {} | {} | {} | {} |\n", row.name, row.opsets, row.elemTypes, row.runsAs);
  return text + fmt::format("\nRewritten as other operators when a model is imported: {}.\n"
                            "\nFrom the domain ai.onnx.ml, without strings: {}.\n"
                            "\nFrom the domain com.microsoft: {}.\n"
                            "\nFrom the domain com.microsoft.nchwc: {}.\n",
                            fmt::join(support.rewritten, ", "), fmt::join(support.ml, ", "),
                            fmt::join(support.microsoft, ", "), fmt::join(support.nchwc, ", "));
}

struct OpsOptions {
  bool markdown = false;
  std::string json;
};

Result<> listOps(const OpsOptions& options) {
  if (options.markdown) return writeText("-", operatorsMarkdown(diagnose::supportTable()));
  if (!options.json.empty()) return writeJson(options.json, toJson(diagnose::supportTable()));
  std::vector<std::vector<std::string>> rows = {{"op", "ONNX", "runs as"}};
  for (const OpInfo& row : opTable())
    rows.push_back({row.name, row.onnxName, diagnose::howItRuns(row)});
  return writeText("-", table(rows));
}

int finished(const Result<>& done) { return done ? kDone : report(done.error()); }

} // namespace

Action addZoo(CLI::App& app) {
  struct Options {
    std::string name = "list", output, json;
  };
  auto options = std::make_shared<Options>();
  app.add_option("NAME", options->name, "A network to write, or list");
  app.add_option("-o,--output", options->output, "The .onnx file to write, - for stdout")
      ->type_name("FILE");
  addJson(app, options->json);
  return [options] {
    const bool isList = options->name == "list";
    if (isList && !options->output.empty())
      return finished(failure(ErrorCode::OptionConflict, "-o goes with the name of a network"));
    if (!isList && !options->json.empty())
      return finished(failure(ErrorCode::OptionConflict, "--json goes with the list of networks"));
    return finished(isList ? listZoo(options->json) : writeNetwork(options->name, options->output));
  };
}

Action addPasses(CLI::App& app) {
  struct Options {
    bool remarks = false;
    std::string json;
  };
  auto options = std::make_shared<Options>();
  app.add_flag("--remarks", options->remarks,
               "Print the reason codes as a page of the documentation");
  addJson(app, options->json);
  return [options] {
    return finished(options->remarks ? writeText("-", remarksMarkdown())
                                     : listPasses(options->json));
  };
}

Action addOps(CLI::App& app) {
  auto options = std::make_shared<OpsOptions>();
  app.add_flag("--markdown", options->markdown, "Print as a page of the documentation");
  app.add_option("--json", options->json,
                 "Write opsets, element types and kernels as JSON to this file, - for stdout")
      ->type_name("FILE");
  return [options] { return finished(listOps(*options)); };
}

} // namespace enfold::tool
