// Broken models end in an answer or in a message, never in a crash, a hang or a flood of memory.
// Each is read, compiled and run on zeros in a child process of bounded memory and time.
#include "Mutants.h"
#include "driver/Compiler.h"
#include "driver/Model.h"
#include "fuzz/Isolate.h"
#include "onnx/Import.h"

#include <fmt/format.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <map>
#include <sys/resource.h>

namespace enfold::malformed {
namespace {

constexpr int kSecondsPerModel = 60;

/// A network with something in nearly every field that a model can have.
constexpr const char* kModel = R"(
ir_version: 8
producer_name: "a test" producer_version: "1" domain: "test" model_version: 1 doc_string: "text"
opset_import { domain: "" version: 17 }
opset_import { domain: "local" version: 1 }
metadata_props { key: "k" value: "v" }
functions {
  name: "Twice" domain: "local" input: "a" output: "b"
  opset_import { domain: "" version: 17 }
  node { op_type: "Add" input: "a" input: "a" output: "b" name: "sum" }
}
graph {
  name: "net" doc_string: "text"
  input { name: "x" type { tensor_type { elem_type: 1 shape {
    dim { dim_value: 1 } dim { dim_value: 2 } dim { dim_value: 6 } dim { dim_value: 6 } } } } }
  output { name: "y" type { tensor_type { elem_type: 1 shape {
    dim { dim_param: "n" } dim { dim_value: 4 } } } } }
  value_info { name: "c" type { tensor_type { elem_type: 1 } } }
  initializer { name: "b" data_type: 1 dims: 3 float_data: 1 float_data: 2 float_data: 3 }
  initializer { name: "scale" data_type: 1 dims: 3 float_data: 1 float_data: 2 float_data: 3 }
  initializer { name: "var" data_type: 1 dims: 3 float_data: 1 float_data: 2 float_data: 3 }
  initializer { name: "shape" data_type: 7 dims: 2 int64_data: 1 int64_data: -1 }
  sparse_initializer {
    values { name: "fc" data_type: 1 dims: 2 float_data: 1 float_data: 2 }
    indices { name: "fc_at" data_type: 7 dims: 2 int64_data: 5 int64_data: 9 }
    dims: 27 dims: 4
  }
  node { op_type: "Conv" name: "conv" input: "x" input: "w" input: "b" output: "c"
    attribute { name: "kernel_shape" type: INTS ints: 3 ints: 3 }
    attribute { name: "pads" type: INTS ints: 1 ints: 1 ints: 1 ints: 1 }
    attribute { name: "strides" type: INTS ints: 1 ints: 1 }
    attribute { name: "dilations" type: INTS ints: 1 ints: 1 }
    attribute { name: "group" type: INT i: 1 }
    attribute { name: "auto_pad" type: STRING s: "NOTSET" } }
  node { op_type: "BatchNormalization" name: "bn" output: "n"
    input: "c" input: "scale" input: "b" input: "b" input: "var"
    attribute { name: "epsilon" type: FLOAT f: 1e-5 } }
  node { op_type: "Twice" domain: "local" name: "twice" input: "n" output: "t" }
  node { op_type: "Constant" name: "factor" output: "k"
    attribute { name: "value" type: TENSOR t { data_type: 1 float_data: 0.5 } } }
  node { op_type: "Constant" name: "true" output: "yes"
    attribute { name: "value" type: TENSOR t { data_type: 9 int32_data: 1 } } }
  node { op_type: "If" name: "choice" input: "yes" output: "m"
    attribute { name: "then_branch" type: GRAPH g { name: "then"
      node { op_type: "Mul" name: "half" input: "t" input: "k" output: "th" }
      output { name: "th" type { tensor_type { elem_type: 1 } } } } }
    attribute { name: "else_branch" type: GRAPH g { name: "else"
      node { op_type: "Relu" name: "keep" input: "t" output: "el" }
      output { name: "el" type { tensor_type { elem_type: 1 } } } } } }
  node { op_type: "MaxPool" name: "pool" input: "m" output: "p"
    attribute { name: "kernel_shape" type: INTS ints: 2 ints: 2 }
    attribute { name: "strides" type: INTS ints: 2 ints: 2 }
    attribute { name: "ceil_mode" type: INT i: 1 } }
  node { op_type: "Reshape" name: "flat" input: "p" input: "shape" output: "f" }
  node { op_type: "Gemm" name: "gemm" input: "f" input: "fc" output: "g"
    attribute { name: "alpha" type: FLOAT f: 1.5 } attribute { name: "transB" type: INT i: 0 } }
  node { op_type: "Softmax" name: "softmax" input: "g" output: "y"
    attribute { name: "axis" type: INT i: 1 } }
})";

schema::ModelProto wholeModel() {
  schema::ModelProto model;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kModel, &model));
  schema::TensorProto& w = *model.mutable_graph()->add_initializer();
  w.set_name("w");
  w.set_data_type(schema::TensorProto::FLOAT);
  for (const int64_t size : {3, 2, 3, 3}) w.add_dims(size);
  w.set_raw_data(std::string(54 * sizeof(float), '\x3e'));
  return model;
}

/// Reads, compiles and runs.
Result<> use(const std::string& bytes) {
  onnx::ImportOptions options;
  options.limits.tensorBytes = options.limits.expandedBytes = int64_t{1} << 26;
  ENFOLD_TRY(onnx::ImportedModel model,
             onnx::importModel(std::as_bytes(std::span(bytes)), options));
  ENFOLD_TRY(const Compilation compiled, compile(std::move(model.graph)));
  ENFOLD_TRY(const auto session, Session::create(compiled.executable, {.threads = 1}));
  std::vector<Tensor> inputs;
  for (const auto& [name, type] : compiled.executable->inputs())
    inputs.emplace_back(type.elem, type.shape);
  ENFOLD_TRY(const auto outputs, session->run(inputs));
  return {};
}

void boundMemory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit limit{rlim_t{4} << 30, rlim_t{4} << 30};
  setrlimit(RLIMIT_AS, &limit);
#endif
}

struct Count {
  size_t answered = 0, refused = 0;
};

/// Uses all models in children, a new one after each that dies; that is the test's failure.
Count useAll(const std::vector<Mutant>& mutants) {
  Count count;
  for (size_t done = 0; done < mutants.size();) {
    const fuzz::Isolated child = fuzz::isolate(kSecondsPerModel, [&](const fuzz::Send& report) {
      boundMemory();
      for (size_t i = done; i < mutants.size(); ++i) {
        const auto used = use(mutants[i].bytes);
        std::string line = used ? "" : used.error().str();
        if (!used && line.empty()) line = "(no message)";
        std::ranges::replace(line, '\n', ' ');
        report(line + "\n");
      }
    });
    size_t begin = 0;
    for (size_t end; (end = child.text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view line = std::string_view(child.text).substr(begin, end - begin);
      EXPECT_NE(line, "(no message)") << mutants[done].what;
      ++(line.empty() ? count.answered : count.refused);
      ++done;
    }
    if (done == mutants.size()) break;
    ADD_FAILURE() << mutants[done].what << ": "
                  << (child.crash.empty() ? "the process ended" : child.crash);
    ++done;
  }
  return count;
}

TEST(Malformed, TheModelItselfIsSound) {
  const auto used = use(wholeModel().SerializeAsString());
  EXPECT_TRUE(used) << used.error().str();
}

TEST(Malformed, EveryFieldChanged) {
  const std::vector<Mutant> mutants = mutantsOf(wholeModel());
  EXPECT_GE(mutants.size(), 1000u);
  const Count count = useAll(mutants);
  fmt::print("{} models: {} answered, {} refused\n", mutants.size(), count.answered, count.refused);
  EXPECT_GT(count.answered, 0u);
  EXPECT_GT(count.refused, count.answered / 4);
}

// ---- One operator
// ------------------------------------------------------------------------------------

struct Operator {
  const char* type;
  std::vector<std::pair<int, std::vector<int64_t>>> operands; ///< element type and shape of each
  std::map<std::string, std::vector<int64_t>> ints; ///< attributes; of one number: a single one
  std::map<std::string, std::string> strings = {};
  std::map<size_t, std::vector<int64_t>> constants = {}; ///< operands that are known, of i64
  int outputs = 1;
};

void PrintTo(const Operator& op, std::ostream* out) { *out << op.type; }

constexpr int kF32 = 1, kU8 = 2, kI32 = 6, kI64 = 7, kBool = 9;

/// Operators beyond the pointwise ones, on as little as shows their rules.
std::vector<Operator> operators() {
  return {
      {"Softmax", {{kF32, {2, 3}}}, {{"axis", {1}}}},
      {"LogSoftmax", {{kF32, {2, 3}}}, {{"axis", {0}}}},
      {"Hardmax", {{kF32, {2, 3}}}, {{"axis", {-1}}}},
      {"LpNormalization", {{kF32, {2, 3}}}, {{"axis", {1}}, {"p", {2}}}},
      {"LRN", {{kF32, {1, 5, 4}}}, {{"size", {3}}}},
      {"InstanceNormalization", {{kF32, {1, 3, 5}}, {kF32, {3}}, {kF32, {3}}}, {}},
      {"GroupNormalization", {{kF32, {1, 4, 5}}, {kF32, {4}}, {kF32, {4}}}, {{"num_groups", {2}}}},
      {"LayerNormalization", {{kF32, {2, 3, 4}}, {kF32, {3, 4}}, {kF32, {4}}}, {{"axis", {1}}}},
      {"RMSNormalization", {{kF32, {2, 3, 4}}, {kF32, {4}}}, {{"axis", {-1}}}},
      {"MeanVarianceNormalization", {{kF32, {2, 3, 4}}}, {{"axes", {0, 2}}}},
      {"CumSum", {{kF32, {2, 5}}, {kI64, {}}}, {{"reverse", {1}}}},
      {"ArgMax", {{kF32, {2, 5}}}, {{"axis", {1}}, {"keepdims", {0}}}},
      {"ReduceMean", {{kF32, {2, 3, 4}}, {kI64, {2}}}, {{"keepdims", {0}}}, {}, {{1, {1, -1}}}},
      {"TopK", {{kF32, {2, 5}}, {kI64, {1}}}, {{"axis", {1}}}, {}, {{1, {3}}}, 2},
      {"Gather", {{kF32, {3, 4}}, {kI64, {2, 2}}}, {{"axis", {1}}}},
      {"GatherElements", {{kF32, {3, 4}}, {kI64, {3, 2}}}, {{"axis", {1}}}},
      {"GatherND", {{kF32, {2, 3, 4}}, {kI64, {2, 1}}}, {{"batch_dims", {1}}}},
      {"ScatterElements",
       {{kF32, {3, 4}}, {kI64, {2, 4}}, {kF32, {2, 4}}},
       {{"axis", {0}}},
       {{"reduction", "add"}}},
      {"ScatterND", {{kF32, {4, 3}}, {kI64, {2, 1}}, {kF32, {2, 3}}}, {}, {{"reduction", "max"}}},
      {"ReverseSequence", {{kF32, {4, 2}}, {kI64, {2}}}, {{"batch_axis", {1}}, {"time_axis", {0}}}},
      {"Trilu", {{kF32, {3, 4}}, {kI64, {}}}, {{"upper", {0}}}},
      {"OneHot", {{kI64, {3}}, {kI64, {}}, {kF32, {2}}}, {{"axis", {-1}}}, {}, {{1, {4}}}},
      {"Slice",
       {{kF32, {4, 5}}, {kI64, {2}}, {kI64, {2}}, {kI64, {2}}, {kI64, {2}}},
       {},
       {},
       {{1, {-1, 0}}, {2, {-100, 3}}, {3, {0, 1}}, {4, {-2, 1}}}},
      {"Pad",
       {{kF32, {4, 5}}, {kI64, {4}}, {kF32, {}}},
       {},
       {{"mode", "reflect"}},
       {{1, {1, 2, 0, -1}}}},
      {"Concat", {{kF32, {2, 3}}, {kF32, {2, 1}}}, {{"axis", {1}}}},
      {"Split", {{kF32, {2, 6}}, {kI64, {2}}}, {{"axis", {1}}}, {}, {{1, {2, 4}}}, 2},
      {"Transpose", {{kF32, {2, 3, 4}}}, {{"perm", {2, 0, 1}}}},
      {"Tile", {{kF32, {2, 3}}, {kI64, {2}}}, {}, {}, {{1, {2, 1}}}},
      {"Expand", {{kF32, {3, 1}}, {kI64, {3}}}, {}, {}, {{1, {2, 3, 4}}}},
      {"DepthToSpace", {{kF32, {1, 8, 2, 3}}}, {{"blocksize", {2}}}, {{"mode", "CRD"}}},
      {"SpaceToDepth", {{kF32, {1, 2, 4, 6}}}, {{"blocksize", {2}}}},
      {"Resize",
       {{kF32, {1, 1, 3, 4}}, {kF32, {0}}, {kF32, {0}}, {kI64, {4}}},
       {{"antialias", {0}}},
       {{"mode", "cubic"}},
       {{3, {1, 1, 5, 2}}}},
      {"GridSample", {{kF32, {1, 2, 4, 4}}, {kF32, {1, 3, 3, 2}}}, {}, {{"mode", "linear"}}},
      {"ConvTranspose",
       {{kF32, {1, 4, 5}}, {kF32, {4, 3, 3}}, {kF32, {6}}},
       {{"group", {2}}, {"strides", {2}}, {"output_padding", {1}}}},
      {"AveragePool",
       {{kF32, {1, 2, 7, 6}}},
       {{"kernel_shape", {3, 2}}, {"strides", {2, 1}}, {"ceil_mode", {1}}}},
      {"LpPool", {{kF32, {1, 2, 7}}}, {{"kernel_shape", {3}}, {"p", {2}}}},
      {"GlobalAveragePool", {{kF32, {1, 2, 7}}}, {}},
      {"MaxPool",
       {{kF32, {1, 2, 6, 6}}},
       {{"kernel_shape", {2, 2}}, {"pads", {1, 0, 1, 0}}, {"storage_order", {1}}},
       {},
       {},
       2},
      {"MatMul", {{kF32, {2, 3, 4}}, {kF32, {4, 5}}}, {}},
      {"Einsum", {{kF32, {3, 4}}, {kF32, {4, 5}}}, {}, {{"equation", "ij,jk->ki"}}},
      {"QuantizeLinear", {{kF32, {2, 3}}, {kF32, {3}}, {kU8, {3}}}, {{"axis", {1}}}},
      {"DequantizeLinear",
       {{kU8, {2, 4}}, {kF32, {2, 2}}, {kU8, {2, 2}}},
       {{"axis", {1}}, {"block_size", {2}}}},
      {"QLinearMatMul",
       {{kU8, {2, 3}},
        {kF32, {2}},
        {kU8, {2}},
        {kU8, {3, 4}},
        {kF32, {4}},
        {kU8, {4}},
        {kF32, {}},
        {kU8, {}}},
       {}},
      {"QLinearConv",
       {{kU8, {1, 2, 5}},
        {kF32, {}},
        {kU8, {}},
        {kU8, {3, 2, 2}},
        {kF32, {3}},
        {kU8, {3}},
        {kF32, {}},
        {kU8, {}},
        {kI32, {3}}},
       {{"strides", {2}}}},
      {"ConvInteger", {{kU8, {1, 2, 5}}, {kU8, {3, 2, 2}}, {kU8, {}}, {kU8, {3}}}, {}},
      {"MatMulInteger", {{kU8, {2, 3}}, {kU8, {3, 4}}, {kU8, {2}}, {kU8, {4}}}, {}},
      {"Where", {{kBool, {3, 1}}, {kF32, {4}}, {kF32, {3, 4}}}, {}},
      {"Col2Im", {{kF32, {1, 4, 9}}, {kI64, {2}}, {kI64, {2}}}, {}, {}, {{1, {4, 4}}, {2, {2, 2}}}},
      {"RoiAlign",
       {{kF32, {1, 2, 6, 6}}, {kF32, {3, 4}}, {kI64, {3}}},
       {{"output_height", {2}}, {"output_width", {2}}, {"sampling_ratio", {2}}}},
      {"MaxUnpool",
       {{kF32, {1, 1, 2, 2}}, {kI64, {1, 1, 2, 2}}},
       {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}}},
      {"DeformConv",
       {{kF32, {1, 2, 4, 4}}, {kF32, {3, 2, 2, 2}}, {kF32, {1, 8, 3, 3}}},
       {{"kernel_shape", {2, 2}}}},
      {"CenterCropPad", {{kF32, {4, 5}}, {kI64, {2}}}, {}, {}, {{1, {6, 3}}}},
      {"Attention",
       {{kF32, {1, 3, 8}}, {kF32, {1, 5, 4}}, {kF32, {1, 5, 4}}, {kBool, {3, 5}}},
       {{"q_num_heads", {2}}, {"kv_num_heads", {1}}, {"is_causal", {1}}}},
      {"SoftmaxCrossEntropyLoss",
       {{kF32, {2, 3, 4}}, {kI64, {2, 4}}, {kF32, {3}}},
       {{"ignore_index", {1}}},
       {{"reduction", "mean"}}},
  };
}

void setType(schema::ValueInfoProto& value, int elem, const std::vector<int64_t>& shape) {
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(elem);
  type.mutable_shape();
  for (const int64_t size : shape) type.mutable_shape()->add_dim()->set_dim_value(size);
}

schema::ModelProto modelOf(const Operator& op) {
  schema::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(23);
  schema::GraphProto& graph = *model.mutable_graph();
  graph.set_name("net");
  schema::NodeProto& node = *graph.add_node();
  node.set_op_type(op.type);
  node.set_name("n");
  for (size_t i = 0; i < op.operands.size(); ++i) {
    const auto& [elem, shape] = op.operands[i];
    const bool isEmpty = shape == std::vector<int64_t>{0};
    const std::string name = isEmpty ? "" : fmt::format("x{}", i);
    node.add_input(name);
    if (const auto known = op.constants.find(i); known != op.constants.end()) {
      schema::TensorProto& tensor = *graph.add_initializer();
      tensor.set_name(name);
      tensor.set_data_type(elem);
      for (const int64_t size : shape) tensor.add_dims(size);
      for (const int64_t number : known->second) tensor.add_int64_data(number);
    } else if (!isEmpty) {
      schema::ValueInfoProto& input = *graph.add_input();
      input.set_name(name);
      setType(input, elem, shape);
    }
  }
  for (int i = 0; i < op.outputs; ++i) {
    node.add_output(fmt::format("y{}", i));
    graph.add_output()->set_name(fmt::format("y{}", i));
  }
  for (const auto& [name, values] : op.ints) {
    schema::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    const bool isList = values.size() > 1 || name == "kernel_shape" || name == "strides" ||
                        name == "output_padding";
    attribute.set_type(isList ? schema::AttributeProto::INTS : schema::AttributeProto::INT);
    for (const int64_t value : values)
      if (isList)
        attribute.add_ints(value);
      else
        attribute.set_i(value);
  }
  for (const auto& [name, value] : op.strings) {
    schema::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(schema::AttributeProto::STRING);
    attribute.set_s(value);
  }
  return model;
}

class OfOperator : public testing::TestWithParam<Operator> {};

TEST_P(OfOperator, EveryFieldOfNodeAndOperandsChanged) {
  const schema::ModelProto model = modelOf(GetParam());
  const auto used = use(model.SerializePartialAsString());
  EXPECT_TRUE(used) << used.error().str();
  std::vector<Mutant> mutants;
  for (Mutant& mutant : mutantsOf(model))
    for (const char* part : {"graph.node[0].input", "graph.node[0].attribute", "graph.input[",
                             "graph.initializer[", "graph.node[0].output"})
      if (mutant.what.starts_with(part)) mutants.push_back(std::move(mutant));
  EXPECT_GT(useAll(mutants).refused, 5u);
}

INSTANTIATE_TEST_SUITE_P(Malformed, OfOperator, testing::ValuesIn(operators()),
                         [](const auto& info) { return std::string(info.param.type); });

// ---- Bytes
// ------------------------------------------------------------------------------------------

TEST(Malformed, CutShortAtEveryByte) {
  const std::string whole = wholeModel().SerializeAsString();
  std::vector<Mutant> mutants;
  for (size_t size = 0; size < whole.size(); ++size)
    mutants.push_back({fmt::format("{} bytes", size), whole.substr(0, size)});
  EXPECT_EQ(useAll(mutants).answered, 0u);
}

// ---- Depth
// ------------------------------------------------------------------------------------------

/// A model of one node that calls itself through functions or lies below many subgraphs.
schema::ModelProto oneNode(const std::string& type, const std::string& domain) {
  schema::ModelProto model;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    ir_version: 8 opset_import { version: 17 } opset_import { domain: "local" version: 1 }
    graph { name: "net"
      input { name: "x" type { tensor_type { elem_type: 1 shape { dim { dim_value: 2 } } } } }
      output { name: "y" type { tensor_type { elem_type: 1 } } }
      node { name: "n" input: "x" output: "y" } })",
                                                            &model));
  model.mutable_graph()->mutable_node(0)->set_op_type(type);
  model.mutable_graph()->mutable_node(0)->set_domain(domain);
  return model;
}

void addFunction(schema::ModelProto& model, const std::string& name, const std::string& callee,
                 int calls) {
  schema::FunctionProto& function = *model.add_functions();
  function.set_name(name);
  function.set_domain("local");
  function.add_input("a0");
  function.add_output(fmt::format("a{}", calls));
  function.add_opset_import()->set_version(17);
  for (int i = 0; i < calls; ++i) {
    schema::NodeProto& node = *function.add_node();
    node.set_op_type(callee);
    if (callee != "Relu") node.set_domain("local");
    node.add_input(fmt::format("a{}", i));
    node.add_output(fmt::format("a{}", i + 1));
  }
}

TEST(Malformed, FunctionsThatCallThemselves) {
  schema::ModelProto direct = oneNode("F", "local");
  addFunction(direct, "F", "F", 1);
  schema::ModelProto mutual = oneNode("F", "local");
  addFunction(mutual, "F", "G", 1);
  addFunction(mutual, "G", "F", 1);
  const Count count =
      useAll({{"direct", direct.SerializeAsString()}, {"mutual", mutual.SerializeAsString()}});
  EXPECT_EQ(count.refused, 2u);
}

TEST(Malformed, FunctionsThatMultiply) {
  schema::ModelProto model = oneNode("F0", "local");
  for (int i = 0; i < 12; ++i)
    addFunction(model, fmt::format("F{}", i), i == 11 ? "Relu" : fmt::format("F{}", i + 1), 10);
  EXPECT_EQ(useAll({{"10^12 nodes", model.SerializeAsString()}}).refused, 1u);
}

TEST(Malformed, SubgraphsWithinSubgraphs) {
  schema::ModelProto model = oneNode("If", "");
  schema::GraphProto* graph = model.mutable_graph();
  for (int depth = 0; depth < 1000; ++depth) {
    schema::AttributeProto& attribute = *graph->mutable_node(0)->add_attribute();
    attribute.set_name("then_branch");
    attribute.set_type(schema::AttributeProto::GRAPH);
    graph = attribute.mutable_g();
    schema::NodeProto& node = *graph->add_node();
    node.set_op_type("If");
    node.add_input("x");
    node.add_output("y");
  }
  EXPECT_EQ(useAll({{"1000 deep", model.SerializePartialAsString()}}).refused, 1u);
}

} // namespace
} // namespace enfold::malformed
