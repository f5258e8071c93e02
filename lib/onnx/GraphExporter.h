// Writes one graph as a ModelProto. Names are settled before anything is written, so that what is
// made up on the way never takes a name of the graph's.
#pragma once

#include "ir/Graph.h"
#include "onnx/Export.h"
#include "onnx/ExportForms.h"
#include "onnx/ExternalDataWriter.h"

#include <unordered_set>

namespace enfold::onnx {

class GraphExporter {
public:
  /// Large constants go to `data` if there is one.
  GraphExporter(const Graph& graph, const ExportOptions& options, ExternalDataWriter* data,
                pb::ModelProto& model)
      : graph_(graph), options_(options), data_(data), model_(model) {}

  Result<> write();

private:
  using Names = std::vector<std::string>;

  void writeOuterType(const Type& type, const std::string& name, pb::ValueInfoProto& proto) const;
  Result<> nameOutputs();
  void nameValues();
  std::string freshName(const std::string& stem);
  std::string nameOf(const Value* value) const;

  Result<> writeInitializer(const Tensor& tensor, const std::string& name);
  ExportOperand operandOf(const Value* value) const;
  void writeOp(const Op& op);
  /// Writes a node, or those that stand for it; `op` is what it is a part of.
  void write(ExportNode node, const Op& op);
  void writeNode(const ExportNode& part, const Op& op);
  void writeOutputs();
  void writeVersions();

  const Graph& graph_;
  const ExportOptions& options_;
  ExternalDataWriter* data_;
  pb::ModelProto& model_;
  int64_t opset_ = 0;
  std::unordered_map<const Value*, std::string> names_;
  /// Outputs that are the identity of a value that goes by another name.
  std::vector<std::pair<const Value*, std::string>> copies_;
  std::unordered_set<std::string> taken_; ///< names of values
  std::unordered_set<std::string> nodeNames_;
};

} // namespace enfold::onnx
