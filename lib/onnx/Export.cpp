// Graph IR to ONNX.
#include "onnx/Export.h"

namespace enfold::onnx {

Result<> exportModel(const Graph&, const std::filesystem::path& path) {
  return unsupported(path.string() + ": models are not written yet");
}

} // namespace enfold::onnx
