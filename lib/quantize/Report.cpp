// The report as JSON.
#include "quantize/Quantize.h"

#include <nlohmann/json.hpp>

namespace enfold::quantize {
namespace {

using diagnose::Json;

/// Decibels; null where there is no noise at all.
Json decibelsOf(const Noise& noise) {
  const double value = noise.decibels();
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json toJson(const LayerReport& layer) {
  Json json = {{"name", layer.name}, {"op", layer.op}, {"quantized", layer.floatBecause.empty()}};
  if (!layer.floatBecause.empty()) json["reason"] = layer.floatBecause;
  if (layer.output) {
    json["range"] = {layer.output->range.low, layer.output->range.high};
    json["scale"] = layer.output->scale.scale;
    json["zero_point"] = layer.output->scale.zero;
  }
  json["snr_db"] = decibelsOf(layer.noise);
  json["max_abs"] = layer.noise.largest;
  return json;
}

Json toJson(const Accuracy& accuracy) {
  return {{"right", accuracy.right}, {"of", accuracy.count}};
}

} // namespace

Json toJson(const Report& report) {
  Json layers = Json::array(), outputs = Json::array();
  for (const LayerReport& layer : report.layers) layers.push_back(toJson(layer));
  for (const OutputReport& output : report.outputs)
    outputs.push_back({{"name", output.name},
                       {"snr_db", decibelsOf(output.noise)},
                       {"max_abs", output.noise.largest}});
  Json json = {{"version", 1},
               {"samples", report.samples},
               {"method", name(report.method)},
               {"equalized_pairs", report.equalizedPairs},
               {"corrected_layers", report.correctedLayers},
               {"layers_quantized", report.numQuantized()},
               {"layers", std::move(layers)},
               {"outputs", std::move(outputs)},
               {"dead_tensors", report.deadTensors}};
  if (report.before.count > 0)
    json["accuracy"] = {{"before", toJson(report.before)}, {"after", toJson(report.after)}};
  return json;
}

} // namespace enfold::quantize
