// Reports on networks as JSON.
#include "capi/Handles.h"
#include "capi/Status.h"
#include "diagnose/Artifact.h"
#include "diagnose/Bench.h"
#include "diagnose/Diff.h"
#include "diagnose/Explain.h"
#include "diagnose/Inspect.h"
#include "diagnose/Report.h"
#include "diagnose/ReportPage.h"
#include "support/ErrorCodes.h"
#include "support/NewFile.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstring>

using namespace enfold;
using diagnose::Json;

namespace {

/// Gives the text of what `make(network, inputs)` returns.
template <typename Make>
enfold_status report(enfold_network* network, const enfold_tensor* inputs, int32_t num_inputs,
                     char** json, Make&& make) {
  return capi::giveJson(network, json, [&](Network& opened) -> Result<std::string> {
    ENFOLD_TRY(const auto tensors, capi::tensorsOf(inputs, num_inputs));
    ENFOLD_TRY(const Json made, make(opened, tensors));
    return diagnose::jsonText(made);
  });
}

using Inputs = std::span<const NamedTensor>;

Result<Json> explain(const Network& network, Inputs inputs, bool measureFolds) {
  ENFOLD_TRY(LoadedModel model, network.load(inputs, true));
  ENFOLD_TRY(auto explanation,
             diagnose::explain(network.model().name, std::move(model.graph),
                               network.options().compile, {.measureFolds = measureFolds}));
  explanation.decided = std::move(model.remainder.decided);
  return toJson(explanation);
}

Result<Json> inspect(const Network& network, Inputs inputs) {
  const std::string& name = network.model().name;
  if (network.isLibrary()) {
    ENFOLD_TRY(const auto artifacts, diagnose::readArtifacts(name));
    return toJson(artifacts.front());
  }
  ENFOLD_TRY(LoadedModel model, network.load(inputs, true));
  ENFOLD_TRY(auto inspection,
             diagnose::inspect(name, std::move(model.graph), network.options().compile));
  inspection.decided = std::move(model.remainder.decided);
  return toJson(inspection);
}

Result<Json> profile(Network& network, Inputs inputs, double seconds) {
  if (!(seconds > 0) || std::isinf(seconds))
    return failure(ErrorCode::BadValue, "the seconds to measure must be more than 0");
  ENFOLD_TRY(const auto program, network.programFor(inputs));
  if (program->isStaged())
    return unsupported("data decide sizes of the model, so it has no single program to measure");
  ENFOLD_TRY(const auto report, diagnose::bench({.model = network.model().name,
                                                 .executable = program->sessions->executable(),
                                                 .session = network.options().session,
                                                 .seconds = seconds,
                                                 .profile = true}));
  return toJson(report);
}

Result<diagnose::Tensors> expectedTensors(const Network& network, const Graph& model,
                                          std::span<const Tensor> inputs,
                                          const enfold_diff_options& options) {
  if (!options.against) {
    ENFOLD_TRY(const auto given, capi::tensorsOf(options.expected, options.num_expected));
    diagnose::Tensors tensors;
    for (const auto& [name, tensor] : given) {
      if (!model.find(name))
        return failure(ErrorCode::UnknownName, "the model has no tensor '" + name + "'");
      tensors.emplace(name, tensor);
    }
    return tensors;
  }
  const std::string_view against = options.against;
  if (against == "reference") return diagnose::referenceTensors(model, inputs);
  if (against == "unfused")
    return diagnose::unfusedTensors(model, inputs, capi::optionsAlone(network),
                                    network.options().session);
  if (against == "onnxruntime") return diagnose::onnxRuntimeTensors(model, inputs);
  return failure(ErrorCode::BadValue,
                 "'" + std::string(against) + "' is not reference, unfused or onnxruntime");
}

Result<Json> diff(const Network& network, Inputs given, const enfold_diff_options& options) {
  ENFOLD_TRY(const LoadedModel model, network.load(given));
  ENFOLD_TRY(const std::vector<Tensor> inputs,
             arrange(inputsOf(*model.graph), model.inputDefaults, model.boundInputs, given));
  ENFOLD_TRY(const auto expected, expectedTensors(network, *model.graph, inputs, options));
  const auto tolerance = [](double value) {
    return value >= 0 ? std::optional(value) : std::nullopt;
  };
  ENFOLD_TRY(const auto diff,
             diagnose::diff({.name = network.model().name,
                             .model = *model.graph,
                             .inputs = inputs,
                             .against = options.against ? options.against : "tensors given",
                             .expected = expected,
                             .compile = network.options().compile,
                             .session = network.options().session,
                             .rtol = tolerance(options.rtol),
                             .atol = tolerance(options.atol),
                             .fusedAway = options.fused_away != 0}));
  return toJson(diff);
}

Result<> writePage(const Network& network, Inputs inputs, const char* path,
                   const enfold_report_options& options) {
  if (!(options.seconds >= 0) || std::isinf(options.seconds))
    return failure(ErrorCode::BadValue, "the seconds to measure must be 0 or more");
  Json against;
  if (options.against) {
    ENFOLD_TRY(against, diagnose::readReportPage(options.against));
  }
  ENFOLD_TRY(LoadedModel model, network.load(inputs));
  ENFOLD_TRY(const diagnose::Report made,
             diagnose::makeReport({.model = network.model().name,
                                   .graph = std::move(model.graph),
                                   .compile = capi::optionsAlone(network),
                                   .session = network.options().session,
                                   .seconds = options.seconds,
                                   .errors = options.errors != 0}));
  return writeFile(path, diagnose::reportPage(toJson(made), std::move(against)));
}

} // namespace

CompileOptions capi::optionsAlone(const Network& network) {
  CompileOptions options = network.options().compile;
  options.constants = nullptr;
  options.kernels = nullptr;
  options.pins = nullptr;
  return options;
}

char* capi::newText(const std::string& text) {
  char* copy = new char[text.size() + 1];
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

void enfold_free_text(char* text) { delete[] text; }

enfold_status enfold_explain(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, int32_t measure_folds, char** json) {
  return report(network, inputs, num_inputs, json, [&](const Network& opened, Inputs tensors) {
    return explain(opened, tensors, measure_folds != 0);
  });
}

enfold_status enfold_inspect(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, char** json) {
  return report(network, inputs, num_inputs, json, inspect);
}

enfold_status enfold_profile(enfold_network* network, const enfold_tensor* inputs,
                             int32_t num_inputs, double seconds, char** json) {
  return report(network, inputs, num_inputs, json,
                [&](Network& opened, Inputs tensors) { return profile(opened, tensors, seconds); });
}

enfold_status enfold_diff(enfold_network* network, const enfold_tensor* inputs, int32_t num_inputs,
                          const enfold_diff_options* options, char** json) {
  return report(network, inputs, num_inputs, json,
                [&](const Network& opened, Inputs tensors) -> Result<Json> {
                  if (!options) return usageError("nothing to compare with");
                  return diff(opened, tensors, *options);
                });
}

enfold_status enfold_report(enfold_network* network, const enfold_tensor* inputs,
                            int32_t num_inputs, const char* path,
                            const enfold_report_options* options) {
  if (!network || !path) return capi::fail(ENFOLD_INVALID_ARGUMENT, "no network or no path");
  return capi::guarded([&]() -> Result<> {
    ENFOLD_TRY(const auto tensors, capi::tensorsOf(inputs, num_inputs));
    return writePage(*network->network, tensors, path,
                     options ? *options : enfold_report_options{.seconds = 1});
  });
}
