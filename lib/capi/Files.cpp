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

/// For `numSizes` lists of inputs, one after the other.
Result<> save(const Network& network, std::span<const NamedTensor> inputs, size_t numSizes,
              diagnose::NativeFileWriter::Sizes sizes, const char* path,
              const enfold_save_options& options) {
  CompileOptions how = network.options().compile;
  how.cpu = textOr(options.cpu, how.cpu);
  // Convolutions of one algorithm have weights of one form.
  if (sizes == diagnose::NativeFileWriter::Sizes::Several && !how.pins)
    how.pins = std::make_shared<AlgorithmPins>();
  ENFOLD_TRY(const codegen::Target target, targetOf(how));
  ENFOLD_TRY(auto file, diagnose::NativeFileWriter::create(
                            {.file = path,
                             .header = textOr(options.header, ""),
                             .symbol = textOr(options.name, symbolOf(network.model().stem()))},
                            network.model().name, target, sizes));
  const size_t each = inputs.size() / numSizes;
  for (size_t i = 0; i < numSizes; ++i) {
    ENFOLD_TRY(LoadedModel model, network.load(inputs.subspan(i * each, each)));
    ENFOLD_TRY(const PipelineReport report, optimize(*model.graph, how, target));
    ENFOLD_TRY(lower::Plan plan, lower::lowerGraph(*model.graph, target));
    ENFOLD_RETURN_IF_ERROR(checkMemory(nativeMemoryNeeds(*model.graph, plan), how.memory));
    model.graph->forgetConstants();
    ENFOLD_RETURN_IF_ERROR(file.add(model, plan, report));
  }
  return file.write();
}

enfold_status saveAny(enfold_network* network, const enfold_tensor* inputs, int64_t numInputs,
                      int32_t numSizes, diagnose::NativeFileWriter::Sizes sizes, const char* path,
                      const enfold_save_options* options) {
  if (!network || !path) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no network or no path");
  if (numSizes < 1) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no sizes to compile for");
  if (numInputs < 0 || numInputs > INT32_MAX / numSizes)
    return capi::fail(ENFOLD_INVALID_ARGUMENT, fmt::format("{} inputs", numInputs));
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(const auto tensors,
               capi::tensorsOf(inputs, static_cast<int32_t>(numInputs * numSizes)));
    return save(*network->network, tensors, static_cast<size_t>(numSizes), sizes, path,
                options ? *options : enfold_save_options{});
  });
}

} // namespace

enfold_status enfold_save(enfold_network* network, const enfold_tensor* inputs, int32_t num_inputs,
                          const char* path, const enfold_save_options* options) {
  return saveAny(network, inputs, num_inputs, 1, diagnose::NativeFileWriter::Sizes::One, path,
                 options);
}

enfold_status enfold_save_sizes(enfold_network* network, const enfold_tensor* inputs,
                                int32_t num_inputs, int32_t num_sizes, const char* path,
                                const enfold_save_options* options) {
  return saveAny(network, inputs, num_inputs, num_sizes, diagnose::NativeFileWriter::Sizes::Several,
                 path, options);
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
