// enfold_network: opening models, and what they declare.
#include "capi/Handles.h"
#include "capi/Status.h"

#include <fmt/format.h>

using namespace enfold;

enfold_network::Declarations::Declarations(const std::vector<onnx::DeclaredTensor>& tensors)
    : dims_(tensors.size()) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, type] = tensors[i];
    Dims& dims = dims_[i];
    if (type.dims)
      for (const auto& [size, symbol] : *type.dims) {
        dims.sizes.push_back(size.value_or(-1));
        dims.symbols.push_back(symbol.c_str());
      }
    rows_.push_back({.name = name.c_str(),
                     .elem = static_cast<int32_t>(type.elem),
                     .rank = type.dims ? static_cast<int32_t>(dims.sizes.size()) : -1,
                     .dims = dims.sizes.data(),
                     .symbols = dims.symbols.data(),
                     .kind = static_cast<int32_t>(type.kind)});
  }
}

const enfold_declaration* enfold_network::Declarations::at(int32_t index) const {
  return index >= 0 && index < size() ? &rows_[static_cast<size_t>(index)] : nullptr;
}

enfold_network::enfold_network(std::shared_ptr<Network> opened)
    : network(std::move(opened)), inputs(network->signature().inputs),
      overridable(network->signature().overridable), outputs(network->signature().outputs) {
  const onnx::Signature& s = network->signature();
  const auto opset = s.opsets.find("");
  properties = {{"graph", s.graphName},
                {"graph description", s.graphDescription},
                {"producer", s.producer},
                {"producer version", s.producerVersion},
                {"domain", s.domain},
                {"description", s.description},
                {"version", fmt::to_string(s.modelVersion)},
                {"ir version", fmt::to_string(s.irVersion)},
                {"opset", fmt::to_string(opset == s.opsets.end() ? 0 : opset->second)}};
  metadata.assign(s.metadata.begin(), s.metadata.end());
}

namespace {

enfold_status open(ModelSource model, const Settings& settings, enfold_network** network) {
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(Network::Options options, settings.networkOptions());
    ENFOLD_TRY(auto opened, Network::open(std::move(model), std::move(options)));
    *network = new enfold_network(std::move(opened));
    return {};
  });
}

} // namespace

enfold_status enfold_open(const char* model, const enfold_settings* settings,
                          enfold_network** network) {
  if (!network) return capi::fail(ENFOLD_INVALID_ARGUMENT, "nowhere to put the network");
  *network = nullptr;
  if (!model) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no model");
  std::error_code error;
  const ModelSource source(model);
  if (!source.isZoo() && !std::filesystem::exists(source.name, error))
    return capi::fail(ENFOLD_NO_SUCH_FILE, fmt::format("{}: no such file", model));
  return open(source, settings ? settings->settings : Settings(), network);
}

enfold_status enfold_open_bytes(const void* bytes, int64_t size, const enfold_settings* settings,
                                enfold_network** network) {
  if (!network) return capi::fail(ENFOLD_INVALID_ARGUMENT, "nowhere to put the network");
  *network = nullptr;
  if (size < 0 || (!bytes && size > 0))
    return capi::fail(ENFOLD_INVALID_ARGUMENT, fmt::format("no model of {} bytes", size));
  return capi::guarded([&] {
    const Settings how = settings ? settings->settings : Settings();
    std::string copy(static_cast<const char*>(bytes), static_cast<size_t>(size));
    return open(ModelSource::inMemory(std::move(copy), how.dataFolder), how, network);
  });
}

void enfold_close(enfold_network* network) { delete network; }

int32_t enfold_num_inputs(const enfold_network* network) {
  return network ? network->inputs.size() : 0;
}
int32_t enfold_num_overridable(const enfold_network* network) {
  return network ? network->overridable.size() : 0;
}
int32_t enfold_num_outputs(const enfold_network* network) {
  return network ? network->outputs.size() : 0;
}

const enfold_declaration* enfold_declared_input(const enfold_network* network, int32_t index) {
  return network ? network->inputs.at(index) : nullptr;
}
const enfold_declaration* enfold_declared_overridable(const enfold_network* network,
                                                      int32_t index) {
  return network ? network->overridable.at(index) : nullptr;
}
const enfold_declaration* enfold_declared_output(const enfold_network* network, int32_t index) {
  return network ? network->outputs.at(index) : nullptr;
}

const char* enfold_model_property(const enfold_network* network, const char* name) {
  if (!network || !name) return nullptr;
  const auto found = network->properties.find(name);
  return found == network->properties.end() ? nullptr : found->second.c_str();
}

const char* enfold_metadata_key(const enfold_network* network, int32_t index) {
  if (!network || index < 0 || static_cast<size_t>(index) >= network->metadata.size())
    return nullptr;
  return network->metadata[static_cast<size_t>(index)].first.c_str();
}

const char* enfold_metadata_value(const enfold_network* network, int32_t index) {
  if (!network || index < 0 || static_cast<size_t>(index) >= network->metadata.size())
    return nullptr;
  return network->metadata[static_cast<size_t>(index)].second.c_str();
}

int64_t enfold_num_compilations(const enfold_network* network) {
  return network ? network->network->compilations() : 0;
}
