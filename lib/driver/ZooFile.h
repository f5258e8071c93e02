// Networks of the zoo as ONNX files, with the sizes open that they are right for.
#pragma once

#include "onnx/Export.h"
#include "zoo/Zoo.h"

namespace enfold {

/// How the graph of that network is to be written.
onnx::ExportOptions zooExportOptions(const zoo::Entry& entry, const Graph& graph);

/// The bytes of the file.
Result<std::string> encodeZoo(const zoo::Entry& entry);

} // namespace enfold
