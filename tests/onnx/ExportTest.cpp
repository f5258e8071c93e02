// Exported models: that importing one gives the graph back, up to what Export.h documents, for
// graphs as they are built and after any passes; names, versions, and data outside the model.
#include "onnx/Export.h"

#include "Support.h"
#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"
#include "zoo/Zoo.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

namespace enfold::onnx::test {
namespace {

using diagnose::compare;
using diagnose::Comparison;

using GraphPtr = std::unique_ptr<enfold::Graph>;

GraphPtr parsed(const std::string& text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph) << graph.error().str();
  return graph ? *std::move(graph) : std::make_unique<enfold::Graph>();
}

std::string encoded(const enfold::Graph& graph) {
  auto bytes = encodeModel(graph);
  EXPECT_TRUE(bytes) << bytes.error().str();
  return bytes ? *std::move(bytes) : "";
}

ImportedModel throughOnnx(const enfold::Graph& graph) { return imported(encoded(graph)); }

/// What an op or value is called in the file: outputs name their values.
std::string fileName(const Value* value, const enfold::Graph& graph) {
  const auto output = std::ranges::find(graph.outputs(), value);
  if (output == graph.outputs().end() || value->constant()) return value->name();
  return graph.outputNames()[static_cast<size_t>(output - graph.outputs().begin())];
}

/// Without padding that is none.
AttrMap withoutZeroPads(AttrMap attrs) {
  const auto pads = attrs.find("pads");
  if (pads != attrs.end() && std::ranges::all_of(std::get<std::vector<int64_t>>(pads->second),
                                                 [](auto p) { return p == 0; }))
    attrs.erase(pads);
  return attrs;
}

/// The graph as it must come back if it has neither epilogues, nor outputs that need a copy, nor
/// ops that are written as others: constants first, and one origin of its own for every op.
GraphPtr normalized(const enfold::Graph& graph) {
  auto copy = std::make_unique<enfold::Graph>(graph.name());
  std::map<const Value*, Value*> map{{nullptr, nullptr}};
  std::set<std::string> origins;
  for (const auto& input : graph.inputs())
    map[input.get()] = copy->addInput(input->name(), input->type());
  for (const auto& op : graph.ops())
    if (const Tensor* value = op->result()->constant())
      map[op->result()] = copy->constant(*value, op->result()->name());
  for (const auto& op : graph.ops()) {
    if (op->kind() == OpKind::Constant) continue;
    std::string origin = op->origins().empty() ? op->result()->name() : op->origins()[0];
    for (int number = 1; !origins.insert(origin).second; ++number)
      origin = fmt::format("{}/{}_{}", op->origins()[0], op->info().name, number);
    OpSpec spec{
        .kind = op->kind(), .attrs = withoutZeroPads(op->attrs()), .numResults = op->numResults()};
    for (Value* operand : op->operands()) spec.operands.push_back(map.at(operand));
    for (size_t i = 0; i < op->numResults(); ++i) {
      spec.resultNames.push_back(fileName(op->result(i), graph));
      spec.resultTypes.push_back(op->result(i)->type());
    }
    spec.origins = {origin};
    auto made = copy->create(std::move(spec));
    EXPECT_TRUE(made) << made.error().str();
    for (size_t i = 0; i < op->numResults(); ++i) map[op->result(i)] = (*made)->result(i);
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i)
    copy->addOutput(map.at(graph.outputs()[i]), graph.outputNames()[i]);
  return copy;
}

void expectComesBack(const enfold::Graph& graph) {
  const GraphPtr expected = normalized(graph);
  const ImportedModel back = throughOnnx(graph);
  EXPECT_TRUE(verify(*back.graph));
  EXPECT_TRUE(back.graph->structurallyEquals(*expected)) << print(*expected) << "came back as\n"
                                                         << print(*back.graph);
}

std::vector<Tensor> randomInputs(const enfold::Graph& graph) {
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs()) {
    inputs.emplace_back(input->elem(), input->shape());
    fillRandom(inputs.back(), 7 + inputs.size(), 0, isFloat(input->elem()) ? 1 : 2);
  }
  return inputs;
}

void expectSameAnswers(const enfold::Graph& graph, std::span<const Tensor> expected,
                       const std::vector<Tensor>& inputs) {
  const ImportedModel back = throughOnnx(graph);
  ASSERT_EQ(back.graph->inputs().size(), graph.inputs().size());
  ASSERT_TRUE(std::ranges::equal(back.graph->outputNames(), graph.outputNames()));
  const std::vector<Tensor> results = answers(*back.graph, inputs);
  for (size_t i = 0; i < results.size(); ++i) {
    const Comparison comparison = compare(results[i], expected[i]);
    EXPECT_TRUE(comparison.same())
        << graph.outputNames()[i] << ": " << comparison.problem << comparison.maxAbs;
  }
}

// ---- Networks
// ---------------------------------------------------------------------------------------

class ZooNetwork : public testing::TestWithParam<std::string> {
protected:
  static GraphPtr build() {
    auto graph = zoo::build(GetParam());
    EXPECT_TRUE(graph) << graph.error().str();
    return *std::move(graph);
  }
};

TEST_P(ZooNetwork, ComesBackAsItWas) {
  const GraphPtr graph = build();
  if (GetParam() != "cnn_training_bn") return expectComesBack(*graph);
  // All results of a normalization in training are named.
  const ImportedModel back = throughOnnx(*graph);
  EXPECT_EQ(back.graph->find("bn1")->producer()->numResults(), 3U);
}

TEST_P(ZooNetwork, ComesBackAfterThePasses) {
  GraphPtr graph = build();
  const auto target = codegen::targetFor("native");
  ASSERT_TRUE(target);
  ASSERT_TRUE(optimize(*graph, {}, *target));
  const ImportedModel back = throughOnnx(*graph);
  EXPECT_TRUE(verify(*back.graph));
  EXPECT_TRUE(std::ranges::equal(back.graph->outputNames(), graph->outputNames()));
  for (const auto& op : back.graph->ops()) {
    EXPECT_NE(op->kind(), OpKind::Reorder);
    EXPECT_TRUE(op->epilogue().empty());
  }
  for (size_t i = 0; i < graph->outputs().size(); ++i)
    EXPECT_EQ(back.graph->outputs()[i]->shape(), graph->outputs()[i]->shape());
}

INSTANTIATE_TEST_SUITE_P(Export, ZooNetwork, testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const zoo::Entry& entry : zoo::entries())
                             if (!entry.decidedByData) names.emplace_back(entry.name);
                           return names;
                         }()),
                         [](const auto& param) { return param.param; });

/// Each pass alone, and all of them.
TEST(Export, AnyPassesLeaveTheAnswerOfTheModelAlone) {
  std::vector<std::string> pipelines = {""};
  for (const PassInfo& pass : passTable()) pipelines.emplace_back(pass.name);
  pipelines.emplace_back("fuse-epilogue,assign-layout");
  const auto target = codegen::targetFor("native");
  ASSERT_TRUE(target);
  for (const std::string name : {"cnn_batchnorm", "cnn_elu", "cnn_groupnorm", "cnn_linear_bn",
                                 "cnn_1d", "cnn_training_bn"}) {
    auto graph = zoo::build(name, name == "cnn_1d" ? Shape{2, 4, 64} : Shape{2, 3, 32, 32});
    if (!graph) graph = zoo::build(name);
    ASSERT_TRUE(graph) << graph.error().str();
    const std::vector<Tensor> inputs = randomInputs(**graph);
    const std::vector<Tensor> expected = answers(**graph, inputs);
    for (const std::string& pipeline : pipelines) {
      SCOPED_TRACE(name + " after '" + pipeline + "'");
      const GraphPtr passed = (*graph)->clone();
      ASSERT_TRUE(optimize(*passed, {.pipeline = pipeline}, *target));
      expectSameAnswers(*passed, expected, inputs);
    }
  }
}

// ---- Every kind of operand, attribute and type
// ------------------------------------------------------

TEST(Export, OptionalOperandsAndResultsAndEveryKindOfAttribute) {
  expectComesBack(*parsed(R"(
graph @everything(%x: f32[1,4,6,6], %i: i64[2,3]) {
  %w = const f32[8,2,3,3] random(seed=1)
  %b = const f32[8] random(seed=2)
  %top = const f32[] splat(6.0)
  %k = const i64[1] [2]
  %shape = const i64[3] [2,3,4]
  %sizes = const i64[4] [1,8,12,12]
  %pads = const i64[4] [0,1,0,1]
  %axes = const i64[2] [2,3]
  %conv = conv(%x, %w, %b) {dilations=[1,2], group=2, pads=[1,2,1,2], strides=[1,1]} : f32[1,8,6,6]  @"/conv"
  %nobias = conv(%x, %w) {group=2, pads=[1,1,1,1]} : f32[1,8,6,6]  @"/nobias"
  %lrelu = leaky_relu(%conv) {alpha=0.2} : f32[1,8,6,6]  @"/lrelu"
  %clip = clip(%lrelu, _, %top) : f32[1,8,6,6]  @"/clip"
  %open = clip(%nobias) : f32[1,8,6,6]  @"/open"
  %up = resize(%open, _, _, %sizes) {coordinate_transformation_mode="asymmetric", mode="linear"} : f32[1,8,12,12]  @"/up"
  %pool, %where = max_pool(%clip) {kernel_shape=[2,2], strides=[2,2]} : f32[1,8,3,3], i64[1,8,3,3]  @"/pool"
  %values, %indices = topk(%pool, %k) {axis=1, largest=0} : f32[1,2,3,3], i64[1,2,3,3]  @"/topk"
  %padded = pad(%values, %pads, _, %axes) : f32[1,2,3,5]  @"/pad"
  %s0, %s1 = split(%up) {axis=2, num_outputs=2} : f32[1,8,6,12], f32[1,8,6,12]  @"/split"
  %filled = constant_of_shape(%shape) {value=i32[1](7)} : i32[2,3,4]  @"/filled"
  %half = cast(%s0) {to=f16} : f16[1,8,6,12]  @"/half"
  %sum = reduce_sum(%s1) {keepdims=0} : f32[]  @"/sum"
  %mean = reduce_mean(%s1, %axes) {noop_with_empty_axes=1} : f32[1,8,1,1]  @"/mean"
  %size = shape(%x) {end=3, start=1} : i64[2]  @"/size"
  %eye = eye_like(%i) {dtype=f64, k=1} : f64[2,3]  @"/eye"
  return %padded, %filled, %half, %sum, %mean, %size, %eye, %where, %indices
}
)"));
}

TEST(Export, EveryElementType) {
  for (const ElemTypeInfo& type : elemTypes()) {
    enfold::Graph graph("typed");
    Value* x = graph.addInput("x", {type.type, {2, 3}, {}});
    Tensor tensor(type.type, {3});
    for (size_t i = 0; i < tensor.numBytes(); ++i) tensor.mutableBytes()[i] = std::byte{1};
    Value* w = graph.constant(tensor, "w");
    auto copy = graph.create({.kind = OpKind::Identity, .operands = {x}, .resultNames = {"y"}});
    ASSERT_TRUE(copy);
    graph.addOutput((*copy)->result(), "y");
    graph.addOutput(w, "w");
    SCOPED_TRACE(type.name);
    expectComesBack(graph);
  }
}

TEST(Export, EmptyTensorsAndScalars) {
  expectComesBack(*parsed(R"(
graph @sizes(%x: f32[], %z: f32[2,0,3]) {
  %none = const f32[0] splat(0.0)
  %one = const f32[] splat(1.0)
  %sum = add(%x, %one) : f32[]
  %neg = neg(%z) : f32[2,0,3]
  return %sum, %neg, %none
}
)"));
}

TEST(Export, OddNames) {
  expectComesBack(*parsed(R"(
graph @"a name"(%"in put:0": f32[2]) {
  %"β/γ" = relu(%"in put:0") : f32[2]  @"node \"1\""
  return %"β/γ"
}
)"));
}

// ---- Fused ops
// --------------------------------------------------------------------------------------

TEST(Export, AnEpilogueBecomesTheOpsItIsMadeOf) {
  const GraphPtr graph = parsed(R"(
graph @fused(%x: f32[1,4,6,6], %r: f32[1,8,6,6]) {
  %w = const f32[8,4,3,3] random(seed=1, low=-1, high=1)
  %s = const f32[8,1,1] random(seed=2)
  %low = const f32[] splat(0.25)
  %y = conv(%x, %w) {pads=[1,1,1,1]} epilogue(mul(acc, %s), sub(%r, acc), clip(acc, %low, _), leaky_relu(acc) {alpha=0.1}, swish(acc) {alpha=1.5}, mul(acc, acc)) : f32[1,8,6,6]  @"/conv", "/mul", "/act"
  return %y
}
)");
  const std::vector<Tensor> inputs = randomInputs(*graph);
  expectSameAnswers(*graph, answers(*graph, inputs), inputs);
  const ImportedModel back = throughOnnx(*graph);
  std::vector<std::string> ops, origins;
  for (const auto& op : back.graph->ops())
    if (op->kind() != OpKind::Constant) {
      ops.push_back(op->info().name);
      origins.emplace_back(op->origins()[0]);
    }
  EXPECT_EQ(ops, (std::vector<std::string>{"conv", "mul", "sub", "clip", "leaky_relu", "mul",
                                           "sigmoid", "mul", "mul"}));
  EXPECT_EQ(origins[0], "/conv");
  EXPECT_EQ(std::set(origins.begin(), origins.end()).size(), origins.size());
  EXPECT_EQ(back.signature.opsets.at(""), 18);
}

TEST(Export, BlockedLayoutsAreLeftOut) {
  const GraphPtr graph = parsed(R"(
graph @blocked(%x: f32[1,32,4,4]) {
  %xb = reorder(%x) {block=16} : f32[1,32,4,4]{c16}
  %y = relu(%xb) : f32[1,32,4,4]{c16}
  %z = neg(%y) : f32[1,32,4,4]{c16}
  %zp = reorder(%z) : f32[1,32,4,4]
  %back = reorder(%xb) : f32[1,32,4,4]
  return %zp as "z", %back as "copy"
}
)");
  const ImportedModel back = throughOnnx(*graph);
  EXPECT_EQ(print(*back.graph), R"(graph @blocked(%x: f32[1,32,4,4]) {
  %y = relu(%x) : f32[1,32,4,4]  @"y"
  %z = neg(%y) : f32[1,32,4,4]  @"z"
  %copy = identity(%x) : f32[1,32,4,4]  @"copy"
  return %z, %copy
}
)");
}

// ---- Ops that mean more than ONNX promises
// ----------------------------------------------------------------------

const std::vector<double> kOddNumbers = {
    0.0,     -0.0,          0.5,          -0.5,         1.5,      2.5,      -1.5,  7.9,     8.0,
    -8.1,    15.5,          127.9,        128.0,        -129.,    255.99,   256.0, 32767.5, 32768.0,
    65535.5, 65536.0,       1e9,          -1e9,         2.2e9,    -3e9,     5e9,   9.3e18,  -9.3e18,
    2e19,    1.6e38,        -1.6e38,      1e-40,        -1e-40,   NAN,      -NAN,  0x1p63,  -0x1p63,
    0x1p64,  0x1.fffffep62, 2147483647.0, 2147483648.0, INFINITY, -INFINITY};

bool isBeyond(ElemType integer, double value) {
  const bool isSigned = info(integer).cls == ElemClass::Signed;
  const double most = std::ldexp(1.0, info(integer).bits - isSigned);
  const bool above = isSigned ? value >= -most || value > -most - 1 : value > -1;
  return !(above && value < most);
}

/// What ONNX leaves open must not happen while the exported graph runs.
void expectNothingIsLeftOpen(const enfold::Graph& graph, const std::vector<Tensor>& inputs) {
  std::map<const Value*, Tensor> values;
  const auto results = reference::run(graph, inputs, [&](const Value& value, const Tensor& tensor) {
    values.emplace(&value, tensor);
  });
  ASSERT_TRUE(results) << results.error().str();
  for (const auto& op : graph.ops()) {
    const ElemType to = op->result()->elem();
    if (op->kind() == OpKind::Cast && isFloat(op->operand(0)->elem()) && isInteger(to)) {
      const Tensor& x = values.at(op->operand(0));
      for (int64_t i = 0; i < x.numElements(); ++i)
        EXPECT_FALSE(isBeyond(to, x.asDouble(i))) << op->describe() << " of " << x.asDouble(i);
    }
    if ((op->kind() == OpKind::Div || op->kind() == OpKind::Mod) && isInteger(to)) {
      const Tensor& divisor = values.at(op->operand(1));
      for (int64_t i = 0; i < divisor.numElements(); ++i) {
        EXPECT_NE(divisor.asInt(i), 0) << op->describe();
        if (info(to).cls == ElemClass::Signed) {
          EXPECT_NE(divisor.asInt(i), -1) << op->describe();
        }
      }
    }
    if (op->kind() == OpKind::BitShift && info(to).cls == ElemClass::Unsigned) {
      const Tensor& count = values.at(op->operand(1));
      for (int64_t i = 0; i < count.numElements(); ++i)
        EXPECT_LT(static_cast<uint64_t>(count.asInt(i)), static_cast<uint64_t>(info(to).bits));
    }
  }
}

/// The same bits, and nothing left open on the way to them.
void expectSaysWhatItMeans(const enfold::Graph& graph, const std::vector<Tensor>& inputs) {
  const ImportedModel back = throughOnnx(graph);
  expectNothingIsLeftOpen(*back.graph, inputs);
  const std::vector<Tensor> expected = answers(graph, inputs),
                            results = answers(*back.graph, inputs);
  for (size_t i = 0; i < results.size(); ++i)
    EXPECT_TRUE(results[i] == expected[i]) << print(*back.graph);
}

TEST(Export, CastsSaturateAndMakeNaNZero) {
  for (const ElemTypeInfo& from : elemTypes())
    for (const ElemTypeInfo& to : elemTypes()) {
      if (!isFloat(from.type) || from.bits < 16 || !isInteger(to.type)) continue;
      SCOPED_TRACE(fmt::format("{} to {}", from.name, to.name));
      Tensor x(from.type, {static_cast<int64_t>(kOddNumbers.size())});
      for (size_t i = 0; i < kOddNumbers.size(); ++i)
        x.setDouble(static_cast<int64_t>(i), kOddNumbers[i]);
      const GraphPtr graph = parsed(fmt::format(
          "graph @g(%x: {0}[{2}], %l: {1}[1]) {{\n  %y = cast(%x) {{to={1}}} : {1}[{2}]\n"
          "  %z = cast_like(%x, %l) : {1}[{2}]\n"
          "  %f = add(%x, %x) epilogue(mul(acc, acc)) : {0}[{2}]\n"
          "  %w = cast(%f) {{to={1}}} : {1}[{2}]\n  return %y, %z, %w\n}}\n",
          from.name, to.name, kOddNumbers.size()));
      expectSaysWhatItMeans(*graph, {x, Tensor(to.type, {1})});
    }
}

TEST(Export, GuardsOfCastsAreWrittenOnce) {
  const GraphPtr graph = parsed("graph @g(%x: f32[4]) {\n  %y = cast(%x) {to=u8} : u8[4]\n"
                                "  return %y\n}\n");
  const ImportedModel once = throughOnnx(*graph), twice = throughOnnx(*once.graph);
  EXPECT_TRUE(twice.graph->structurallyEquals(*normalized(*once.graph))) << print(*twice.graph);
}

TEST(Export, IntegersAreDividedByWhatDivides) {
  const std::vector<int64_t> divisors = {0, 1, -1, 2, -3, 127, -128, 0, -1, 5};
  for (const ElemTypeInfo& type : elemTypes()) {
    if (!isInteger(type.type) || type.bits < 8) continue;
    for (const std::string op : {"div(%a, %b)", "mod(%a, %b)", "mod(%a, %b) {fmod=1}"}) {
      SCOPED_TRACE(fmt::format("{} of {}", op, type.name));
      Tensor a(type.type, {10}), b(type.type, {10});
      for (int64_t i = 0; i < 10; ++i) {
        const double least = type.cls == ElemClass::Signed ? -std::ldexp(1.0, type.bits - 1) : 0;
        a.setDouble(i, i < 5 ? least : static_cast<double>(7 * i - 40));
        if (type.cls != ElemClass::Signed) a.setDouble(i, static_cast<double>(11 * i));
        b.setDouble(i, static_cast<double>(divisors[static_cast<size_t>(i)]));
        if (type.cls != ElemClass::Signed)
          b.setDouble(i, std::fabs(static_cast<double>(divisors[static_cast<size_t>(i)])));
      }
      const GraphPtr graph =
          parsed(fmt::format("graph @g(%a: {0}[10], %b: {0}[10]) {{\n  %y = {1} : {0}[10]\n"
                             "  return %y\n}}\n",
                             type.name, op));
      expectSaysWhatItMeans(*graph, {a, b});
    }
  }
}

TEST(Export, UnsignedIntegersAreShiftedByLessThanTheirWidth) {
  for (const ElemTypeInfo& type : elemTypes()) {
    if (!isInteger(type.type) || type.cls == ElemClass::Signed || type.bits < 8) continue;
    for (const std::string direction : {"LEFT", "RIGHT"}) {
      Tensor x(type.type, {9}), count(type.type, {9});
      for (int64_t i = 0; i < 9; ++i) {
        x.setDouble(i, 201);
        const std::vector<double> counts = {0, 1, 7, 8, 9, 31, 64, 200, 255};
        count.setDouble(i, counts[static_cast<size_t>(i)]);
      }
      const GraphPtr graph = parsed(fmt::format(
          "graph @g(%x: {0}[9], %n: {0}[9]) {{\n  %y = bit_shift(%x, %n) {{direction=\"{1}\"}} : "
          "{0}[9]\n  return %y\n}}\n",
          type.name, direction));
      expectSaysWhatItMeans(*graph, {x, count});
    }
  }
}

TEST(Export, NarrowIntegersAreSummedInWideOnes) {
  for (const std::string type : {"i8", "u8", "i16", "u16", "i32"})
    for (const std::string op : {"reduce_sum", "reduce_prod", "reduce_l1", "reduce_sum_square"}) {
      const GraphPtr graph =
          parsed(fmt::format("graph @g(%x: {0}[3,40]) {{\n  %a = const i64[1] [1]\n"
                             "  %y = {1}(%x, %a) {{keepdims=0}} : {0}[3]\n  return %y\n}}\n",
                             type, op));
      std::vector<Tensor> inputs = randomInputs(*graph);
      for (int64_t i = 0; i < 120; ++i) inputs[0].setDouble(i, static_cast<double>(i % 113 + 1));
      expectSaysWhatItMeans(*graph, inputs);
      const auto back = throughOnnx(*graph);
      for (const auto& op : back.graph->ops())
        if (op->kind() != OpKind::Constant && op->kind() != OpKind::Cast) {
          EXPECT_GE(info(op->result()->elem()).bits, 32);
        }
    }
}

TEST(Export, ModuloOfFloatsHasTheSignOfTheDivisor) {
  const std::vector<float> numbers = {0,    -0.0f, 1.5f,     -1.5f,     7,  -7,
                                      2.5f, 1e30f, INFINITY, -INFINITY, NAN};
  std::vector<float> a, b;
  for (const float x : numbers)
    for (const float y : numbers) {
      a.push_back(x);
      b.push_back(y);
    }
  const auto count = static_cast<int64_t>(a.size());
  const GraphPtr graph = parsed(fmt::format(
      "graph @g(%a: f32[{0}], %b: f32[{0}]) {{\n  %y = mod(%a, %b) : f32[{0}]\n  return %y\n}}\n",
      count));
  const std::vector<Tensor> inputs = {Tensor::of<float>({count}, a), Tensor::of<float>({count}, b)};
  expectSameAnswers(*graph, answers(*graph, inputs), inputs);
  EXPECT_EQ(throughOnnx(*graph).signature.opsets.at(""), 18);
}

// ---- Names
// ------------------------------------------------------------------------------------------

TEST(Export, OutputsKeepTheNameOfTheModel) {
  const GraphPtr graph = parsed(R"(
graph @outputs(%x: f32[2]) {
  %c = const f32[2] [1.0,2.0]
  %a = relu(%x) : f32[2]
  %b = neg(%a) : f32[2]
  %d = abs(%b) : f32[2]
  return %a as "b", %a as "first", %x as "same", %c as "constant", %d
}
)");
  const ImportedModel back = throughOnnx(*graph);
  EXPECT_EQ(print(*back.graph), R"(graph @outputs(%x: f32[2]) {
  %c = const f32[2] [1.0,2.0]
  %b = relu(%x) : f32[2]  @"a"
  %b_1 = neg(%b) : f32[2]  @"b"
  %d = abs(%b_1) : f32[2]  @"d"
  %first = identity(%b) : f32[2]  @"first"
  %same = identity(%x) : f32[2]  @"same"
  %constant = identity(%c) : f32[2]  @"constant"
  return %b, %first, %same, %constant, %d
}
)");
}

TEST(Export, OutputsThatCannotBeNamedAreRefused) {
  const auto refused = [](const std::string& returned, std::string_view word) {
    const GraphPtr graph = parsed("graph @g(%x: f32[2], %z: f32[2]) {\n  %a = relu(%x) : f32[2]\n"
                                  "  return " +
                                  returned + "\n}\n");
    const auto bytes = encodeModel(*graph);
    ASSERT_FALSE(bytes);
    EXPECT_NE(bytes.error().str().find(word), std::string::npos) << bytes.error().str();
  };
  refused("%a as \"z\"", "'z'");
  refused("%a as \"y\", %x as \"y\"", "'y'");
}

TEST(Export, OpsOfOneOriginGetNamesOfTheirOwn) {
  expectComesBack(*parsed(R"(
graph @g(%x: f32[2]) {
  %a = relu(%x) : f32[2]  @"node"
  %b = neg(%a) : f32[2]  @"node"
  %c = neg(%b) : f32[2]  @"node", "other"
  %d = abs(%c) : f32[2]
  return %d
}
)"));
}

// ---- Versions
// ---------------------------------------------------------------------------------------

TEST(Export, TheOldestOpsetThatHasWhatTheGraphHolds) {
  const auto opsetOf = [](const std::string& type, const std::string& op) {
    const ImportedModel back = throughOnnx(*parsed(
        fmt::format("graph @g(%x: {0}[1,4,6,6]) {{\n  %y = {1}\n  return %y\n}}\n", type, op)));
    return std::pair(back.signature.opsets.at(""), back.signature.irVersion);
  };
  using Versions = std::pair<int64_t, int64_t>;
  EXPECT_EQ(opsetOf("f32", "relu(%x) : f32[1,4,6,6]"), Versions(18, 8));
  EXPECT_EQ(opsetOf("f32", "gelu(%x) : f32[1,4,6,6]"), Versions(20, 9));
  EXPECT_EQ(opsetOf("bf16", "relu(%x) : bf16[1,4,6,6]"), Versions(22, 10));
  EXPECT_EQ(opsetOf("f32", "swish(%x) : f32[1,4,6,6]"), Versions(18, 8));
  EXPECT_EQ(opsetOf("f32", "average_pool(%x) {kernel_shape=[2,2]} : f32[1,4,5,5]"),
            Versions(18, 8));
  EXPECT_EQ(opsetOf("f32", "average_pool(%x) {dilations=[2,2], kernel_shape=[2,2]} : f32[1,4,4,4]"),
            Versions(19, 9));
  EXPECT_EQ(opsetOf("f32", "cast(%x) {to=u4} : u4[1,4,6,6]"), Versions(21, 10));
  EXPECT_EQ(opsetOf("f32", "max_pool(%x) {ceil_mode=1, kernel_shape=[2,2]} : f32[1,4,5,5]"),
            Versions(22, 10));
  EXPECT_EQ(opsetOf("f16", "is_inf(%x) : bool[1,4,6,6]"), Versions(20, 9));
  EXPECT_EQ(opsetOf("i32", "bit_shift(%x, %x) {direction=\"LEFT\"} : i32[1,4,6,6]"),
            Versions(28, 14));
}

// ---- Files
// ------------------------------------------------------------------------------------------

TEST(Export, DefaultsOfInputsAreKept) {
  const GraphPtr graph = parsed("graph @g(%x: f32[2], %w: f32[2]) {\n"
                                "  %y = add(%x, %w) : f32[2]\n  return %y\n}\n");
  const Tensor value = Tensor::of<float>({2}, {3, 4});
  const auto bytes = encodeModel(*graph, {.inputDefaults = {{"w", value}}});
  ASSERT_TRUE(bytes);
  const ImportedModel back = imported(*bytes);
  EXPECT_EQ(back.graph->inputs().size(), 2U);
  EXPECT_TRUE(back.inputDefaults.at("w") == value);
}

TEST(Export, SizesMayBeLeftOpen) {
  const GraphPtr graph = parsed("graph @g(%x: f32[1,2,4]) {\n%a = relu(%x) : f32[1,2,4]\n"
                                "%y = sigmoid(%a) : f32[1,2,4]\nreturn %y\n}");
  const DeclaredType open{ElemType::F32,
                          std::vector<DeclaredType::Dim>{{{}, "batch"}, {2, ""}, {{}, ""}}};
  const auto bytes = encodeModel(*graph, {.openTypes = {{"x", open}, {"y", open}}});
  ASSERT_TRUE(bytes) << bytes.error().str();
  const ImportedModel back = imported(*bytes, {.shapes = {{"x", {3, 2, 5}}}});
  ASSERT_TRUE(back.graph);
  EXPECT_EQ(back.signature.inputs[0].type, open);
  EXPECT_EQ(back.signature.outputs[0].type, open);
  EXPECT_EQ(back.graph->outputs()[0]->shape(), (Shape{3, 2, 5}));
}

TEST(Export, LargeModelsKeepTheirConstantsInAFileBeside) {
  const GraphPtr graph = *zoo::build("cnn_batchnorm");
  const Folder folder;
  const auto path = folder.path() / "model.onnx";
  ASSERT_TRUE(exportModel(*graph, path, {.inlineBytes = 1 << 16}));
  EXPECT_EQ(folder.list(), (std::vector<std::string>{"model.onnx", "model.onnx.data"}));
  EXPECT_LT(std::filesystem::file_size(path), 10'000U);
  const auto back = importModel(path);
  ASSERT_TRUE(back) << back.error().str();
  EXPECT_TRUE(back->graph->structurallyEquals(*normalized(*graph)));
  ASSERT_TRUE(exportModel(*graph, folder.path() / "whole.onnx"));
  EXPECT_EQ(folder.list().size(), 3U);
}

TEST(Export, AModelMayReplaceTheFileItsConstantsAreMappedFrom) {
  const GraphPtr graph = *zoo::build("cnn_batchnorm");
  const Folder folder;
  const auto path = folder.path() / "model.onnx";
  ASSERT_TRUE(exportModel(*graph, path, {.inlineBytes = 1 << 16}));
  const auto mapped = importModel(path);
  ASSERT_TRUE(mapped);
  ASSERT_TRUE(exportModel(*mapped->graph, path, {.inlineBytes = 1 << 16}));
  const auto back = importModel(path);
  ASSERT_TRUE(back) << back.error().str();
  EXPECT_TRUE(back->graph->structurallyEquals(*mapped->graph));
}

TEST(Export, AFileIsWrittenWholeOrNotAtAll) {
  const GraphPtr graph = *zoo::build("cnn_batchnorm");
  const Folder folder;
  EXPECT_FALSE(exportModel(*graph, folder.path() / "absent" / "model.onnx"));
  std::filesystem::create_directory(folder.path() / "taken.onnx");
  folder.write("taken.onnx/file", "");
  EXPECT_FALSE(exportModel(*graph, folder.path() / "taken.onnx"));
  EXPECT_EQ(folder.list(), std::vector<std::string>{"taken.onnx"});
  EXPECT_FALSE(exportModel(*graph, "/dev/full"));
}

} // namespace
} // namespace enfold::onnx::test
