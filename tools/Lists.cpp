// enfold zoo, passes and ops: what there is.
#include "diagnose/SupportTable.h"
#include "onnx/Export.h"
#include "tools/Commands.h"
#include "tools/Common.h"
#include "zoo/Zoo.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace enfold::tool {
namespace {

Result<> listZoo() {
  std::vector<std::vector<std::string>> rows;
  for (const zoo::Entry& entry : zoo::entries())
    rows.push_back({std::string(entry.name), str(entry.input), std::string(entry.summary)});
  return writeText("-", table(rows));
}

Result<> writeNetwork(const std::string& name, const std::string& output) {
  ENFOLD_TRY(const auto graph, zoo::build(name));
  if (!output.ends_with(".onnx")) return usageError("zoo " + name + " needs -o FILE.onnx");
  return onnx::exportModel(*graph, output);
}

Result<> listPasses() {
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

Result<> listOps(bool markdown) {
  if (markdown) return writeText("-", diagnose::operatorsMarkdown());
  std::vector<std::vector<std::string>> rows = {{"op", "ONNX", "runs as"}};
  for (const OpInfo& row : opTable())
    rows.push_back({row.name, row.onnxName, diagnose::howItRuns(row)});
  return writeText("-", table(rows));
}

int finished(const Result<>& done) { return done ? kDone : report(done.error()); }

} // namespace

Action addZoo(CLI::App& app) {
  auto name = std::make_shared<std::string>("list");
  auto output = std::make_shared<std::string>();
  app.add_option("NAME", *name, "A network, or list");
  app.add_option("-o", *output, "The .onnx file to write");
  return [name, output] {
    if (*name == "list") return finished(listZoo());
    return finished(writeNetwork(*name, *output));
  };
}

Action addPasses(CLI::App& app) {
  auto remarks = std::make_shared<bool>(false);
  app.add_flag("--remarks", *remarks, "The reason codes, as the page of the documentation");
  return
      [remarks] { return finished(*remarks ? writeText("-", remarksMarkdown()) : listPasses()); };
}

Action addOps(CLI::App& app) {
  auto markdown = std::make_shared<bool>(false);
  app.add_flag("--markdown", *markdown, "As the page of the documentation");
  return [markdown] { return finished(listOps(*markdown)); };
}

} // namespace enfold::tool
