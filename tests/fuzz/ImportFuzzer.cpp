// libFuzzer's entry to the importer: any bytes are a sound graph or an error with a message.
#include "ir/Verifier.h"
#include "onnx/Import.h"

#include <cstdint>
#include <cstdlib>
#include <span>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace enfold;
  onnx::ImportOptions options;
  // Small, so that what takes long or much memory is a finding.
  options.limits = {.fileBytes = 1 << 20,
                    .nodes = 1000,
                    .tensorBytes = 1 << 20,
                    .expandedBytes = 1 << 20,
                    .nesting = 16};
  const auto model = onnx::importModel(std::as_bytes(std::span(data, size)), options);
  if (!model && model.error().str().empty()) std::abort();
  if (model && !verify(*model->graph, GraphStage::Imported)) std::abort();
  return 0;
}
