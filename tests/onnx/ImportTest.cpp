// Models as files state them: versions, inputs and initializers, constants, omitted operands,
// defaults that changed, symbolic sizes, the order of nodes, and everything that is refused.
#include "Support.h"

#include <fmt/format.h>

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32, I64 = ElemType::I64;

/// y = nodes(x), x of that shape.
ModelSpec simple(std::vector<NodeSpec> nodes, const std::vector<Dim>& shape = {2, 3},
                 std::vector<Message> initializers = {}) {
  return {.graph = {.inputs = {valueInfo("x", F32, shape)},
                    .outputs = {valueInfo("y", F32)},
                    .initializers = std::move(initializers),
                    .nodes = std::move(nodes)}};
}

ModelSpec atOpset(ModelSpec spec, int64_t opset) {
  spec.opset = opset;
  return spec;
}

/// The answer for x as floats.
std::vector<float> answerOf(const ModelSpec& spec, const Shape& shape, std::vector<float> x) {
  const ImportedModel model = imported(test::model(spec));
  if (model.graph->outputs().empty()) return {};
  const auto results = answers(*model.graph, {Tensor::of<float>(shape, x)});
  const auto values = results[0].values<float>();
  return {values.begin(), values.end()};
}

std::vector<OpKind> kindsOf(const enfold::Graph& graph) {
  std::vector<OpKind> kinds;
  for (const auto& op : graph.ops())
    if (op->kind() != OpKind::Constant) kinds.push_back(op->kind());
  return kinds;
}

// ---- Versions
// ---------------------------------------------------------------------------------------

TEST(Import, EveryIrVersionAndOpset) {
  ModelSpec spec = simple({{"Relu", {"x"}, {"y"}}});
  for (spec.irVersion = kOldestIrVersion; spec.irVersion <= kNewestIrVersion; ++spec.irVersion)
    EXPECT_EQ(imported(test::model(spec)).signature.irVersion, spec.irVersion);
  spec.irVersion = kOldestIrVersion - 1;
  expectRefused(test::model(spec), {"IR version 2"});
  spec.irVersion = kNewestIrVersion + 1;
  expectRefused(test::model(spec), {"IR version 15"});
  spec.irVersion = 8;
  for (spec.opset = kOldestOpset; spec.opset <= kNewestOpset; ++spec.opset)
    EXPECT_EQ(imported(test::model(spec)).signature.opsets.at(""), spec.opset);
  for (const int64_t opset : {int64_t{29}, int64_t{0}, int64_t{-1}, INT64_MAX})
    expectRefused(test::model(atOpset(spec, opset)), {fmt::format("opset {}", opset)});
}

TEST(Import, TheOpsetMustBeStatedOnce) {
  ModelSpec spec = simple({{"Relu", {"x"}, {"y"}}});
  spec.domains = {{"ai.onnx", 18}};
  EXPECT_EQ(imported(test::model(spec)).signature.opsets.at(""), 18);
  spec.domains = {{"ai.onnx", 17}};
  expectRefused(test::model(spec), {"two opsets"});
  const Message bare = Message().number(1, 8).message(7, graph(spec.graph));
  expectRefused(bare.bytes(), {"opset"});
}

// ---- Inputs and initializers
// ------------------------------------------------------------------------

ModelSpec withDefault(int64_t irVersion) {
  ModelSpec spec = simple({{"Add", {"x", "w"}, {"y"}}}, {2}, {floats("w", {2}, {10, 20})});
  spec.graph.inputs.push_back(valueInfo("w", F32, {2}));
  spec.irVersion = irVersion;
  return spec;
}

TEST(Import, BeforeIrVersion4InitializersAreConstantsAlthoughListedAsInputs) {
  const ImportedModel model = imported(test::model(withDefault(3)));
  ASSERT_EQ(model.graph->inputs().size(), 1U);
  EXPECT_TRUE(model.inputDefaults.empty());
  EXPECT_TRUE(model.graph->find("w")->constant());
}

TEST(Import, FromIrVersion4OnTheyAreDefaultsOfInputs) {
  const ImportedModel model = imported(test::model(withDefault(4)));
  ASSERT_EQ(model.graph->inputs().size(), 2U);
  EXPECT_TRUE(model.inputDefaults.at("w") == Tensor::of<float>({2}, {10, 20}));
  EXPECT_EQ(model.notes.size(), 1U);
}

TEST(Import, DefaultsCanBeFrozen) {
  ImportOptions options;
  options.initializers = ImportOptions::Initializers::Frozen;
  EXPECT_EQ(imported(test::model(withDefault(8)), options).graph->inputs().size(), 1U);
  options.overridden = {"w"};
  EXPECT_EQ(imported(test::model(withDefault(8)), options).graph->inputs().size(), 2U);
}

TEST(Import, InputsCanBeBoundToValues) {
  ImportOptions options;
  options.values.emplace("x", Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const std::string bytes = test::model(simple({{"Relu", {"x"}, {"y"}}}));
  EXPECT_TRUE(imported(bytes, options).graph->inputs().empty());
  options.values.insert_or_assign("x", Tensor::of<float>({2}, {1, 2}));
  expectRefused(bytes, {"'x'"}, options);
}

TEST(Import, AnInputWithADefaultThatDecidesShapesIsCompiledIn) {
  ModelSpec spec = simple({{"Reshape", {"x", "shape"}, {"y"}}}, {2, 3}, {ints("shape", {3, 2})});
  spec.graph.inputs.push_back(valueInfo("shape", I64, {2}));
  const ImportedModel model = imported(test::model(spec));
  EXPECT_EQ(model.graph->inputs().size(), 1U);
  EXPECT_EQ(model.graph->outputs()[0]->shape(), (Shape{3, 2}));
}

// ---- Constants
// --------------------------------------------------------------------------------------

TEST(Import, ConstantsOfEveryForm) {
  const auto constant = [](const Message& attr) {
    return imported(test::model({.graph = {.outputs = {valueInfo("y", ElemType::Undefined)},
                                           .nodes = {{"Constant", {}, {"y"}, {attr}}}}}));
  };
  const auto expect = [&](const Message& attr, const Tensor& value) {
    const ImportedModel model = constant(attr);
    ASSERT_EQ(model.graph->outputs().size(), 1U);
    EXPECT_TRUE(*model.graph->outputs()[0]->constant() == value);
  };
  expect(tensorAttr("value", floats("", {2, 1}, {1, 2})), Tensor::of<float>({2, 1}, {1, 2}));
  expect(floatAttr("value_float", 1.5f), Tensor::scalar(1.5f));
  expect(floatsAttr("value_floats", {1, 2}), Tensor::of<float>({2}, {1, 2}));
  expect(intAttr("value_int", -7), Tensor::scalar(int64_t{-7}));
  expect(intsAttr("value_ints", {3, 4}), Tensor::of<int64_t>({2}, {3, 4}));
  const auto refused = [](std::vector<Message> attrs, std::string_view word) {
    expectRefused(
        test::model({.graph = {.outputs = {valueInfo("y", F32)},
                               .nodes = {{"Constant", {}, {"y"}, std::move(attrs), "c"}}}}),
        {"Constant 'c'", word});
  };
  refused({textAttr("value_string", "a")}, "strings");
  refused({}, "exactly one");
  refused({intAttr("value_int", 1), floatAttr("value_float", 1)}, "exactly one");
  refused({intAttr("a", 1)}, "exactly one");
}

// ---- Operands and attributes
// ------------------------------------------------------------------------

TEST(Import, OmittedOperands) {
  const Message top = floats("top", {}, {1});
  const ModelSpec clip = simple({{"Clip", {"x", "", "top"}, {"y"}}}, {3}, {top});
  EXPECT_EQ(answerOf(clip, {3}, {-5, 0.5f, 7}), (std::vector<float>{-5, 0.5f, 1}));
  const ModelSpec open = simple({{"Clip", {"x", "", ""}, {"y"}}}, {3});
  EXPECT_EQ(answerOf(open, {3}, {-5, 0.5f, 7}), (std::vector<float>{-5, 0.5f, 7}));
  expectRefused(test::model(simple({{"Add", {"x", ""}, {"y"}, {}, "sum"}})), {"Add 'sum'", "'b'"});
  expectRefused(test::model(simple({{"Add", {"x"}, {"y"}, {}, "sum"}})), {"Add 'sum'", "'b'"});
  expectRefused(test::model(simple({{"Relu", {"x", "x"}, {"y"}, {}, "act"}})),
                {"Relu 'act'", "at most 1"});
}

TEST(Import, OmittedResults) {
  const ModelSpec spec =
      simple({{"TopK", {"x", "k"}, {"", "i"}, {}}, {"Cast", {"i"}, {"y"}, {intAttr("to", 1)}}}, {3},
             {ints("k", {2})});
  EXPECT_EQ(answerOf(spec, {3}, {5, 9, 7}), (std::vector<float>{1, 2}));
  expectRefused(test::model(simple({{"Relu", {"x"}, {}, {}, "act"}})),
                {"Relu 'act'", "no outputs"});
}

TEST(Import, DefaultsOfTheOpset) {
  // Softmax went over everything from axis 1 on until opset 12, over the last axis from 13 on.
  const ModelSpec softmax = simple({{"Softmax", {"x"}, {"y"}}}, {1, 2, 2});
  const std::vector<float> x(4, 0.0f);
  EXPECT_EQ(answerOf(atOpset(softmax, 12), {1, 2, 2}, x), std::vector<float>(4, 0.25f));
  EXPECT_EQ(answerOf(atOpset(softmax, 13), {1, 2, 2}, x), std::vector<float>(4, 0.5f));
  // Without bounds, Clip of opset 6 limits to what a float can hold.
  const ModelSpec clip = simple({{"Clip", {"x"}, {"y"}, {floatAttr("max", 1)}}}, {2});
  EXPECT_EQ(answerOf(atOpset(clip, 7), {2}, {-5, 5}), (std::vector<float>{-5, 1}));
  // LeakyRelu's slope is a hundredth unless told.
  EXPECT_EQ(answerOf(simple({{"LeakyRelu", {"x"}, {"y"}}}, {1}), {1}, {-100}),
            (std::vector<float>{-1}));
  // Transpose reverses.
  EXPECT_EQ(answerOf(simple({{"Transpose", {"x"}, {"y"}}}), {2, 3}, {1, 2, 3, 4, 5, 6}),
            (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(Import, FormsBeforeOpset7) {
  // Broadcasting was aligned by an axis.
  const ModelSpec add =
      simple({{"Add", {"x", "b"}, {"y"}, {intAttr("broadcast", 1), intAttr("axis", 0)}}}, {2, 2},
             {floats("b", {2}, {10, 20})});
  EXPECT_EQ(answerOf(atOpset(add, 6), {2, 2}, {1, 2, 3, 4}), (std::vector<float>{11, 12, 23, 24}));
  // A slope belonged to a channel, even where the last axis has as many elements.
  const ModelSpec prelu =
      simple({{"PRelu", {"x", "s"}, {"y"}}}, {1, 2, 2}, {floats("s", {2}, {10, 100})});
  EXPECT_EQ(answerOf(atOpset(prelu, 6), {1, 2, 2}, {-1, -2, -3, -4}),
            (std::vector<float>{-10, -20, -300, -400}));
  const ModelSpec reshape = simple({{"Reshape", {"x"}, {"y"}, {intsAttr("shape", {3, 2})}}}, {6});
  EXPECT_EQ(imported(test::model(atOpset(reshape, 4))).graph->outputs()[0]->shape(), (Shape{3, 2}));
  const ModelSpec pad =
      simple({{"Pad", {"x"}, {"y"}, {intsAttr("paddings", {1, 0}), floatAttr("value", 7)}}}, {1});
  EXPECT_EQ(answerOf(atOpset(pad, 1), {1}, {5}), (std::vector<float>{7, 5}));
}

TEST(Import, SamplesSettleWhatDecidesShapes) {
  ModelSpec spec = simple({{"Expand", {"x", "shape"}, {"y"}}}, {1});
  spec.graph.inputs.push_back(valueInfo("shape", I64, {1}));
  expectRefused(test::model(spec), {"Expand"});
  ImportOptions options;
  options.samples = {{"", Tensor::of<float>({1}, {5})}, {"", Tensor::of<int64_t>({1}, {3})}};
  const ImportedModel model = imported(test::model(spec), options);
  EXPECT_EQ(model.graph->outputs()[0]->shape(), Shape{3});
  EXPECT_EQ(model.graph->inputs().size(), 1U) << "what decides no shape stays an input";
  EXPECT_TRUE(model.boundInputs.contains("shape"));
}

TEST(Import, SamplesMayGiveOneNameTwoSizes) {
  ModelSpec spec = simple({{"Concat", {"x", "z"}, {"y"}, {intAttr("axis", 1)}}}, {"n", "n"});
  spec.graph.inputs.push_back(valueInfo("z", F32, {"n", 1}));
  ImportOptions options;
  options.samples = {{"x", Tensor(F32, {2, 3})}, {"z", Tensor(F32, {2, 1})}};
  EXPECT_EQ(imported(test::model(spec), options).graph->outputs()[0]->shape(), (Shape{2, 4}));
}

TEST(Import, ResultsLeftOutAreCounted) {
  const ModelSpec split = simple({{"Split", {"x"}, {"y", ""}, {intAttr("axis", 1)}}}, {1, 4});
  for (const int64_t opset : {11, 13})
    EXPECT_EQ(answerOf(atOpset(split, opset), {1, 4}, {1, 2, 3, 4}), (std::vector<float>{1, 2}));
  const ModelSpec sized =
      simple({{"Split", {"x", "sizes"}, {"y", ""}}}, {3}, {ints("sizes", {2, 1})});
  EXPECT_EQ(answerOf(sized, {3}, {1, 2, 3}), (std::vector<float>{1, 2}));
}

TEST(Import, StatisticsOfLayerNormalizationAreSingle) {
  const auto spec = [](ElemType elem) {
    ModelSpec norm = simple({{"LayerNormalization", {"x", "x"}, {"z", "y"}}});
    norm.graph.inputs = {valueInfo("x", elem, {2})};
    return norm;
  };
  for (const ElemType elem : {ElemType::F16, F32, ElemType::F64})
    EXPECT_EQ(imported(test::model(spec(elem))).graph->outputs()[0]->elem(), F32);
}

TEST(Import, OperandsThatWereAttributes) {
  const ModelSpec squeeze = simple({{"Squeeze", {"x"}, {"y"}, {intsAttr("axes", {0})}}}, {1, 3});
  EXPECT_EQ(imported(test::model(atOpset(squeeze, 11))).graph->outputs()[0]->shape(), Shape{3});
  expectRefused(test::model(atOpset(squeeze, 13)), {"Squeeze", "'axes'"});
  const ModelSpec sum =
      simple({{"ReduceSum", {"x"}, {"y"}, {intsAttr("axes", {1}), intAttr("keepdims", 0)}}});
  EXPECT_EQ(answerOf(atOpset(sum, 11), {2, 3}, {1, 2, 3, 4, 5, 6}), (std::vector<float>{6, 15}));
  const ModelSpec slice =
      simple({{"Slice", {"x"}, {"y"}, {intsAttr("starts", {1}), intsAttr("ends", {99})}}}, {3});
  EXPECT_EQ(answerOf(atOpset(slice, 9), {3}, {1, 2, 3}), (std::vector<float>{2, 3}));
}

TEST(Import, AttributesOfTheWrongKindOrNameAreRefused) {
  const auto relu = [](const Message& attr) {
    return test::model(simple({{"LeakyRelu", {"x"}, {"y"}, {attr}, "act"}}));
  };
  expectRefused(relu(intAttr("alpha", 1)), {"LeakyRelu 'act'", "'alpha'", "kind"});
  expectRefused(relu(floatAttr("slope", 1)), {"LeakyRelu 'act'", "'slope'"});
  expectRefused(
      test::model(simple(
          {{"LeakyRelu", {"x"}, {"y"}, {floatAttr("alpha", 1), floatAttr("alpha", 2)}, "act"}})),
      {"LeakyRelu 'act'", "twice"});
}

// ---- Sizes
// ------------------------------------------------------------------------------------------

TEST(Import, SymbolicSizesAreBound) {
  const std::string bytes = test::model(simple({{"Relu", {"x"}, {"y"}}}, {{"N"}, 3, {"W"}}));
  ImportOptions options;
  expectRefused(bytes, {"'x'", "[N,3,W]", "--shape"}, options);
  options.dims = {{"N", 2}, {"W", 5}};
  EXPECT_EQ(imported(bytes, options).graph->outputs()[0]->shape(), (Shape{2, 3, 5}));
  options.dims = {};
  options.shapes = {{"x", {4, 3, 7}}};
  EXPECT_EQ(imported(bytes, options).graph->outputs()[0]->shape(), (Shape{4, 3, 7}));
  options.shapes = {{"x", {4, 2, 7}}};
  expectRefused(bytes, {"'x'", "[4,2,7]"}, options);
  options.shapes = {{"x", {4, 3}}};
  expectRefused(bytes, {"'x'", "[4,3]"}, options);
  options.shapes = {{"z", {4, 3}}};
  expectRefused(bytes, {"'z'"}, options);
}

TEST(Import, AnOpenBatchIsOneImage) {
  for (const std::string symbol : {"N", "None", ""}) {
    const std::string bytes = test::model(simple({{"Relu", {"x"}, {"y"}}}, {{symbol}, 3, 5}));
    const ImportedModel model = imported(bytes);
    EXPECT_EQ(model.graph->outputs()[0]->shape(), (Shape{1, 3, 5}));
    ASSERT_EQ(model.notes.size(), 1u);
    EXPECT_NE(model.notes[0].find("--shape x=1x3x5"), std::string::npos) << model.notes[0];
  }
  // A symbol means the same wherever it stands.
  const std::string square = test::model(simple({{"Relu", {"x"}, {"y"}}}, {{"N"}, {"N"}}));
  EXPECT_EQ(imported(square).graph->outputs()[0]->shape(), (Shape{1, 1}));
  // No batch, and what was stated.
  expectRefused(test::model(simple({{"Relu", {"x"}, {"y"}}}, {{"N"}})), {"'x'", "[N]"});
  ImportOptions options;
  options.dims = {{"N", 2}};
  const ImportedModel stated = imported(square, options);
  EXPECT_EQ(stated.graph->outputs()[0]->shape(), (Shape{2, 2}));
  EXPECT_TRUE(stated.notes.empty());
}

TEST(Import, OneSymbolIsOneSizeEverywhere) {
  ModelSpec spec = simple({{"Add", {"x", "z"}, {"y"}}}, {{"N"}});
  spec.graph.inputs.push_back(valueInfo("z", F32, {{"N"}}));
  ImportOptions options;
  options.shapes = {{"x", {6}}};
  EXPECT_EQ(imported(test::model(spec), options).graph->find("z")->shape(), Shape{6});
  options.shapes = {{"x", {6}}, {"z", {5}}};
  expectRefused(test::model(spec), {"'N'", "5", "6"}, options);
}

TEST(Import, SizesWithoutANameAreStatedOneByOne) {
  ModelSpec spec = simple({{"Concat", {"x", "z"}, {"y"}, {intAttr("axis", 0)}}}, {{""}});
  spec.graph.inputs.push_back(valueInfo("z", F32, {{"?"}}));
  ImportOptions options;
  options.shapes = {{"x", {6}}, {"z", {5}}};
  EXPECT_EQ(imported(test::model(spec), options).graph->outputs()[0]->shape(), Shape{11});
}

TEST(Import, ImpossibleSizesAreRefused) {
  const auto sized = [](const std::vector<Dim>& dims) {
    return test::model(simple({{"Relu", {"x"}, {"y"}}}, dims));
  };
  expectRefused(sized({-2}), {"'x'", "-2"});
  expectRefused(sized({INT64_MIN}), {"'x'"});
  expectRefused(sized({INT64_MAX, 2}), {});
  expectRefused(sized({int64_t{1} << 32, int64_t{1} << 32}), {});
  ModelSpec expand =
      simple({{"Expand", {"x", "s"}, {"y"}, {}, "big"}}, {1}, {ints("s", {1 << 30, 1 << 30})});
  expectRefused(test::model(expand), {"Expand 'big'"});
  expand.graph.initializers = {ints("s", {-3})};
  expectRefused(test::model(expand), {"Expand 'big'"});
}

// ---- Nodes
// ------------------------------------------------------------------------------------------

TEST(Import, NodesMayStandInAnyOrder) {
  const ModelSpec spec =
      simple({{"Neg", {"b"}, {"y"}}, {"Abs", {"a"}, {"b"}}, {"Exp", {"x"}, {"a"}}});
  EXPECT_EQ(kindsOf(*imported(test::model(spec)).graph),
            (std::vector{OpKind::Exp, OpKind::Abs, OpKind::Neg}));
}

TEST(Import, ALongChainInReverseOrder) {
  std::vector<NodeSpec> nodes;
  constexpr int kLength = 20'000;
  for (int i = kLength; i-- > 0;)
    nodes.push_back({"Neg",
                     {i == 0 ? "x" : fmt::format("v{}", i - 1)},
                     {i == kLength - 1 ? "y" : fmt::format("v{}", i)}});
  EXPECT_EQ(kindsOf(*imported(test::model(simple(nodes))).graph).size(), size_t{kLength});
}

TEST(Import, CyclesAndMissingValuesAreRefused) {
  expectRefused(test::model(simple({{"Add", {"x", "y"}, {"y"}, {}, "self"}})),
                {"Add 'self'", "depends on itself"});
  expectRefused(test::model(simple({{"Add", {"x", "b"}, {"a"}, {}, "one"},
                                    {"Relu", {"a"}, {"b"}, {}, "two"},
                                    {"Relu", {"b"}, {"y"}, {}, "three"}})),
                {"Add 'one'", "depends on itself", "'two'"});
  expectRefused(test::model(simple({{"Add", {"x", "w"}, {"y"}, {}, "sum"}})),
                {"Add 'sum'", "'w'", "nowhere"});
  expectRefused(test::model(simple({{"Relu", {"x"}, {"z"}}})), {"'y'", "no node computes it"});
  expectRefused(test::model({.graph = {.nodes = {{"Relu", {"x"}, {"y"}}}}}), {"no outputs"});
}

TEST(Import, DuplicateNamesAreRefused) {
  expectRefused(
      test::model(simple({{"Relu", {"x"}, {"y"}, {}, "one"}, {"Abs", {"x"}, {"y"}, {}, "two"}})),
      {"Abs 'two'", "'y'", "'one'"});
  const NodeSpec shadow = {"Constant", {}, {"x"}, {floatAttr("value_float", 1)}, "shadow"};
  expectRefused(test::model(simple({shadow, {"Relu", {"x"}, {"y"}}})), {"'x'"});
  const Message w = floats("w", {1}, {1});
  expectRefused(test::model(simple({{"Add", {"x", "w"}, {"y"}}}, {1}, {w, w})), {"'w'", "twice"});
  ModelSpec twoInputs = simple({{"Relu", {"x"}, {"y"}}});
  twoInputs.graph.inputs.push_back(twoInputs.graph.inputs[0]);
  expectRefused(test::model(twoInputs), {"'x'", "twice"});
}

TEST(Import, AnOutputMayBeListedTwice) {
  ModelSpec twice = simple({{"Neg", {"x"}, {"y"}}}, {2});
  twice.graph.outputs.push_back(twice.graph.outputs[0]);
  const ImportedModel model = imported(test::model(twice));
  ASSERT_EQ(model.graph->outputs().size(), 2U);
  for (const Tensor& y : answers(*model.graph, {Tensor::of<float>({2}, {1, 2})}))
    EXPECT_TRUE(y == Tensor::of<float>({2}, {-1, -2}));
}

TEST(Import, WhatIsWrongWithAConstantThatNobodyReadsDoesNotMatter) {
  const Message strings = tensorHeader("unread", 8, {1}).text(6, "text");
  const Message unknown = tensorHeader("unread", 99, {1});
  const Message cutShort = rawTensor("unread", F32, {5}, "abc");
  const Message elsewhere = externalTensor("unread", {2}, "no/such/file");
  const Message tooLarge = externalTensor("unread", {int64_t{1} << 40, 64}, "no/such/file");
  const Message negative = tensorHeader("unread", 1, {-3});
  for (const Message& unread : {strings, unknown, cutShort, elsewhere, tooLarge, negative}) {
    ModelSpec spec = simple({{"Relu", {"x"}, {"y"}}}, {2, 3}, {unread});
    EXPECT_EQ(imported(test::model(spec)).graph->outputs().size(), 1U);
    for (const int64_t version :
         {3, 8}) { // as an input too, with a type that is no tensor of numbers
      spec.irVersion = version;
      spec.graph.inputs = {valueInfo("x", F32, {2, 3}), valueInfo("unread", F32, {1})};
      EXPECT_EQ(imported(test::model(spec)).graph->inputs().size(), 1U);
    }
    // Two of them, and a function of none.
    spec = simple({{"Relu", {"x"}, {"y"}}}, {2, 3}, {unread, unread});
    EXPECT_EQ(imported(test::model(spec)).graph->outputs().size(), 1U);
    // Whoever reads it, a branch of an If as well, finds out.
    spec = simple({{"Add", {"x", "unread"}, {"y"}}}, {2, 3}, {unread});
    expectRefused(test::model(spec), {"'unread'"});
    const Message branch =
        graph({.outputs = {valueInfo("b", F32)}, .nodes = {{"Add", {"x", "unread"}, {"b"}}}});
    spec = simple({{"If",
                    {"c"},
                    {"y"},
                    {graphAttr("then_branch", branch), graphAttr("else_branch", branch)}}},
                  {2, 3}, {unread, rawTensor("c", ElemType::Bool, {}, std::string(1, '\1'))});
    expectRefused(test::model(spec), {"'unread'"});
    const NodeSpec constant = {"Constant", {}, {"k"}, {tensorAttr("value", unread)}, "constant"};
    EXPECT_TRUE(importBytes(test::model(simple({constant, {"Relu", {"x"}, {"y"}}}))));
    expectRefused(test::model(simple({constant, {"Add", {"x", "k"}, {"y"}}})),
                  {"Constant 'constant'"});
  }
  const NodeSpec text = {"Constant", {}, {"k"}, {textAttr("value_string", "a")}, "text"};
  EXPECT_TRUE(importBytes(test::model(simple({text, {"Relu", {"x"}, {"y"}}}))));
}

TEST(Import, EverythingUnsupportedIsReportedAtOnce) {
  ModelSpec spec = simple({{"StringSplit", {"x"}, {"a"}, {}, "words"},
                           {"Frobnicate", {"a"}, {"b"}, {}, "unknown"},
                           {"Relu", {"x"}, {"c"}, {}, "fine"},
                           {"NonZero", {"c"}, {"d"}, {}, "data"},
                           {"Thing", {"x"}, {"e"}, {}, "foreign", "some.domain"},
                           {"Gelu", {"x"}, {"y"}, {}, "young"}});
  spec.domains = {{"some.domain", 1}};
  for (const char* name : {"b", "d", "e"}) spec.graph.outputs.push_back(valueInfo(name, F32));
  const auto model = importBytes(test::model(spec));
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().kind, ErrorKind::Unsupported);
  const std::string text = model.error().str();
  for (const std::string_view word :
       {"StringSplit 'words' (opset 18)", "Frobnicate 'unknown' (opset 18)", "NonZero 'data'",
        "some.domain:Thing 'foreign' (opset 1)", "Gelu 'young' (opset 18)", "from opset 20 on"})
    EXPECT_NE(text.find(word), std::string::npos) << "no " << word << " in:\n" << text;
  EXPECT_EQ(model.error().diags.size(), 5U) << text;
}

/// Nodes that no output needs, constants that only these read, and nodes in their bodies.
TEST(Import, WhatNobodyNeedsIsNotImported) {
  const Message text = tensorHeader("text", 8, {1}).text(6, "a");
  ModelSpec spec = simple({{"StringSplit", {"text"}, {"a"}, {}, "words"},
                           {"Frobnicate", {"a", "y"}, {"b", ""}, {}, "unknown"},
                           {"Cast", {"x"}, {"c"}, {intAttr("to", 8)}, "string"},
                           {"Thing", {"c"}, {"d"}, {}, "foreign", "some.domain"},
                           {"Relu", {"x"}, {"y"}}},
                          {2, 3}, {text});
  spec.domains = {{"some.domain", 1}};
  EXPECT_EQ(imported(test::model(spec)).graph->numOps(), 1U);
  const std::string bytes = test::model(spec);
  EXPECT_TRUE(readSignature(std::as_bytes(std::span(bytes)), {})->unsupported.empty());
  spec.graph.outputs.push_back(valueInfo("d", F32));
  expectRefused(test::model(spec), {"'string'", "some.domain:Thing 'foreign'"});
}

TEST(Import, WrongTypesAreRefusedNamingTheNode) {
  ModelSpec spec = simple({{"Add", {"x", "z"}, {"y"}, {}, "sum"}}, {2, 3});
  spec.graph.inputs.push_back(valueInfo("z", F32, {2, 4}));
  expectRefused(test::model(spec), {"Add 'sum'", "[2,3]", "[2,4]"});
  spec.graph.inputs[1] = valueInfo("z", I64, {2, 3});
  expectRefused(test::model(spec), {"Add 'sum'", "i64"});
  expectRefused(test::model(simple({{"MatMul", {"x", "x"}, {"y"}, {}, "product"}})),
                {"MatMul 'product'"});
  expectRefused(test::model(simple({{"Conv", {"x", "x"}, {"y"}, {}, "conv"}})), {"Conv 'conv'"});
  ModelSpec declared = simple({{"Relu", {"x"}, {"y"}}});
  declared.graph.outputs = {valueInfo("y", I64)};
  expectRefused(test::model(declared), {"'y'", "i64", "f32"});
  ModelSpec typeless = simple({{"Relu", {"x"}, {"y"}}});
  typeless.graph.inputs = {Message().text(1, "x")};
  expectRefused(test::model(typeless), {"'x'"});
  typeless.graph.inputs = {valueInfo("x", static_cast<ElemType>(99), {1})};
  expectRefused(test::model(typeless), {"'x'", "99"});
  const Message sequence = Message().message(4, Message());
  typeless.graph.inputs = {Message().text(1, "x").message(2, sequence)};
  expectRefused(test::model(typeless), {"'x'", "sequence"});
}

// ---- Bytes that are no model
// ------------------------------------------------------------------------

ModelSpec convolution() {
  return simple(
      {{"Conv", {"x", "w", "b"}, {"c"}, {intsAttr("pads", {1, 1, 1, 1})}, "conv"},
       {"Relu", {"c"}, {"y"}, {}, "act"}},
      {1, 2, 5, 5},
      {floats("w", {3, 2, 3, 3}, std::vector<float>(54, 0.5f)), floats("b", {3}, {1, 2, 3})});
}

TEST(Import, CutShortAnywhere) {
  const std::string whole = test::model(convolution());
  imported(whole);
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto model = importBytes(whole.substr(0, size));
    ASSERT_FALSE(model) << "a model of " << size << " bytes was imported";
    EXPECT_FALSE(model.error().str().empty());
  }
}

TEST(Import, DamagedBytesNeverCrash) {
  const std::string whole = test::model(convolution());
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = whole;
    for (int hits = static_cast<int>(random() % 4) + 1; hits-- > 0;)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto model = importBytes(damaged);
    EXPECT_TRUE(model || !model.error().str().empty());
  }
}

TEST(Import, FilesThatAreNoModels) {
  const Folder folder;
  const auto refused = [](const std::filesystem::path& path, std::string_view word) {
    const auto model = importModel(path);
    ASSERT_FALSE(model);
    EXPECT_NE(model.error().str().find(path.string()), std::string::npos) << model.error().str();
    EXPECT_NE(model.error().str().find(word), std::string::npos) << model.error().str();
  };
  refused(folder.path() / "absent.onnx", "No such file");
  refused(folder.path(), "regular file");
  refused("/dev/zero", "regular file");
  refused(folder.write("empty.onnx", ""), "no graph");
  refused(folder.write("text.onnx", "this is no model at all"), "protobuf");
  refused(folder.write("zeros.onnx", std::string(1000, '\0')), "protobuf");
}

} // namespace
} // namespace enfold::onnx::test
