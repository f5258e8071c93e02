// Networks of 8-bit integers.
#include "quantize/Quantize.h"

#include "capi/Handles.h"
#include "capi/Status.h"
#include "onnx/Export.h"
#include "quantize/OpenSizes.h"
#include "quantize/Prepare.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace enfold;

namespace {

/// The inputs of all samples, one sample behind the other.
struct GivenSamples {
  const enfold_tensor* tensors;
  int32_t inputs;
  int64_t count;

  Result<std::vector<NamedTensor>> at(size_t i) const {
    return capi::tensorsOf(tensors + i * static_cast<size_t>(inputs), inputs);
  }
};

Result<quantize::Options> optionsOf(const enfold_quantize_options& given, const Network& network) {
  quantize::Options how{.equalize = given.no_equalize == 0,
                        .correctBiases = given.no_bias_correction == 0,
                        .weights = given.reduce_range != 0 ? quantize::WeightRange::Reduced
                                                           : quantize::WeightRange::Full,
                        .quantizeOutputs = given.quantize_outputs != 0,
                        .run = {capi::optionsAlone(network), network.options().session}};
  if (given.percentile != 0) how.percent = given.percentile;
  const std::string_view method = given.method ? given.method : "auto";
  if (method != "auto") {
    how.method = quantize::methodOf(method);
    if (!how.method)
      return failure(ErrorCode::BadValue,
                     fmt::format("'{}' is not auto, minmax, percentile or mse", method));
  }
  if (!(how.percent >= 50 && how.percent <= 100))
    return failure(ErrorCode::BadValue,
                   fmt::format("the percentile must be 50 to 100, not {}", how.percent));
  if (given.max_loss > 0) how.leastSignal = given.max_loss;
  if (given.num_excluded < 0 || (given.num_excluded > 0 && !given.excluded) ||
      given.num_labels < 0 || (given.num_labels > 0 && !given.labels))
    return usageError("the list of excluded nodes or of labels is null");
  how.excluded = {given.excluded, given.excluded + given.num_excluded};
  how.labels = {given.labels, given.labels + given.num_labels};
  return how;
}

/// The tensors of a sample in the order of the graph's inputs.
Result<std::vector<Tensor>> arranged(const LoadedModel& model, const GivenSamples& given,
                                     size_t number) {
  ENFOLD_TRY(const auto named, given.at(number));
  ENFOLD_TRY(auto tensors,
             arrange(inputsOf(*model.graph), model.inputDefaults, model.boundInputs, named));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Value& input = *model.graph->inputs()[i];
    if (tensors[i].type() != input.type())
      return failure(ErrorCode::WrongInput,
                     fmt::format("input '{}' must be {}, not {} as in sample {}", input.name(),
                                 input.type().str(), tensors[i].type().str(), number));
  }
  return tensors;
}

int64_t rowsOf(const LoadedModel& model, int64_t samples) {
  const auto inputs = model.graph->inputs();
  const bool hasRows = !inputs.empty() && !inputs[0]->shape().empty();
  return samples * (hasRows ? inputs[0]->shape()[0] : 1);
}

Result<std::string> quantizeTo(const Network& network, const GivenSamples& given,
                               const std::filesystem::path& path,
                               const enfold_quantize_options& options) {
  if (path.extension() != ".onnx")
    return failure(ErrorCode::BadValue,
                   fmt::format("{}: the name must end in .onnx", path.string()));
  if (given.inputs < 0 || given.count < 1 || !given.tensors)
    return usageError("there are no samples to calibrate with");
  ENFOLD_TRY(quantize::Options how, optionsOf(options, network));
  ENFOLD_TRY(const auto first, given.at(0));
  ENFOLD_TRY(const LoadedModel model, network.load(first));
  if (const int64_t rows = rowsOf(model, given.count);
      !how.labels.empty() && static_cast<int64_t>(how.labels.size()) != rows)
    return failure(ErrorCode::WrongInput,
                   fmt::format("{} labels for {} rows of samples", how.labels.size(), rows));
  const auto& interrupted = how.run.compile.interrupted;
  const quantize::Samples samples{
      static_cast<size_t>(given.count), [&](size_t i) -> Result<std::vector<Tensor>> {
        if (interrupted && interrupted())
          return std::unexpected(Error(ErrorKind::Stopped, "calibration was interrupted"));
        return arranged(model, given, i);
      }};
  ENFOLD_TRY(const quantize::Quantized quantized, quantize::quantize(*model.graph, samples, how));
  const auto load = [&](const LoadOptions& other) {
    return loadModelFor(network.model(), {}, other);
  };
  const auto prepare = [&](const Graph& loaded) {
    return quantize::prepared(loaded, how.run.compile);
  };
  ENFOLD_RETURN_IF_ERROR(onnx::exportModel(
      *quantized.graph, path,
      {.inputDefaults = model.inputDefaults,
       .openTypes = quantize::openSizes(model, network.options().load, load, prepare).types}));
  return diagnose::jsonText(toJson(quantized.report));
}

} // namespace

enfold_status enfold_quantize(enfold_network* network, const enfold_tensor* samples,
                              int32_t num_inputs, int64_t num_samples, const char* path,
                              const enfold_quantize_options* options, char** json) {
  if (!path) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no path");
  return capi::giveJson(network, json, [&](const Network& opened) {
    return quantizeTo(opened, {samples, num_inputs, num_samples}, path,
                      options ? *options : enfold_quantize_options{});
  });
}
