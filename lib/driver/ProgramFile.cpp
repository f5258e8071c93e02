// The description and the parts of a program's file (driver/PartsFile.h).
#include "driver/ProgramFile.h"

#include "driver/PartsFile.h"

#include <stdexcept>

namespace enfold {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "enfold program 1";

json describe(const std::vector<codegen::TensorInfo>& tensors) {
  json list = json::array();
  for (const codegen::TensorInfo& tensor : tensors)
    list.push_back({tensor.name, static_cast<int>(tensor.elem), tensor.dims, tensor.bytes});
  return list;
}

std::vector<codegen::TensorInfo> readInfos(const json& list) {
  std::vector<codegen::TensorInfo> tensors;
  for (const json& t : list)
    tensors.push_back({t.at(0), static_cast<enfold_elem>(t.at(1).get<int>()),
                       t.at(2).get<std::vector<int64_t>>(), t.at(3)});
  return tensors;
}

json describe(const codegen::Step& step) {
  json buffers = json::array();
  for (const enfold_buffer_ref& ref : step.buffers)
    buffers.push_back({static_cast<int>(ref.space), ref.index, ref.offset});
  return {{"kernel", step.kernel},
          {"buffers", buffers},
          {"parallel", step.parallel},
          {"grain", step.grain},
          {"name", step.name},
          {"origin", step.origin},
          {"second_choice", step.secondChoice},
          {"flops", step.flops},
          {"bytes", step.bytes},
          {"multiplies", static_cast<int>(step.multiplies)},
          {"check", step.check.value_or("")},
          {"skip", step.skip}};
}

codegen::Step readStep(const json& from) {
  codegen::Step step;
  step.kernel = from.at("kernel");
  for (const json& ref : from.at("buffers"))
    step.buffers.push_back({static_cast<enfold_space>(ref.at(0).get<int>()), ref.at(1), ref.at(2)});
  step.parallel = from.at("parallel");
  step.grain = from.at("grain");
  step.name = from.at("name");
  step.origin = from.at("origin");
  step.secondChoice = from.at("second_choice");
  step.flops = from.at("flops");
  step.bytes = from.at("bytes");
  step.multiplies = static_cast<kir::Scalar>(from.at("multiplies").get<int>());
  if (const std::string check = from.at("check"); !check.empty()) step.check = check;
  step.skip = from.at("skip");
  return step;
}

json describe(const std::map<std::string, Tensor>& tensors, PartsWriter& parts) {
  json list = json::array();
  for (const auto& [name, tensor] : tensors)
    list.push_back({name, static_cast<int>(tensor.elem()), tensor.shape(),
                    parts.add({reinterpret_cast<const char*>(tensor.bytes()), tensor.numBytes()})});
  return list;
}

std::map<std::string, Tensor> readTensors(const json& list, const PartsReader& parts) {
  std::map<std::string, Tensor> tensors;
  for (const json& t : list) {
    const auto bytes = parts.get(t.at(3));
    Tensor tensor(static_cast<ElemType>(t.at(1).get<int>()), t.at(2).get<Shape>(),
                  std::shared_ptr<const std::byte>(parts.file(), bytes.data()));
    if (tensor.numBytes() != bytes.size()) throw std::out_of_range("a tensor has another size");
    tensors.emplace(t.at(0).get<std::string>(), std::move(tensor));
  }
  return tensors;
}

json describe(const std::vector<onnx::DeclaredTensor>& tensors) {
  json list = json::array();
  for (const auto& [name, type] : tensors) {
    json dims;
    if (type.dims) {
      dims = json::array();
      for (const auto& [size, symbol] : *type.dims) dims.push_back({size.value_or(-1), symbol});
    }
    list.push_back({name, static_cast<int>(type.elem), dims});
  }
  return list;
}

std::vector<onnx::DeclaredTensor> readDeclared(const json& list) {
  std::vector<onnx::DeclaredTensor> tensors;
  for (const json& t : list) {
    onnx::DeclaredTensor tensor{t.at(0), {static_cast<ElemType>(t.at(1).get<int>()), {}}};
    if (!t.at(2).is_null()) {
      tensor.type.dims.emplace();
      for (const json& dim : t.at(2)) {
        const auto size = dim.at(0).get<int64_t>();
        tensor.type.dims->push_back({size < 0 ? std::nullopt : std::optional(size), dim.at(1)});
      }
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

json describe(const onnx::Signature& s) {
  return {{"inputs", describe(s.inputs)},
          {"overridable", describe(s.overridable)},
          {"outputs", describe(s.outputs)},
          {"graph", {s.graphName, s.graphDescription}},
          {"producer", {s.producer, s.producerVersion}},
          {"domain", s.domain},
          {"description", s.description},
          {"versions", {s.modelVersion, s.irVersion}},
          {"opsets", s.opsets},
          {"metadata", s.metadata}};
}

onnx::Signature readSignature(const json& from) {
  onnx::Signature s;
  s.inputs = readDeclared(from.at("inputs"));
  s.overridable = readDeclared(from.at("overridable"));
  s.outputs = readDeclared(from.at("outputs"));
  s.graphName = from.at("graph").at(0);
  s.graphDescription = from.at("graph").at(1);
  s.producer = from.at("producer").at(0);
  s.producerVersion = from.at("producer").at(1);
  s.domain = from.at("domain");
  s.description = from.at("description");
  s.modelVersion = from.at("versions").at(0);
  s.irVersion = from.at("versions").at(1);
  s.opsets = from.at("opsets").get<std::map<std::string, int64_t>>();
  s.metadata = from.at("metadata").get<std::map<std::string, std::string>>();
  return s;
}

json describe(const CachedModel& model, PartsWriter& parts) {
  const codegen::ProgramDesc& desc = model.program.desc;
  json steps = json::array();
  for (const codegen::Step& step : desc.steps) steps.push_back(describe(step));
  return {{"key", model.key},
          {"name", desc.name},
          {"inputs", describe(desc.inputs)},
          {"outputs", describe(desc.outputs)},
          {"steps", steps},
          {"arena", desc.arenaBytes},
          {"scratch", desc.scratchBytes},
          {"code", parts.add(model.program.code)},
          {"constants", parts.add(asText(desc.constants))},
          {"defaults", describe(model.inputDefaults, parts)},
          {"bound", describe(model.boundInputs, parts)},
          {"notes", model.notes},
          {"signature", describe(model.signature)},
          {"files", model.dataFiles}};
}

CachedModel readModel(const json& from, const PartsReader& parts) {
  CachedModel model;
  codegen::ProgramDesc& desc = model.program.desc;
  model.key = from.at("key");
  desc.name = from.at("name");
  desc.inputs = readInfos(from.at("inputs"));
  desc.outputs = readInfos(from.at("outputs"));
  for (const json& step : from.at("steps")) desc.steps.push_back(readStep(step));
  desc.arenaBytes = from.at("arena");
  desc.scratchBytes = from.at("scratch");
  model.program.code = parts.code(from.at("code"));
  desc.constants = parts.get(from.at("constants"));
  desc.constantsOwner = parts.file();
  model.inputDefaults = readTensors(from.at("defaults"), parts);
  model.boundInputs = readTensors(from.at("bound"), parts);
  model.notes = from.at("notes").get<std::vector<std::string>>();
  model.signature = readSignature(from.at("signature"));
  model.dataFiles = from.at("files").get<std::map<std::string, uint64_t>>();
  return model;
}

} // namespace

Result<> writeProgram(const std::filesystem::path& path, const CachedModel& model) {
  return writeParts<CachedModel>(path, kMagic, model, describe);
}

Result<CachedModel> readProgram(const std::filesystem::path& path) {
  return readParts<CachedModel>(path, kMagic, readModel);
}

} // namespace enfold
