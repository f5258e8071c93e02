// Branches, loops, scans and sequences: what they are imported as, and what is refused.
#include "Support.h"

#include <fmt/format.h>

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32, I64 = ElemType::I64, Bool = ElemType::Bool;

Message boolean(std::string_view name, bool value) {
  return rawTensor(name, Bool, {}, std::string(1, value ? '\1' : '\0'));
}

Message integer(std::string_view name, int64_t value) {
  return rawTensor(name, I64, {}, {reinterpret_cast<const char*>(&value), sizeof value});
}

ModelSpec simple(std::vector<NodeSpec> nodes, const std::vector<Dim>& shape = {2},
                 std::vector<Message> initializers = {}) {
  return {.graph = {.inputs = {valueInfo("x", F32, shape)},
                    .outputs = {valueInfo("y", F32)},
                    .initializers = std::move(initializers),
                    .nodes = std::move(nodes)}};
}

std::vector<float> floatsOf(const Tensor& tensor) {
  const auto values = tensor.values<float>();
  return {values.begin(), values.end()};
}

std::vector<float> answerOf(const ModelSpec& spec, std::vector<Tensor> inputs) {
  const ImportedModel model = imported(test::model(spec));
  return model.graph->outputs().empty() ? std::vector<float>{}
                                        : floatsOf(answers(*model.graph, std::move(inputs))[0]);
}

Tensor row(std::initializer_list<float> values) {
  return Tensor::of<float>({static_cast<int64_t>(values.size())}, values);
}

std::vector<OpKind> kindsOf(const enfold::Graph& graph) {
  std::vector<OpKind> kinds;
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) kinds.push_back(op->kind());
  return kinds;
}

// ---- If -----------------------------------------------------------------------------------------

NodeSpec branch(const Message& then, const Message& other) {
  return {
      "If", {"c"}, {"y"}, {graphAttr("then_branch", then), graphAttr("else_branch", other)}, "if"};
}

Message oneOp(std::string_view type) {
  return graph({.outputs = {valueInfo("r", F32)}, .nodes = {{std::string(type), {"x"}, {"r"}}}});
}

TEST(If, AKnownConditionChooses) {
  for (const bool value : {true, false}) {
    const ModelSpec spec = simple({branch(oneOp("Neg"), oneOp("Abs"))}, {2}, {boolean("c", value)});
    EXPECT_EQ(kindsOf(*imported(test::model(spec)).graph),
              std::vector{value ? OpKind::Neg : OpKind::Abs});
  }
}

TEST(If, AnyOtherSelectsBetweenBoth) {
  ModelSpec spec = simple({branch(oneOp("Neg"), oneOp("Abs"))});
  spec.graph.inputs.push_back(valueInfo("c", Bool, {}));
  EXPECT_EQ(answerOf(spec, {row({1, -2}), Tensor::scalar(true)}), (std::vector<float>{-1, 2}));
  EXPECT_EQ(answerOf(spec, {row({1, -2}), Tensor::scalar(false)}), (std::vector<float>{1, 2}));
}

TEST(If, BranchesOfDifferentTypesAreRefused) {
  const Message longer = graph({.outputs = {valueInfo("r", F32)},
                                .nodes = {{"Concat", {"x", "x"}, {"r"}, {intAttr("axis", 0)}}}});
  ModelSpec spec = simple({branch(oneOp("Neg"), longer)});
  spec.graph.inputs.push_back(valueInfo("c", Bool, {}));
  expectRefused(test::model(spec), {"If 'if'", "f32[2]", "f32[4]"});
  spec.graph.inputs[1] = valueInfo("c", F32, {});
  expectRefused(test::model(spec), {"If 'if'", "condition", "bool"});
}

// ---- Loop ---------------------------------------------------------------------------------------

/// s' = s + x, and a row s' · s' each; going on while `condition` says so.
Message adding(std::vector<NodeSpec> condition, std::string_view going) {
  std::vector<NodeSpec> nodes = {{"Add", {"s", "x"}, {"next"}}, {"Mul", {"next", "next"}, {"row"}}};
  nodes.insert(nodes.end(), condition.begin(), condition.end());
  return graph({.inputs = {valueInfo("i", I64, {}), valueInfo("go", Bool, {}), valueInfo("s", F32)},
                .outputs = {valueInfo(going, Bool, {}), valueInfo("next", F32, {2}),
                            valueInfo("row", F32, {2})},
                .nodes = std::move(nodes)});
}

TEST(Loop, OfKnownCountGivesStatesAndRows) {
  const Message body = adding({{"Identity", {"go"}, {"on"}}}, "on");
  for (const int64_t count : {0, 1, 3}) {
    ModelSpec spec =
        simple({{"Loop", {"count", "", "x"}, {"last", "y"}, {graphAttr("body", body)}}}, {2},
               {integer("count", count)});
    std::vector<float> expected;
    for (int64_t i = 0; i < count; ++i)
      for (const float x : {1.0f, -2.0f}) {
        const float s = x * static_cast<float>(i + 2);
        expected.push_back(s * s);
      }
    const ImportedModel model = imported(test::model(spec));
    const auto results = answers(*model.graph, {row({1, -2})});
    EXPECT_EQ(results[0].shape(), (Shape{count, 2}));
    EXPECT_EQ(floatsOf(results[0]), expected);
    spec.graph.nodes[0].outputs = {"y"};
    const auto times = static_cast<float>(count + 1);
    EXPECT_EQ(answerOf(spec, {row({1, -2})}), (std::vector<float>{times, -2 * times}));
  }
}

/// Of at most five iterations, as many as leave the largest number below 4.
TEST(Loop, DataMayEndItEarly) {
  const std::vector<NodeSpec> below = {{"ReduceMax", {"next"}, {"most"}, {intAttr("keepdims", 0)}},
                                       {"Less", {"most", "four"}, {"on"}}};
  const Message body = adding(below, "on");
  const NodeSpec loop = {"Loop", {"count", "yes", "x"}, {"y"}, {graphAttr("body", body)}, "loop"};
  ModelSpec spec =
      simple({loop}, {2}, {integer("count", 5), boolean("yes", true), floats("four", {}, {4})});
  EXPECT_EQ(answerOf(spec, {row({1, 0})}), (std::vector<float>{4, 0}));
  EXPECT_EQ(answerOf(spec, {row({3, 1})}), (std::vector<float>{6, 2}));
  EXPECT_EQ(answerOf(spec, {row({0.5f, 0})}), (std::vector<float>{3, 0}));
  spec.graph.nodes[0].outputs = {"last", "y"};
  expectRefused(test::model(spec), {"Loop 'loop'", "how many rows"});
}

TEST(Loop, WithoutAnEndIsRefused) {
  const Message body = adding({{"Identity", {"go"}, {"on"}}}, "on");
  const NodeSpec loop = {"Loop", {"", "", "x"}, {"y"}, {graphAttr("body", body)}, "loop"};
  expectRefused(test::model(simple({loop})), {"Loop 'loop'", "iterations"});
  ModelSpec open = simple({loop});
  open.graph.nodes[0].inputs[0] = "n";
  open.graph.inputs.push_back(valueInfo("n", I64, {}));
  expectRefused(test::model(open), {"Loop 'loop'", "'n'"});
  expectRefused(test::model(simple({{"Loop", {"", "", "x"}, {"y"}, {}, "loop"}})),
                {"Loop 'loop'", "body"});
}

// ---- Scan ---------------------------------------------------------------------------------------

/// s' = s + e, and a row 2 s'.
Message summing() {
  return graph({.inputs = {valueInfo("s", F32), valueInfo("e", F32)},
                .outputs = {valueInfo("next", F32), valueInfo("row", F32)},
                .nodes = {{"Add", {"s", "e"}, {"next"}}, {"Add", {"next", "next"}, {"row"}}}});
}

TEST(Scan, BothDirectionsAndAnyAxis) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6}; // [2, 3]
  const auto run = [&](std::vector<Message> attrs, std::vector<float> start, const Shape& shape) {
    attrs.push_back(graphAttr("body", summing()));
    attrs.push_back(intAttr("num_scan_inputs", 1));
    ModelSpec spec = simple({{"Scan", {"start", "x"}, {"last", "y"}, std::move(attrs)}}, {2, 3},
                            {floats("start", {static_cast<int64_t>(start.size())}, start)});
    const auto results =
        answers(*imported(test::model(spec)).graph, {Tensor::of<float>({2, 3}, x)});
    EXPECT_EQ(results[0].shape(), shape);
    return floatsOf(results[0]);
  };
  EXPECT_EQ(run({}, {0, 0, 0}, {2, 3}), (std::vector<float>{2, 4, 6, 10, 14, 18}));
  EXPECT_EQ(run({intsAttr("scan_input_directions", {1})}, {0, 0, 0}, {2, 3}),
            (std::vector<float>{8, 10, 12, 10, 14, 18}));
  EXPECT_EQ(
      run({intsAttr("scan_input_axes", {1}), intsAttr("scan_output_axes", {-1})}, {0, 0}, {2, 3}),
      (std::vector<float>{2, 6, 12, 8, 18, 30}));
  EXPECT_EQ(run({intsAttr("scan_input_axes", {1}), intsAttr("scan_output_directions", {1})}, {0, 0},
                {3, 2}),
            (std::vector<float>{12, 30, 6, 18, 2, 8}));
}

TEST(Scan, BadAttributesAreRefused) {
  const auto scan = [](std::vector<Message> attrs) {
    attrs.push_back(graphAttr("body", summing()));
    return test::model(simple({{"Scan", {"x", "x"}, {"last", "y"}, std::move(attrs), "scan"}}));
  };
  expectRefused(scan({}), {"Scan 'scan'"});
  expectRefused(scan({intAttr("num_scan_inputs", 3)}), {"Scan 'scan'", "3"});
  expectRefused(scan({intAttr("num_scan_inputs", 1), intsAttr("scan_input_axes", {4})}),
                {"Scan 'scan'", "axis 4"});
  expectRefused(scan({intAttr("num_scan_inputs", 1), intsAttr("scan_input_directions", {2})}),
                {"Scan 'scan'", "scan_input_directions"});
}

// ---- Sequences ----------------------------------------------------------------------------------

TEST(Sequence, BuiltChangedAndJoined) {
  const std::vector<NodeSpec> nodes = {{"Neg", {"x"}, {"minus"}},
                                       {"SequenceConstruct", {"x", "minus"}, {"a"}},
                                       {"SequenceInsert", {"a", "x", "zero"}, {"b"}},
                                       {"SequenceErase", {"b", "last"}, {"c"}},
                                       {"SequenceInsert", {"c", "minus"}, {"d"}},
                                       {"ConcatFromSequence", {"d"}, {"y"}, {intAttr("axis", 0)}}};
  EXPECT_EQ(answerOf(simple(nodes, {2}, {integer("zero", 0), integer("last", -1)}), {row({1, 2})}),
            (std::vector<float>{1, 2, 1, 2, -1, -2}));
}

TEST(Sequence, SplitAndTaken) {
  const auto part = [](int64_t at, std::vector<Message> attrs) {
    return simple({{"SplitToSequence", {"x"}, {"parts"}, std::move(attrs)},
                   {"SequenceAt", {"parts", "at"}, {"y"}, {}, "take"}},
                  {3, 2}, {integer("at", at)});
  };
  const Tensor x = Tensor::of<float>({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(answerOf(part(1, {}), {x}), (std::vector<float>{3, 4}));
  EXPECT_EQ(answerOf(part(-1, {intAttr("axis", 1), intAttr("keepdims", 0)}), {x}),
            (std::vector<float>{2, 4, 6}));
  for (const int64_t wrong : {3, -4})
    expectRefused(test::model(part(wrong, {})),
                  {"SequenceAt 'take'", fmt::format("position {}", wrong)});
}

TEST(Sequence, NoTensors) {
  const NodeSpec construct = {"SequenceConstruct", {"x", "x"}, {"list"}};
  expectRefused(test::model(simple({construct, {"Relu", {"list"}, {"y"}, {}, "relu"}})),
                {"Relu 'relu'", "'list'", "sequence"});
  expectRefused(test::model(simple({{"SequenceConstruct", {"x"}, {"y"}}})), {"'y'", "sequence"});
  expectRefused(test::model(simple({{"SequenceLength", {"x"}, {"y"}, {}, "count"}})),
                {"SequenceLength 'count'", "no sequence"});
}

} // namespace
} // namespace enfold::onnx::test
