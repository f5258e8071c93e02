// The model is loaded again for other sizes.
#include "quantize/OpenSizes.h"

#include "quantize/Prepare.h"

#include <algorithm>

namespace enfold::quantize {

OpenSizes openSizes(const LoadedModel& model, LoadOptions options, const Load& load,
                    const Prepare& prepare) {
  OpenSizes open;
  bool isOpen = false;
  for (const auto& input : model.graph->inputs()) {
    const auto declared =
        std::ranges::find(model.signature.inputs, input->name(), &onnx::DeclaredTensor::name);
    if (declared == model.signature.inputs.end() || !declared->type.dims ||
        options.shapes.contains(input->name()))
      continue;
    onnx::DeclaredType type = declared->type;
    Shape doubled = input->shape();
    for (size_t i = 0; i < doubled.size(); ++i) {
      onnx::DeclaredType::Dim& dim = (*type.dims)[i];
      if (dim.size) continue;
      if (options.dims.contains(dim.symbol)) {
        dim = {doubled[i], ""};
        continue;
      }
      doubled[i] *= 2;
      isOpen = true;
    }
    options.shapes[input->name()] = doubled;
    open.types[input->name()] = std::move(type);
  }
  if (!isOpen) return {};
  for (const onnx::DeclaredTensor& output : model.signature.outputs)
    open.types[output.name] = output.type;
  const auto other = load(options);
  const auto one = prepare(*model.graph);
  const auto two = other ? prepare(*other->graph)
                         : Result<std::unique_ptr<Graph>>(std::unexpected(other.error()));
  if (one && two && areAlike(**one, **two)) return open;
  return {.types = {}, .computesWithThem = true};
}

} // namespace enfold::quantize
