// Networks compiled ahead of time: writing them to files, and opening those.
#include "capi/Handles.h"
#include "capi/Status.h"
#include "diagnose/SaveProgram.h"
#include "driver/NativeProgram.h"
#include "lower/Lowering.h"

#include <fmt/format.h>

using namespace enfold;

namespace {

std::string textOr(const char* text, const std::string& otherwise) {
  return text ? text : otherwise;
}

Result<> save(const Network& network, std::span<const NamedTensor> inputs, const char* path,
              const enfold_save_options& options) {
  const diagnose::NativeOutput output = {
      .file = path,
      .header = textOr(options.header, ""),
      .symbol = textOr(options.name, symbolOf(network.model().stem()))};
  ENFOLD_RETURN_IF_ERROR(diagnose::checkOutput(output));
  CompileOptions how = network.options().compile;
  how.cpu = textOr(options.cpu, how.cpu);
  ENFOLD_TRY(const codegen::Target target, targetOf(how));
  ENFOLD_TRY(LoadedModel model, network.load(inputs));
  ENFOLD_TRY(const PipelineReport report, optimize(*model.graph, how, target));
  ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*model.graph, target));
  ENFOLD_RETURN_IF_ERROR(checkMemory(nativeMemoryNeeds(*model.graph, plan), how.memory));
  model.graph->forgetConstants();
  return diagnose::saveProgram(output, network.model().name, plan, target, report);
}

} // namespace

enfold_status enfold_save(enfold_network* network, const enfold_tensor* inputs, int32_t num_inputs,
                          const char* path, const enfold_save_options* options) {
  if (!network || !path) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no network or no path");
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(const auto tensors, capi::tensorsOf(inputs, num_inputs));
    return save(*network->network, tensors, path, options ? *options : enfold_save_options{});
  });
}

enfold_status enfold_load(const char* library, const enfold_settings* settings,
                          enfold_network** network) {
  if (!network) return capi::fail(ENFOLD_INVALID_ARGUMENT, "nowhere to put the network");
  *network = nullptr;
  if (!library) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no library");
  std::error_code error;
  if (!std::filesystem::exists(library, error))
    return capi::fail(ENFOLD_NO_SUCH_FILE, fmt::format("{}: no such file", library));
  return capi::guarded([&]() -> Result<> {
    const Settings how = settings ? settings->settings : Settings();
    ENFOLD_TRY(Network::Options options, how.networkOptions());
    ENFOLD_TRY(auto opened, Network::openLibrary(library, std::move(options)));
    *network = new enfold_network(std::move(opened));
    return {};
  });
}
