// Graphs become the attributes of a node.
#include "onnx/ExportControl.h"

#include "onnx/GraphExporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace enfold::onnx {
namespace {

pb::ValueInfoProto declaration(const std::string& name, ElemType elem) {
  pb::ValueInfoProto proto;
  proto.set_name(name);
  proto.mutable_type()->mutable_tensor_type()->set_elem_type(static_cast<int>(elem));
  return proto;
}

pb::ValueInfoProto declaration(const std::string& name, const Type& type) {
  pb::ValueInfoProto proto = declaration(name, type.elem);
  auto& shape = *proto.mutable_type()->mutable_tensor_type()->mutable_shape();
  for (const int64_t size : type.shape) shape.add_dim()->set_dim_value(size);
  return proto;
}

/// The same with as many rows of it as there may be.
pb::ValueInfoProto rowsOf(const std::string& name, const Type& type) {
  pb::ValueInfoProto proto = declaration(name, type.elem);
  auto& shape = *proto.mutable_type()->mutable_tensor_type()->mutable_shape();
  shape.add_dim()->set_dim_param("rows");
  for (const int64_t size : type.shape) shape.add_dim()->set_dim_value(size);
  return proto;
}

std::string firstOf(const std::string& carried) { return "first " + carried; }

/// A model of one node.
class Frame {
public:
  explicit Frame(const char* kind) {
    model_.mutable_graph()->set_name(kind);
    node_ = model_.mutable_graph()->add_node();
    node_->set_op_type(kind);
    node_->set_name(kind);
  }

  pb::NodeProto& node() { return *node_; }
  void addInput(pb::ValueInfoProto proto) {
    if (names_.insert(proto.name()).second) *model_.mutable_graph()->add_input() = std::move(proto);
  }
  /// An output of the node and the model.
  void addOutput(ElemType elem) {
    const std::string name = fmt::format("out{}", node_->output_size());
    node_->add_output(name);
    *model_.mutable_graph()->add_output() = declaration(name, elem);
  }

  /// The graph as an attribute, without inputs: it reads values around it.
  Result<pb::GraphProto*> addBody(const char* name, const Graph& graph) {
    pb::ModelProto own;
    const ExportOptions options;
    ENFOLD_RETURN_IF_ERROR(GraphExporter(graph, options, nullptr, own).write());
    if (model_.opset_import_size() == 0 ||
        own.opset_import(0).version() > model_.opset_import(0).version())
      *model_.mutable_opset_import() = own.opset_import();
    model_.set_ir_version(std::max(model_.ir_version(), own.ir_version()));
    auto& attribute = *node_->add_attribute();
    attribute.set_name(name);
    attribute.set_type(pb::AttributeProto::GRAPH);
    pb::GraphProto* body = attribute.mutable_g();
    body->Swap(own.mutable_graph());
    body->clear_input();
    return body;
  }

  Result<std::string> encode() const { return model_.SerializeAsString(); }

private:
  pb::ModelProto model_;
  pb::NodeProto* node_;
  std::set<std::string> names_; ///< of inputs
};

void addCarried(const LoopBody& loop, Frame& frame, pb::GraphProto& body) {
  for (const std::string& name : loop.carried) {
    const Type& type = loop.graph.find(name)->type();
    frame.addInput(declaration(firstOf(name), type));
    frame.node().add_input(firstOf(name));
    *body.add_input() = declaration(name, type);
  }
  for (const Value* output : loop.graph.outputs()) frame.addOutput(output->elem());
}

std::vector<const Value*> othersOf(const LoopBody& loop) {
  std::vector<const Value*> others;
  for (const auto& input : loop.graph.inputs())
    if (std::ranges::find(loop.carried, input->name()) == loop.carried.end())
      others.push_back(input.get());
  return others;
}

} // namespace

Result<std::string> encodeIf(const Graph& chosen, const Graph& other) {
  Frame frame("If");
  frame.addInput(declaration("condition", Type{ElemType::Bool, {}, {}}));
  frame.node().add_input("condition");
  for (const Graph* graph : {&chosen, &other})
    for (const auto& input : graph->inputs())
      frame.addInput(declaration(input->name(), input->type()));
  ENFOLD_RETURN_IF_ERROR(frame.addBody("then_branch", chosen));
  ENFOLD_RETURN_IF_ERROR(frame.addBody("else_branch", other));
  frame.addOutput(chosen.outputs()[0]->elem());
  return frame.encode();
}

Result<std::string> encodeLoop(const LoopBody& loop) {
  Frame frame("Loop");
  frame.addInput(declaration("trips", Type{ElemType::I64, {}, {}}));
  frame.node().add_input("trips");
  frame.node().add_input("");
  ENFOLD_TRY(pb::GraphProto * body, frame.addBody("body", loop.graph));
  *body->add_input() = declaration("iteration", Type{ElemType::I64, {}, {}});
  *body->add_input() = declaration("going", Type{ElemType::Bool, {}, {}});
  addCarried(loop, frame, *body);
  for (const Value* input : othersOf(loop))
    frame.addInput(declaration(input->name(), input->type()));
  auto& goesOn = *body->add_node();
  goesOn.set_op_type("Identity");
  goesOn.add_input("going");
  goesOn.add_output("goes on");
  auto& outputs = *body->mutable_output();
  *outputs.Add() = declaration("goes on", Type{ElemType::Bool, {}, {}});
  for (int i = outputs.size() - 1; i > 0; --i) outputs.SwapElements(i, i - 1);
  return frame.encode();
}

Result<std::string> encodeScan(const LoopBody& loop) {
  Frame frame("Scan");
  ENFOLD_TRY(pb::GraphProto * body, frame.addBody("body", loop.graph));
  addCarried(loop, frame, *body);
  const std::vector<const Value*> scanned = othersOf(loop);
  for (const Value* input : scanned) {
    frame.addInput(rowsOf(input->name() + " rows", input->type()));
    frame.node().add_input(input->name() + " rows");
    *body->add_input() = declaration(input->name(), input->type());
  }
  auto& count = *frame.node().add_attribute();
  count.set_name("num_scan_inputs");
  count.set_type(pb::AttributeProto::INT);
  count.set_i(static_cast<int64_t>(scanned.size()));
  return frame.encode();
}

} // namespace enfold::onnx
