// Declarations of what is open.
#include "driver/ZooFile.h"

namespace enfold {
namespace {

onnx::DeclaredType declared(const Type& type, std::span<const std::string> symbols) {
  onnx::DeclaredType open{.elem = type.elem, .dims = std::vector<onnx::DeclaredType::Dim>()};
  for (size_t axis = 0; axis < type.shape.size(); ++axis)
    if (symbols[axis].empty())
      open.dims->push_back({type.shape[axis], ""});
    else
      open.dims->push_back({std::nullopt, symbols[axis]});
  return open;
}

} // namespace

onnx::ExportOptions zooExportOptions(const zoo::Entry& entry, const Graph& graph) {
  onnx::ExportOptions options;
  if (!entry.isOpen()) return options;
  const Value& input = *graph.inputs()[0];
  options.openTypes[input.name()] = declared(input.type(), entry.inputSymbols);
  options.openTypes[graph.outputNames()[0]] =
      declared(graph.outputs()[0]->type(), entry.outputSymbols);
  return options;
}

Result<std::string> encodeZoo(const zoo::Entry& entry) {
  ENFOLD_TRY(const auto graph, entry.build(entry.input));
  return onnx::encodeModel(*graph, zooExportOptions(entry, *graph));
}

} // namespace enfold
