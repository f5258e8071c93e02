// The model is loaded again for other sizes.
#include "tools/OpenSizes.h"

#include "quantize/Prepare.h"

#include <algorithm>

namespace enfold::tool {

std::map<std::string, onnx::DeclaredType> openTypes(const ModelOptions& options,
                                                    const LoadedModel& model, ModelUse use,
                                                    const Prepare& prepare) {
  auto load = options.loadOptions();
  std::map<std::string, onnx::DeclaredType> types;
  if (!load) return types;
  bool isOpen = false;
  for (const auto& input : model.graph->inputs()) {
    const auto declared =
        std::ranges::find(model.signature.inputs, input->name(), &onnx::DeclaredTensor::name);
    if (declared == model.signature.inputs.end() || !declared->type.dims ||
        load->shapes.contains(input->name()))
      continue;
    onnx::DeclaredType type = declared->type;
    Shape doubled = input->shape();
    for (size_t i = 0; i < doubled.size(); ++i) {
      onnx::DeclaredType::Dim& dim = (*type.dims)[i];
      if (dim.size) continue;
      if (load->dims.contains(dim.symbol)) {
        dim = {doubled[i], ""};
        continue;
      }
      doubled[i] *= 2;
      isOpen = true;
    }
    load->shapes[input->name()] = doubled;
    types[input->name()] = std::move(type);
  }
  if (!isOpen) return {};
  for (const onnx::DeclaredTensor& output : model.signature.outputs)
    types[output.name] = output.type;
  const auto source = options.source();
  if (!source) return {};
  const auto other =
      use == ModelUse::WithDefaults ? loadModelFor(*source, {}, *load) : loadModel(*source, *load);
  const auto one = prepare(*model.graph);
  const auto two = other ? prepare(*other->graph)
                         : Result<std::unique_ptr<Graph>>(std::unexpected(other.error()));
  if (one && two && quantize::areAlike(**one, **two)) return types;
  note("note: the network computes with its sizes, so they are fixed");
  return {};
}

} // namespace enfold::tool
