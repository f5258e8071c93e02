// The file: a header, a description in CBOR (RFC 8949), and the parts it refers to by offset, size
// and checksum, each aligned for kernels to read it in place.
#include "driver/ProgramFile.h"

#include "onnx/RegularFile.h"
#include "support/ErrorCodes.h"
#include "support/Hash.h"
#include "support/NewFile.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <stdexcept>

namespace enfold {
namespace {

using nlohmann::json;

constexpr size_t kAlignment = 64;

struct Header {
  char magic[16] = {'e', 'n', 'f', 'o', 'l', 'd', ' ', 'p', 'r', 'o', 'g', 'r', 'a', 'm', ' ', '1'};
  uint64_t descriptionBytes = 0;
  uint64_t descriptionHash = 0;
  char unused[32] = {};
};
static_assert(sizeof(Header) == kAlignment);

size_t aligned(size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

std::string_view asText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Collects parts; offsets count from the end of the description.
class PartsWriter {
public:
  json add(std::string_view bytes) {
    const size_t offset = size_;
    parts_.push_back(bytes);
    size_ = aligned(size_ + bytes.size());
    return {offset, bytes.size(), hashLarge(bytes.data(), bytes.size())};
  }
  Result<> writeTo(NewFile& file) const {
    for (const std::string_view part : parts_) {
      ENFOLD_RETURN_IF_ERROR(file.append(part));
      ENFOLD_RETURN_IF_ERROR(file.append(std::string(aligned(part.size()) - part.size(), '\0')));
    }
    return {};
  }

private:
  std::vector<std::string_view> parts_;
  size_t size_ = 0;
};

class PartsReader {
public:
  PartsReader(std::shared_ptr<const std::byte> file, size_t begin, size_t end)
      : file_(std::move(file)), begin_(begin), size_(end - begin) {}

  std::span<const std::byte> get(const json& part) const {
    const auto offset = part.at(0).get<size_t>(), size = part.at(1).get<size_t>();
    if (offset > size_ || size > size_ - offset) throw std::out_of_range("it is cut short");
    const std::byte* bytes = file_.get() + begin_ + offset;
    if (hashLarge(bytes, size) != part.at(2).get<uint64_t>())
      throw std::runtime_error("a checksum does not match");
    return {bytes, size};
  }
  const std::shared_ptr<const std::byte>& file() const { return file_; }

private:
  std::shared_ptr<const std::byte> file_;
  size_t begin_, size_;
};

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

json describe(const codegen::MachineCode& code, PartsWriter& parts) {
  json objects = json::array(), functions = json::array();
  for (const std::string& object : code.objects) objects.push_back(parts.add(object));
  for (const auto& [symbol, iterations] : code.functions) functions.push_back({symbol, iterations});
  return {{"objects", objects}, {"functions", functions}};
}

codegen::MachineCode readCode(const json& from, const PartsReader& parts) {
  codegen::MachineCode code;
  for (const json& object : from.at("objects"))
    code.objects.emplace_back(asText(parts.get(object)));
  for (const json& f : from.at("functions")) code.functions.push_back({f.at(0), f.at(1)});
  return code;
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
          {"code", describe(model.program.code, parts)},
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
  model.program.code = readCode(from.at("code"), parts);
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
  PartsWriter parts;
  std::vector<uint8_t> cbor = json::to_cbor(describe(model, parts));
  Header header;
  header.descriptionBytes = cbor.size();
  header.descriptionHash = hashLarge(cbor.data(), cbor.size());
  cbor.resize(aligned(cbor.size()));
  ENFOLD_TRY(NewFile file, NewFile::create(path));
  ENFOLD_RETURN_IF_ERROR(file.append({reinterpret_cast<const char*>(&header), sizeof header}));
  ENFOLD_RETURN_IF_ERROR(file.append({reinterpret_cast<const char*>(cbor.data()), cbor.size()}));
  ENFOLD_RETURN_IF_ERROR(parts.writeTo(file));
  return file.commit();
}

Result<CachedModel> readProgram(const std::filesystem::path& path) {
  const auto damaged = [&](const char* how) {
    return failure(ErrorCode::DamagedFile,
                   fmt::format("{}: not a program of the cache: {}", path.string(), how));
  };
  ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
  const auto size = static_cast<size_t>(file.size());
  Header header;
  if (size < sizeof header) return damaged("it is cut short");
  ENFOLD_TRY(const auto bytes, file.map());
  std::memcpy(&header, bytes.get(), sizeof header);
  if (std::memcmp(header.magic, Header{}.magic, sizeof header.magic) != 0)
    return damaged("it does not start with the magic number");
  const std::byte* description = bytes.get() + sizeof header;
  if (header.descriptionBytes > size - sizeof header) return damaged("it is cut short");
  if (hashLarge(description, header.descriptionBytes) != header.descriptionHash)
    return damaged("a checksum does not match");
  const size_t begin = std::min(size, sizeof header + aligned(header.descriptionBytes));
  const auto* cbor = reinterpret_cast<const uint8_t*>(description);
  try {
    return readModel(json::from_cbor(cbor, cbor + header.descriptionBytes),
                     PartsReader(bytes, begin, size));
  } catch (const std::exception& wrong) {
    return damaged(wrong.what());
  }
}

} // namespace enfold
