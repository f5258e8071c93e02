// What compile writes into files and inspect reads out of them: JSON.
#include "tools/Artifact.h"

#include "codegen/Annotation.h"
#include "tools/Certificates.h"
#include "tools/Common.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace enfold::tool {

using nlohmann::ordered_json;

namespace {

ordered_json tensorsJson(const std::vector<codegen::TensorInfo>& tensors) {
  ordered_json json = ordered_json::array();
  for (const codegen::TensorInfo& tensor : tensors)
    json.push_back({{"name", tensor.name},
                    {"elem", name(static_cast<ElemType>(tensor.elem))},
                    {"shape", tensor.dims}});
  return json;
}

std::string tensorsText(const char* role, const ordered_json& tensors) {
  std::string out;
  for (const ordered_json& tensor : tensors)
    out += fmt::format("  {:6}  {}: {}[{}]\n", role, tensor.at("name").get<std::string>(),
                       tensor.at("elem").get<std::string>(),
                       fmt::join(tensor.at("shape").get<std::vector<int64_t>>(), ","));
  return out;
}

std::string artifactText(const ordered_json& json) {
  std::string out =
      fmt::format("  made by enfold {} from {} for {}\n", json.at("enfold").get<std::string>(),
                  json.at("model").get<std::string>(), json.at("cpu").get<std::string>());
  out += tensorsText("input", json.at("inputs")) + tensorsText("output", json.at("outputs"));
  out += fmt::format("  memory      arena {}, constants {}, {} calls\n",
                     humanBytes(json.at("arena_bytes").get<double>()),
                     humanBytes(json.at("constant_bytes").get<double>()),
                     json.at("calls").get<int64_t>());
  const ordered_json& certificates = json.at("certificates");
  if (certificates.empty()) return out + "  folds       none\n";
  return out + "  folds       " + summaryOf(certificates) + "\n" + tableOf(certificates);
}

} // namespace

std::string artifactJson(const std::string& model, const codegen::ProgramDesc& program,
                         const kir::Target& target, const PipelineReport& report) {
  return jsonText(
      {{"enfold", ENFOLD_VERSION},
       {"model", std::filesystem::path(model).filename()}, // files do not depend on folders
       {"cpu", target.cpu},
       {"needs", target.needs},
       {"inputs", tensorsJson(program.inputs)},
       {"outputs", tensorsJson(program.outputs)},
       {"arena_bytes", program.arenaBytes},
       {"constant_bytes", program.constants.size()},
       {"calls", program.steps.size()},
       {"certificates", certificatesOf(report)}});
}

bool isArtifact(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".o" || extension == ".a" || extension == ".so";
}

Result<> inspectArtifact(const std::filesystem::path& path, const std::string& json) {
  ENFOLD_TRY(const std::vector<std::string> annotations, codegen::annotationsIn(path));
  ordered_json all = ordered_json::array();
  std::string text = path.string() + "\n";
  try {
    for (const std::string& annotation : annotations) {
      all.push_back(ordered_json::parse(annotation));
      text += artifactText(all.back());
    }
  } catch (const ordered_json::exception& error) {
    return invalid(
        fmt::format("{}: what it tells about itself is damaged: {}", path.string(), error.what()));
  }
  if (json != "-") ENFOLD_RETURN_IF_ERROR(writeText("-", text));
  return json.empty() ? Result<>() : writeJson(json, all);
}

} // namespace enfold::tool
