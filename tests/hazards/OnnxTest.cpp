// Folding of models as they come: every version of the operators, initializers that are inputs, and
// the ways to ask for training mode before there was an attribute for it.
#include "onnx/Import.h"
#include "onnx/Proto.h"
#include "tests/hazards/Harness.h"

namespace enfold::hazards {
namespace {

namespace pb = ::enfold::schema;

void addInitializer(pb::GraphProto& graph, const std::string& name, const Tensor& tensor) {
  auto& proto = *graph.add_initializer();
  proto.set_name(name);
  proto.set_data_type(pb::TensorProto_DataType_FLOAT);
  for (int64_t size : tensor.shape()) proto.add_dims(size);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    proto.add_float_data(static_cast<float>(tensor.asDouble(i)));
}

void addValueInfo(pb::ValueInfoProto& info, const std::string& name, const Shape& shape) {
  info.set_name(name);
  auto& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(pb::TensorProto_DataType_FLOAT);
  type.mutable_shape();
  for (int64_t size : shape) type.mutable_shape()->add_dim()->set_dim_value(size);
}

void addAttribute(pb::NodeProto& node, const std::string& name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(pb::AttributeProto_AttributeType_INT);
  attribute.set_i(value);
}

pb::NodeProto& addNode(pb::GraphProto& graph, const std::string& op, const std::string& name,
                       const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs) {
  auto& node = *graph.add_node();
  node.set_op_type(op);
  node.set_name(name);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  return node;
}

enum class Initializers : uint8_t { Plain, AreInputsToo };

/// conv [1,2,6,6] -> [1,4,4,4] and a batch normalization, by the rules of `opset`.
pb::ModelProto convBatchNorm(int64_t opset, int64_t irVersion, Initializers initializers) {
  pb::ModelProto model;
  model.set_ir_version(irVersion);
  model.add_opset_import()->set_version(opset);
  pb::GraphProto& graph = *model.mutable_graph();
  graph.set_name("model");
  addValueInfo(*graph.add_input(), "x", {1, 2, 6, 6});
  addValueInfo(*graph.add_output(), "y", {1, 4, 4, 4});
  const std::pair<const char*, Shape> parameters[] = {
      {"w", {4, 2, 3, 3}}, {"scale", {4}}, {"bias", {4}}, {"mean", {4}}, {"var", {4}}};
  for (const auto& [name, shape] : parameters) {
    addInitializer(graph, name, randomTensor(ElemType::F32, shape, 0.5, 1.5));
    if (initializers == Initializers::AreInputsToo) addValueInfo(*graph.add_input(), name, shape);
  }
  addNode(graph, "Conv", "conv", {"x", "w"}, {"c"});
  addNode(graph, "BatchNormalization", "bn", {"c", "scale", "bias", "mean", "var"}, {"y"});
  return model;
}

Result<onnx::ImportedModel> imported(const pb::ModelProto& model,
                                     const onnx::ImportOptions& options = {}) {
  const std::string bytes = model.SerializeAsString();
  return onnx::importModel(std::as_bytes(std::span(bytes)), options);
}

TEST(Onnx, EveryVersionOfTheOperatorsIsFolded) {
  // Conv 1, 11, 22 and BatchNormalization 7, 9, 14, 15 are in force in this range.
  for (int64_t opset = onnx::kOldestOpset; opset <= onnx::kNewestOpset; ++opset) {
    SCOPED_TRACE(opset);
    auto model = imported(convBatchNorm(opset, 8, Initializers::Plain));
    ASSERT_TRUE(model.has_value()) << model.error().str();
    const Outcome outcome = check(std::move(model->graph));
    EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "applied folded");
  }
}

TEST(Onnx, InitializersThatAreInputsToo) {
  // Up to IR version 3 they had to be, and are constants.
  auto old = imported(convBatchNorm(8, 3, Initializers::AreInputsToo));
  ASSERT_TRUE(old.has_value()) << old.error().str();
  EXPECT_EQ(check(std::move(old->graph)).statusOf("fold-batchnorm", "bn"), "applied folded");

  // Since then it means that a caller may give others.
  auto open = imported(convBatchNorm(13, 8, Initializers::AreInputsToo));
  ASSERT_TRUE(open.has_value()) << open.error().str();
  EXPECT_EQ(open->notes.size(), 1u); // one line for all of them
  EXPECT_EQ(open->inputDefaults.size(), 5u);
  const Outcome outcome = check(std::move(open->graph));
  EXPECT_EQ(outcome.statusOf("fold-batchnorm", "bn"), "refused bn-not-constant");
  EXPECT_EQ(outcome.statusOf("expand-batchnorm", "bn"), "applied expanded-values");

  auto frozen = imported(convBatchNorm(13, 8, Initializers::AreInputsToo),
                         {.initializers = onnx::ImportOptions::Initializers::Frozen});
  ASSERT_TRUE(frozen.has_value()) << frozen.error().str();
  EXPECT_EQ(check(std::move(frozen->graph)).statusOf("fold-batchnorm", "bn"), "applied folded");
}

TEST(Onnx, TrainingMode) {
  for (int64_t opset : {14, 15, 22}) {
    pb::ModelProto proto = convBatchNorm(opset, 8, Initializers::Plain);
    pb::NodeProto& bn = *proto.mutable_graph()->mutable_node(1);
    addAttribute(bn, "training_mode", 1);
    bn.add_output("running_mean");
    bn.add_output("running_var");
    addValueInfo(*proto.mutable_graph()->add_output(), "running_mean", {4});
    auto model = imported(proto);
    ASSERT_TRUE(model.has_value()) << model.error().str();
    EXPECT_EQ(check(std::move(model->graph)).statusOf("fold-batchnorm", "bn"),
              "refused bn-training-mode");
  }
}

TEST(Onnx, TrainingModeByOutputs) {
  // Before opset 14 a node with further outputs was in training.
  for (int64_t opset : {7, 9}) {
    pb::ModelProto proto = convBatchNorm(opset, 8, Initializers::Plain);
    pb::NodeProto& bn = *proto.mutable_graph()->mutable_node(1);
    for (const char* name : {"m", "v", "saved_m", "saved_v"}) bn.add_output(name);
    auto model = imported(proto);
    ASSERT_TRUE(model.has_value()) << model.error().str();
    EXPECT_EQ(check(std::move(model->graph)).statusOf("fold-batchnorm", "bn"),
              "refused bn-training-mode");
  }
}

TEST(Onnx, StatisticsPerElement) {
  // spatial = 0: a scale and shift for every element of an image, which no weights can hold.
  for (int64_t opset : {7, 8}) {
    pb::ModelProto proto = convBatchNorm(opset, 8, Initializers::Plain);
    pb::GraphProto& graph = *proto.mutable_graph();
    addAttribute(*graph.mutable_node(1), "spatial", 0);
    for (auto& initializer : *graph.mutable_initializer()) {
      if (initializer.name() == "w") continue;
      const std::string name = initializer.name();
      pb::GraphProto scratch;
      addInitializer(scratch, name, randomTensor(ElemType::F32, {4, 4, 4}, 0.5, 1.5));
      initializer = scratch.initializer(0);
    }
    auto model = imported(proto);
    ASSERT_TRUE(model.has_value()) << model.error().str();
    const Outcome outcome = check(std::move(model->graph));
    EXPECT_EQ(outcome.count(OpKind::Conv), 1);
    EXPECT_EQ(outcome.numOps(), 1); // the arithmetic is the convolution's epilogue
  }
}

} // namespace
} // namespace enfold::hazards
