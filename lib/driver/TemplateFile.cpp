// Numbers of kernels are parts of the file, as they are in memory.
#include "driver/TemplateFile.h"

#include "driver/PartsFile.h"

#include <stdexcept>

namespace enfold {
namespace {

using codegen::KernelStore;
using nlohmann::json;

constexpr std::string_view kMagic = "enfold kernels 1";

json describe(const AlgorithmPins::Choice& choice) {
  json pins = json::array(), results = json::array();
  for (const auto& [op, algorithm] : choice.pins) pins.push_back({op, algorithm});
  for (const auto& [op, layout] : choice.results) results.push_back({op, layout.block});
  return {{"sizes", choice.sizes}, {"pins", pins}, {"results", results}};
}

AlgorithmPins::Choice readChoice(const json& from) {
  AlgorithmPins::Choice choice{.sizes = from.at("sizes"), .pins = {}, .results = {}};
  for (const json& pin : from.at("pins")) choice.pins.push_back({pin.at(0), pin.at(1)});
  for (const json& result : from.at("results"))
    choice.results.emplace(result.at(0).get<std::string>(), Layout{result.at(1).get<int>()});
  return choice;
}

json describe(const kir::Parameters& parameters, PartsWriter& parts) {
  return {parts.add(parameters.numbers()), parts.add(parameters.sources())};
}

kir::Parameters readParameters(const json& from, const PartsReader& parts, size_t count) {
  auto numbers = parts.items<kir::Parameters::Number>(from.at(0));
  auto sources = parts.items<size_t>(from.at(1));
  bool fits = numbers.size() == count;
  for (const size_t source : sources) fits &= source < count;
  for (const auto& [parameter, offset] : numbers)
    fits &= parameter < static_cast<int64_t>(sources.size());
  if (!fits) throw std::out_of_range("parameters do not fit their kernel");
  return {std::move(numbers), std::move(sources)};
}

json describe(const KernelStore::Stored& one, PartsWriter& parts) {
  return {{"origin", one.origin},
          {"needed", describe(one.needed, parts)},
          {"parameters", describe(one.parameters, parts)},
          {"shape", parts.add(one.first.shape)},
          {"hash", one.first.hash},
          {"numbers", parts.add(one.first.numbers)},
          {"groups", parts.add(one.first.groups)},
          {"code", {one.code, one.function}}};
}

KernelStore::Stored readStored(const json& from, const PartsReader& parts,
                               const KernelStore::Contents& contents) {
  KernelStore::Stored one{.origin = from.at("origin"),
                          .needed = {},
                          .parameters = {},
                          .first = {.shape = std::string(asText(parts.get(from.at("shape")))),
                                    .hash = from.at("hash"),
                                    .numbers = parts.items<int64_t>(from.at("numbers")),
                                    .groups = parts.items<int32_t>(from.at("groups"))},
                          .code = from.at("code").at(0),
                          .function = from.at("code").at(1)};
  const size_t count = one.first.numbers.size();
  one.needed = readParameters(from.at("needed"), parts, count);
  one.parameters = readParameters(from.at("parameters"), parts, count);
  if (one.first.groups.size() != count || one.code >= contents.codes.size() ||
      one.function >= contents.codes[one.code]->machineCode().functions.size())
    throw std::out_of_range("a kernel is not there");
  return one;
}

json describe(const CachedTemplates& templates, PartsWriter& parts) {
  json codes = json::array(), kernels = json::array();
  for (const auto& code : templates.kernels.codes) codes.push_back(parts.add(code->machineCode()));
  for (const auto& one : templates.kernels.templates) kernels.push_back(describe(one, parts));
  return {{"key", templates.key},
          {"name", templates.name},
          {"algorithms", describe(templates.algorithms)},
          {"codes", codes},
          {"kernels", kernels}};
}

CachedTemplates readAll(const json& from, const PartsReader& parts) {
  CachedTemplates templates{.key = from.at("key"),
                            .name = from.at("name"),
                            .algorithms = readChoice(from.at("algorithms")),
                            .kernels = {}};
  for (const json& one : from.at("codes"))
    templates.kernels.codes.push_back(std::make_shared<const codegen::KernelCode>(parts.code(one)));
  for (const json& one : from.at("kernels"))
    templates.kernels.templates.push_back(readStored(one, parts, templates.kernels));
  return templates;
}

} // namespace

Result<> writeTemplates(const std::filesystem::path& path, const CachedTemplates& templates) {
  return writeParts<CachedTemplates>(path, kMagic, templates, describe);
}

Result<CachedTemplates> readTemplates(const std::filesystem::path& path) {
  return readParts<CachedTemplates>(path, kMagic, readAll);
}

} // namespace enfold
