// The model's sizes by the options of the command.
#include "tools/OpenSizes.h"

namespace enfold::tool {

std::map<std::string, onnx::DeclaredType> openTypes(const ModelOptions& options,
                                                    const LoadedModel& model, ModelUse use,
                                                    const quantize::Prepare& prepare) {
  const auto how = options.loadOptions();
  const auto source = options.source();
  if (!how || !source) return {};
  const auto load = [&](const LoadOptions& other) {
    return use == ModelUse::WithDefaults ? loadModelFor(*source, {}, other)
                                         : loadModel(*source, other);
  };
  quantize::OpenSizes open = quantize::openSizes(model, *how, load, prepare);
  if (open.computesWithThem) note("note: the network computes with its sizes, so they are fixed");
  return std::move(open.types);
}

} // namespace enfold::tool
