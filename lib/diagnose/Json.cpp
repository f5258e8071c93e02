// JSON as text.
#include "diagnose/Json.h"

#include <nlohmann/json.hpp>

namespace enfold::diagnose {

std::string jsonText(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json tensorsJson(std::span<const TensorSpec> tensors) {
  Json json = Json::array();
  for (const TensorSpec& tensor : tensors)
    json.push_back(
        {{"name", tensor.name}, {"elem", name(tensor.type.elem)}, {"shape", tensor.type.shape}});
  return json;
}

} // namespace enfold::diagnose
