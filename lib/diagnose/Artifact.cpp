// The annotation of a compiled file is this value as JSON.
#include "diagnose/Artifact.h"

#include "codegen/Annotation.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace enfold::diagnose {
namespace {

std::vector<TensorSpec> specsOf(std::span<const codegen::TensorInfo> tensors) {
  std::vector<TensorSpec> specs;
  for (const codegen::TensorInfo& tensor : tensors)
    specs.push_back({tensor.name, Type{static_cast<ElemType>(tensor.elem), tensor.dims, {}}});
  return specs;
}

std::vector<TensorSpec> specsFrom(const Json& json) {
  std::vector<TensorSpec> specs;
  for (const Json& tensor : json) {
    const auto elem = elemTypeByName(tensor.at("elem").get<std::string>());
    if (!elem) throw Json::other_error::create(501, "no element type has that name", &tensor);
    specs.push_back({tensor.at("name"), Type{*elem, tensor.at("shape"), {}}});
  }
  return specs;
}

/// Throws the exceptions of the JSON library.
Artifact artifactFrom(const Json& json) {
  return {.version = json.at("enfold"),
          .model = json.at("model"),
          .cpu = json.at("cpu"),
          .needs = json.at("needs"),
          .inputs = specsFrom(json.at("inputs")),
          .outputs = specsFrom(json.at("outputs")),
          .arenaBytes = json.at("arena_bytes"),
          .constantBytes = json.at("constant_bytes"),
          .calls = json.at("calls"),
          .certificates = certificatesFrom(json.at("certificates"))};
}

} // namespace

Artifact artifactOf(const std::string& model, const codegen::ProgramDesc& program,
                    const kir::Target& target, const PipelineReport& report) {
  return {.version = ENFOLD_VERSION,
          .model = std::filesystem::path(model).filename().string(), // folders are not its business
          .cpu = target.cpu,
          .needs = codegen::needsOf(program, target),
          .inputs = specsOf(program.inputs),
          .outputs = specsOf(program.outputs),
          .arenaBytes = program.arenaBytes,
          .constantBytes = static_cast<int64_t>(program.constants.size()),
          .calls = static_cast<int64_t>(program.steps.size()),
          .certificates = certificatesOf(report)};
}

Json toJson(const Artifact& artifact) {
  return {{"enfold", artifact.version},
          {"model", artifact.model},
          {"cpu", artifact.cpu},
          {"needs", artifact.needs},
          {"inputs", tensorsJson(artifact.inputs)},
          {"outputs", tensorsJson(artifact.outputs)},
          {"arena_bytes", artifact.arenaBytes},
          {"constant_bytes", artifact.constantBytes},
          {"calls", artifact.calls},
          {"certificates", toJson(artifact.certificates)}};
}

bool isArtifact(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".o" || extension == ".a" || extension == ".so";
}

Result<std::vector<Artifact>> readArtifacts(const std::filesystem::path& path) {
  ENFOLD_TRY(const std::vector<std::string> annotations, codegen::annotationsIn(path));
  std::vector<Artifact> artifacts;
  try {
    for (const std::string& annotation : annotations)
      artifacts.push_back(artifactFrom(Json::parse(annotation)));
  } catch (const Json::exception& error) {
    return failure(
        ErrorCode::DamagedFile,
        fmt::format("{}: its description of itself is damaged: {}", path.string(), error.what()));
  }
  return artifacts;
}

} // namespace enfold::diagnose
