// The weights of convolutions, which have whole blocks of output channels, are what tells.
#include "onnx/NchwcBlock.h"

#include <unordered_map>

namespace enfold::onnx {
namespace {

/// Blocks are 16 channels where vectors have as many floats, and on Arm; else 8.
int64_t blockOfThisProcessor() {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("avx512f") ? 16 : 8;
#else
  return 16;
#endif
}

} // namespace

int64_t nchwcBlockOf(const pb::GraphProto& graph) {
  std::unordered_map<std::string, int64_t> outputs; // of weights, by their names
  for (const auto& tensor : graph.initializer())
    if (tensor.dims_size() > 0) outputs.emplace(tensor.name(), tensor.dims(0));
  bool any = false, eight = false;
  for (const auto& node : graph.node()) {
    if (node.domain() != "com.microsoft.nchwc") continue;
    any = true;
    if (node.op_type() != "Conv" || node.input_size() < 2) continue;
    const auto weights = outputs.find(node.input(1));
    eight = eight || (weights != outputs.end() && weights->second % 16 != 0);
  }
  if (!any) return 0;
  return eight ? 8 : blockOfThisProcessor();
}

} // namespace enfold::onnx
