// Operators that ONNX Runtime's optimizer and quantizer write: each against the operators of ONNX
// it stands for, or against its definition written out.
#include "Support.h"
#include "diagnose/Compare.h"
#include "ir/ConstantText.h"

#include <fmt/format.h>

#include <cmath>

namespace enfold::onnx::test {
namespace {

using diagnose::compare, diagnose::Comparison;

constexpr ElemType F32 = ElemType::F32, U8 = ElemType::U8, I8 = ElemType::I8, I32 = ElemType::I32;
const std::string kMicrosoft = "com.microsoft", kNchwc = "com.microsoft.nchwc";

/// Models of the same inputs and constants, one of them with operators of ONNX Runtime.
struct Pair {
  std::vector<Message> inputs, constants;
  std::vector<NodeSpec> fused, plain;
  int64_t opset = 23;
  ElemType outputs = F32; ///< of all outputs
};

std::vector<Tensor> randomInputs(const enfold::Graph& graph) {
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs()) {
    inputs.emplace_back(input->elem(), input->shape());
    const bool real = isFloat(input->elem());
    const bool isSigned = info(input->elem()).cls == ElemClass::Signed;
    fillRandom(inputs.back(), 7 + inputs.size(),
               real       ? -2
               : isSigned ? -128
                          : 0,
               real       ? 2
               : isSigned ? 127
                          : 255);
  }
  return inputs;
}

ImportedModel importedNodes(const Pair& pair, std::vector<NodeSpec> nodes, Names outputs) {
  ModelSpec spec{.graph = {.inputs = pair.inputs, .initializers = pair.constants}, .irVersion = 10};
  spec.opset = pair.opset;
  spec.domains = {{kMicrosoft, 1}, {kNchwc, 1}};
  for (const std::string& output : outputs)
    spec.graph.outputs.push_back(valueInfo(output, pair.outputs));
  spec.graph.nodes = std::move(nodes);
  return imported(test::model(spec));
}

/// Both answer the same: integers with the same bits.
void expectSame(const Pair& pair, const Names& outputs = {"y"}) {
  const ImportedModel fused = importedNodes(pair, pair.fused, outputs);
  const ImportedModel plain = importedNodes(pair, pair.plain, outputs);
  ASSERT_EQ(fused.graph->outputs().size(), outputs.size());
  ASSERT_EQ(plain.graph->outputs().size(), outputs.size());
  const std::vector<Tensor> inputs = randomInputs(*plain.graph);
  const auto results = answers(*fused.graph, inputs), expected = answers(*plain.graph, inputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Comparison c = compare(results[i], expected[i]);
    EXPECT_TRUE(isFloat(expected[i].elem()) ? c.same() : results[i] == expected[i])
        << outputs[i] << ": " << c.problem << " " << c.maxAbs;
  }
}

std::vector<float> randomFloats(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000;
  return values;
}

Message randomTensor(const std::string& name, const std::vector<int64_t>& dims, uint32_t seed) {
  return floats(name, dims, randomFloats(static_cast<size_t>(numElements(dims)), seed));
}

Message number(const std::string& name, float value) { return floats(name, {}, {value}); }

Message bytes(const std::string& name, ElemType elem, const std::vector<int64_t>& dims,
              const std::vector<int>& values) {
  std::string raw;
  for (const int value : values) raw.push_back(static_cast<char>(value));
  return rawTensor(name, elem, dims, raw);
}

std::vector<int> randomBytes(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int> values(count);
  for (int& value : values) value = static_cast<int>(random() % 256);
  return values;
}

NodeSpec microsoft(std::string type, Names inputs, Names outputs, std::vector<Message> attrs = {}) {
  return {std::move(type), std::move(inputs), std::move(outputs), std::move(attrs), {}, kMicrosoft};
}

// ---- Operators that exporters wrote before ONNX had them
// -----------------------------------------------------------

TEST(Microsoft, OperatorsThatOnnxTookOver) {
  Pair pair{
      .inputs = {valueInfo("x", F32, {1, 2, 4, 5}), valueInfo("grid", F32, {1, 3, 3, 2})},
      .constants = {ints("pads", {0, 0, 1, 0, 0, 0, 0, 2}), number("value", 7), ints("k", {1})}};
  const std::vector<Message> modes = {textAttr("padding_mode", "border"),
                                      intAttr("align_corners", 1)};
  std::vector<Message> cubic = modes, bicubic = modes;
  cubic.push_back(textAttr("mode", "cubic"));
  bicubic.push_back(textAttr("mode", "bicubic"));
  pair.fused = {microsoft("GridSample", {"x", "grid"}, {"g"}, bicubic),
                microsoft("Pad", {"x", "pads", "value"}, {"p"}),
                microsoft("Trilu", {"x", "k"}, {"t"}, {intAttr("upper", 0)})};
  pair.plain = {{"GridSample", {"x", "grid"}, {"g"}, cubic},
                {"Pad", {"x", "pads", "value"}, {"p"}},
                {"Trilu", {"x", "k"}, {"t"}, {intAttr("upper", 0)}}};
  expectSame(pair, {"g", "p", "t"});
}

// ---- Normalizations
// ------------------------------------------------------------------------------------

TEST(Microsoft, SkipLayerNormalization) {
  Pair pair;
  pair.inputs = {valueInfo("x", F32, {2, 3, 8}), valueInfo("s", F32, {2, 3, 8})};
  pair.constants = {randomTensor("g", {8}, 1), randomTensor("b", {8}, 2),
                    randomTensor("c", {8}, 3)};
  const auto epsilon = [] { return std::vector<Message>{floatAttr("epsilon", 1e-3f)}; };
  pair.fused = {microsoft("SkipLayerNormalization", {"x", "s", "g", "b", "c"}, {"y", "", "", "t"},
                          epsilon())};
  pair.plain = {{"Add", {"x", "s"}, {"a"}},
                {"Add", {"a", "c"}, {"t"}},
                {"LayerNormalization", {"t", "g", "b"}, {"y"}, epsilon()}};
  expectSame(pair, {"y", "t"});
  pair.fused = {microsoft("SkipLayerNormalization", {"x", "s", "g"}, {"y"}, epsilon())};
  pair.plain = {{"Add", {"x", "s"}, {"a"}}, {"LayerNormalization", {"a", "g"}, {"y"}, epsilon()}};
  expectSame(pair);
  pair.fused = {microsoft("SkipSimplifiedLayerNormalization", {"x", "s", "g", "c"},
                          {"y", "", "", "t"}, epsilon())};
  pair.plain = {{"Add", {"x", "s"}, {"a"}},
                {"Add", {"a", "c"}, {"t"}},
                {"RMSNormalization", {"t", "g"}, {"y"}, epsilon()}};
  expectSame(pair, {"y", "t"});
}

TEST(Microsoft, NormalizationsOfOlderOpsets) {
  for (const int64_t opset : {9, 11, 16}) {
    Pair pair{.inputs = {valueInfo("x", F32, {2, 3, 8})},
              .constants = {randomTensor("g", {8}, 1), randomTensor("b", {8}, 2)}};
    pair.fused = {{"LayerNormalization", {"x", "g", "b"}, {"y"}, {intAttr("axis", -1)}},
                  {"SimplifiedLayerNormalization",
                   {"x", "g"},
                   {"z"},
                   {intAttr("axis", -1), floatAttr("epsilon", 1e-6f), intAttr("stash_type", 1)}}};
    pair.plain = {{"LayerNormalization", {"x", "g", "b"}, {"y"}},
                  {"RMSNormalization", {"x", "g"}, {"z"}, {floatAttr("epsilon", 1e-6f)}}};
    Pair older = pair;
    older.opset = opset;
    const auto inputs = randomInputs(*importedNodes(pair, pair.plain, {"y", "z"}).graph);
    const auto expected = answers(*importedNodes(pair, pair.plain, {"y", "z"}).graph, inputs);
    const auto results = answers(*importedNodes(older, older.fused, {"y", "z"}).graph, inputs);
    for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(compare(results[i], expected[i]).same());
  }
}

// ---- Activations behind products
// ------------------------------------------------------------------------

struct FusedActivation {
  std::string name;
  std::vector<std::pair<std::string, float>> params;
};
const std::vector<FusedActivation> kActivations = {
    {"Relu", {}},
    {"Sigmoid", {}},
    {"Tanh", {}},
    {"HardSwish", {}},
    {"Softplus", {}},
    {"Softsign", {}},
    {"Gelu", {}},
    {"Mish", {}},
    {"LeakyRelu", {{"alpha", 0.3f}}},
    {"Elu", {{"alpha", 0.7f}}},
    {"ThresholdedRelu", {{"alpha", 0.2f}}},
    {"HardSigmoid", {{"alpha", 0.3f}, {"beta", 0.4f}}},
    {"Selu", {{"alpha", 1.5f}, {"gamma", 1.1f}}}};

TEST(Microsoft, FusedConvAppliesAnyActivation) {
  for (const auto& [name, params] : kActivations)
    for (const bool sum : {false, true}) {
      SCOPED_TRACE(name);
      Pair pair;
      pair.inputs = {valueInfo("x", F32, {1, 3, 5, 5}), valueInfo("z", F32, {1, 4, 5, 5})};
      pair.constants = {randomTensor("w", {4, 3, 3, 3}, 1), randomTensor("b", {4}, 2)};
      const auto window = [] { return std::vector<Message>{intsAttr("pads", {1, 1, 1, 1})}; };
      std::vector<float> values;
      std::vector<Message> own;
      for (const auto& [attr, value] : params) {
        values.push_back(value);
        own.push_back(floatAttr(attr, value));
      }
      NodeSpec fused = microsoft("FusedConv", {"x", "w", "b"}, {"y"}, window());
      fused.attrs.push_back(textAttr("activation", name));
      if (!values.empty()) fused.attrs.push_back(floatsAttr("activation_params", values));
      if (sum) fused.inputs.emplace_back("z");
      pair.fused = {fused, {"Identity", {"z"}, {"unused"}}};
      pair.plain = {{"Conv", {"x", "w", "b"}, {"c"}, window()},
                    {"Add", {"c", "z"}, {"d"}},
                    {name, {sum ? "d" : "c"}, {"y"}, own}};
      expectSame(pair);
    }
}

TEST(Microsoft, FusedConvRefusesWhatIsNoActivation) {
  ModelSpec spec{.graph = {.inputs = {valueInfo("x", F32, {1, 3, 5, 5})},
                           .outputs = {valueInfo("y", F32)},
                           .initializers = {randomTensor("w", {4, 3, 3, 3}, 1)}},
                 .domains = {{kMicrosoft, 1}}};
  const auto withParams = [&](const std::string& name, const std::vector<float>& params) {
    spec.graph.nodes = {
        microsoft("FusedConv", {"x", "w"}, {"y"},
                  {textAttr("activation", name), floatsAttr("activation_params", params)})};
    return test::model(spec);
  };
  expectRefused(withParams("Sine", {}), {"FusedConv", "'Sine'"});
  expectRefused(withParams("Clip", {1}), {"Clip", "two parameters"});
  expectRefused(withParams("Relu", {1, 2}), {"Relu", "0 parameters"});
}

TEST(Microsoft, FusedGemmAndMatMul) {
  Pair pair{.inputs = {valueInfo("x", F32, {4, 6})},
            .constants = {randomTensor("w", {5, 6}, 1), randomTensor("b", {5}, 2)}};
  pair.fused = {
      microsoft("FusedGemm", {"x", "w", "b"}, {"y"},
                {intAttr("transB", 1), floatAttr("alpha", 0.5f),
                 textAttr("activation", "LeakyRelu"), floatAttr("activation_alpha", 0.2f)})};
  pair.plain = {{"Gemm", {"x", "w", "b"}, {"g"}, {intAttr("transB", 1), floatAttr("alpha", 0.5f)}},
                {"LeakyRelu", {"g"}, {"y"}, {floatAttr("alpha", 0.2f)}}};
  expectSame(pair);
  for (const bool transA : {false, true})
    for (const bool transB : {false, true})
      for (const bool batchA : {false, true})
        for (const bool batchB : {false, true}) {
          // [2, 3] matrices of 4 x 5 and 5 x 6
          const auto shapeOf = [](int64_t rows, int64_t columns, bool batch, bool trans) {
            if (trans) std::swap(rows, columns);
            return batch ? std::vector<Dim>{rows, 2, 3, columns}
                         : std::vector<Dim>{2, 3, rows, columns};
          };
          Pair product{.inputs = {valueInfo("a", F32, shapeOf(4, 5, batchA, transA)),
                                  valueInfo("b", F32, shapeOf(5, 6, batchB, transB))}};
          product.fused = {microsoft("FusedMatMul", {"a", "b"}, {"y"},
                                     {floatAttr("alpha", 0.25f), intAttr("transA", transA),
                                      intAttr("transB", transB), intAttr("transBatchA", batchA),
                                      intAttr("transBatchB", batchB)})};
          const auto order = [](bool batch, bool trans) {
            std::vector<int64_t> perm =
                batch ? std::vector<int64_t>{1, 2, 0, 3} : std::vector<int64_t>{0, 1, 2, 3};
            if (trans) std::swap(perm[2], perm[3]);
            return intsAttr("perm", perm);
          };
          product.constants = {number("quarter", 0.25f)};
          product.plain = {{"Transpose", {"a"}, {"at"}, {order(batchA, transA)}},
                           {"Transpose", {"b"}, {"bt"}, {order(batchB, transB)}},
                           {"MatMul", {"at", "bt"}, {"p"}},
                           {"Mul", {"p", "quarter"}, {"y"}}};
          expectSame(product);
        }
}

// ---- Channels last, and channels in blocks
// ---------------------------------------------------------------

Message toFirst() { return intsAttr("perm", {0, 3, 1, 2}); }
Message toLast() { return intsAttr("perm", {0, 2, 3, 1}); }

TEST(Microsoft, ChannelsLast) {
  Pair pair{.inputs = {valueInfo("x", U8, {2, 7, 6, 3})}, .outputs = U8};
  pair.constants = {number("xs", 0.02f),
                    bytes("xz", U8, {}, {128}),
                    number("ys", 0.03f),
                    bytes("yz", U8, {}, {120}),
                    bytes("w", I8, {4, 3, 3, 3}, randomBytes(108, 1)),
                    floats("ws", {4}, {0.01f, 0.02f, 0.03f, 0.005f}),
                    bytes("wz", I8, {4}, {0, 0, 0, 0})};
  const auto window = [](bool last) {
    std::vector<Message> attrs = {intsAttr("pads", {1, 0, 1, 2}), intsAttr("strides", {2, 1})};
    if (last) attrs.push_back(intAttr("channels_last", 1));
    return attrs;
  };
  const Names conv = {"xs", "xz", "w", "ws", "wz", "ys", "yz"};
  Names fused = {"x"}, plain = {"f"};
  fused.insert(fused.end(), conv.begin(), conv.end());
  plain.insert(plain.end(), conv.begin(), conv.end());
  pair.fused = {microsoft("QLinearConv", fused, {"y"}, window(true))};
  pair.plain = {{"Transpose", {"x"}, {"f"}, {toFirst()}},
                {"QLinearConv", plain, {"c"}, window(false)},
                {"Transpose", {"c"}, {"y"}, {toLast()}}};
  expectSame(pair);
  pair.fused = {microsoft("NhwcMaxPool", {"x"}, {"y"},
                          {intsAttr("kernel_shape", {3, 2}), intsAttr("pads", {1, 0, 1, 1})})};
  pair.plain = {
      {"Transpose", {"x"}, {"f"}, {toFirst()}},
      {"MaxPool", {"f"}, {"p"}, {intsAttr("kernel_shape", {3, 2}), intsAttr("pads", {1, 0, 1, 1})}},
      {"Transpose", {"p"}, {"y"}, {toLast()}}};
  expectSame(pair);
  for (const std::string pool : {"GlobalAveragePool", "AveragePool"}) {
    const auto attrs = [&](bool last) {
      std::vector<Message> made;
      if (pool == "AveragePool") made.push_back(intsAttr("kernel_shape", {2, 3}));
      if (last) made.push_back(intAttr("channels_last", 1));
      return made;
    };
    pair.fused = {microsoft("QLinear" + pool, {"x", "xs", "xz", "ys", "yz"}, {"y"}, attrs(true))};
    pair.plain = {{"Transpose", {"x"}, {"f"}, {toFirst()}},
                  {"DequantizeLinear", {"f", "xs", "xz"}, {"d"}},
                  {pool, {"d"}, {"p"}, attrs(false)},
                  {"QuantizeLinear", {"p", "ys", "yz"}, {"q"}},
                  {"Transpose", {"q"}, {"y"}, {toLast()}}};
    expectSame(pair);
  }
}

/// Weights as kernels for blocks of channels read them; outputs and inputs are filled up with
/// zeros.
std::vector<float> inBlocks(const std::vector<float>& weights, int64_t outputs, int64_t inputs,
                            int64_t window, int64_t block, bool blockedInputs) {
  const auto up = [&](int64_t count) { return (count + block - 1) / block * block; };
  const int64_t rows = up(outputs), columns = blockedInputs ? up(inputs) : inputs;
  std::vector<float> laid(static_cast<size_t>(rows * columns * window));
  size_t at = 0;
  for (int64_t ob = 0; ob < rows / block; ++ob)
    for (int64_t ib = 0; ib < (blockedInputs ? columns / block : columns); ++ib)
      for (int64_t k = 0; k < window; ++k)
        for (int64_t i = 0; i < (blockedInputs ? block : 1); ++i)
          for (int64_t o = 0; o < block; ++o, ++at) {
            const int64_t out = ob * block + o, in = blockedInputs ? ib * block + i : ib;
            if (out < outputs && in < inputs)
              laid[at] = weights[static_cast<size_t>((out * inputs + in) * window + k)];
          }
  return laid;
}

TEST(Microsoft, ChannelsInBlocksOfEight) {
  // 3 channels as they are, 20 (24 in blocks) by depthwise and full convolutions, 12 left over.
  const auto first = randomFloats(20 * 3 * 9, 1), depthwise = randomFloats(20 * 9, 2),
             full = randomFloats(12 * 20, 3);
  Pair pair{.inputs = {valueInfo("x", F32, {1, 3, 6, 6})}};
  pair.constants = {floats("w1", {20, 3, 3, 3}, first),
                    floats("w2", {20, 1, 3, 3}, depthwise),
                    floats("w3", {12, 20, 1, 1}, full),
                    floats("v1", {24, 3, 3, 3}, inBlocks(first, 20, 3, 9, 8, false)),
                    floats("v2", {24, 1, 3, 3}, inBlocks(depthwise, 20, 1, 9, 8, false)),
                    floats("v3", {16, 24, 1, 1}, inBlocks(full, 12, 20, 1, 8, true)),
                    floats("up", {4}, {1, 1, 2, 2}),
                    ints("begin", {0}),
                    ints("end", {12}),
                    ints("axis", {1})};
  const auto nchwc = [](std::string type, Names inputs, Names outputs, std::vector<Message> attrs) {
    return NodeSpec{std::move(type), std::move(inputs), std::move(outputs), std::move(attrs), {},
                    kNchwc};
  };
  const auto pads = [] { return intsAttr("pads", {1, 1, 1, 1}); };
  pair.fused = {nchwc("Conv", {"x", "v1"}, {"a"}, {pads(), textAttr("activation", "Relu")}),
                nchwc("Conv", {"a", "v2"}, {"b"}, {pads(), intAttr("group", 24)}),
                nchwc("Conv", {"b", "v3"}, {"c"}, {}),
                nchwc("MaxPool", {"c"}, {"d"}, {intsAttr("kernel_shape", {2, 2})}),
                nchwc("Upsample", {"d"}, {"e"},
                      {intsAttr("scales", {1, 1, 2, 2}), textAttr("mode", "nearest")}),
                nchwc("ReorderOutput", {"e"}, {"f"}, {intAttr("channels", 12)}),
                nchwc("ReorderInput", {"f"}, {"g"}, {intAttr("channels_last", 0)}),
                nchwc("GlobalAveragePool", {"g"}, {"h"}, {}),
                nchwc("ReorderOutput", {"h"}, {"y"}, {intAttr("channels", 12)})};
  pair.plain = {{"Conv", {"x", "w1"}, {"a0"}, {pads()}},
                {"Relu", {"a0"}, {"a"}},
                {"Conv", {"a", "w2"}, {"b"}, {pads(), intAttr("group", 20)}},
                {"Conv", {"b", "w3"}, {"c"}},
                {"MaxPool", {"c"}, {"d"}, {intsAttr("kernel_shape", {2, 2})}},
                {"Resize",
                 {"d", "", "up"},
                 {"f"},
                 {textAttr("mode", "nearest"), textAttr("nearest_mode", "floor"),
                  textAttr("coordinate_transformation_mode", "asymmetric")}},
                {"GlobalAveragePool", {"f"}, {"y"}}};
  expectSame(pair, {"f", "y"});
  EXPECT_NE(importedNodes(pair, pair.fused, {"y"}).notes[0].find("8 channels"), std::string::npos);
}

// ---- Quantized operators
// --------------------------------------------------------------------------------

TEST(Microsoft, ProductsOfIntegersToFloats) {
  Pair pair{.inputs = {valueInfo("a", U8, {4, 6}), valueInfo("x", F32, {4, 6})}};
  pair.constants = {bytes("b", I8, {6, 5}, randomBytes(30, 1)),
                    number("as", 0.02f),
                    floats("bs", {5}, {0.1f, 0.2f, 0.3f, 0.4f, 0.5f}),
                    bytes("az", U8, {}, {100}),
                    bytes("bz", I8, {5}, {1, 2, 3, 4, 5}),
                    randomTensor("bias", {5}, 3)};
  const auto scaled = [](const std::string& sums, const std::string& scale) {
    return std::vector<NodeSpec>{
        {"Cast", {sums}, {"f"}, {intAttr("to", static_cast<int64_t>(F32))}},
        {"Mul", {scale, "bs"}, {"s"}},
        {"Mul", {"f", "s"}, {"p"}},
        {"Add", {"p", "bias"}, {"y"}}};
  };
  pair.fused = {
      microsoft("MatMulIntegerToFloat", {"a", "b", "as", "bs", "az", "bz", "bias"}, {"y"})};
  pair.plain = scaled("n", "as");
  pair.plain.insert(pair.plain.begin(), NodeSpec{"MatMulInteger", {"a", "b", "az", "bz"}, {"n"}});
  expectSame(pair);
  pair.fused = {microsoft("DynamicQuantizeMatMul", {"x", "b", "bs", "bz", "bias"}, {"y"})};
  pair.plain = scaled("n", "xs");
  pair.plain.insert(pair.plain.begin(), {{"DynamicQuantizeLinear", {"x"}, {"q", "xs", "xz"}},
                                         {"MatMulInteger", {"q", "b", "xz", "bz"}, {"n"}}});
  expectSame(pair);
}

/// Rounded, the zero point included, into the range of 8 bits.
int rounded(float y, ElemType elem) {
  const float least = elem == U8 ? 0 : -128;
  return static_cast<int>(std::clamp(std::nearbyint(y), least, least + 255));
}

TEST(Microsoft, QuantizedSumsAndProducts) {
  for (const ElemType elem : {U8, I8})
    for (const float scale : {0.02f, 0.5f}) { // of powers of two many results are ties
      const int za = elem == U8 ? 120 : -3, zb = elem == U8 ? 131 : 7, zc = elem == U8 ? 127 : 5;
      const float sa = scale, sb = scale == 0.5f ? 0.25f : 0.013f, sc = scale == 0.5f ? 1 : 0.03f;
      Pair pair{.inputs = {valueInfo("a", elem, {4, 100}), valueInfo("b", elem, {4, 100})},
                .outputs = elem};
      pair.constants = {number("as", sa), bytes("az", elem, {}, {za}),
                        number("bs", sb), bytes("bz", elem, {}, {zb}),
                        number("cs", sc), bytes("cz", elem, {}, {zc})};
      const Names operands = {"a", "as", "az", "b", "bs", "bz", "cs", "cz"};
      const std::vector<NodeSpec> nodes = {microsoft("QLinearAdd", operands, {"y"}),
                                           microsoft("QLinearMul", operands, {"z"})};
      const ImportedModel model = importedNodes(pair, nodes, {"y", "z"});
      const std::vector<Tensor> inputs = randomInputs(*model.graph);
      const std::vector<Tensor> results = answers(*model.graph, inputs);
      const float ra = sa / sc, rb = sb / sc, product = sa * sb / sc;
      const float fixed =
          static_cast<float>(zc) - (ra * static_cast<float>(za) + rb * static_cast<float>(zb));
      for (int64_t i = 0; i < 400; ++i) {
        const auto a = static_cast<float>(inputs[0].asInt(i)),
                   b = static_cast<float>(inputs[1].asInt(i));
        EXPECT_EQ(results[0].asInt(i), rounded(a * ra + fixed + b * rb, elem));
        const float exact = (a - static_cast<float>(za)) * (b - static_cast<float>(zb));
        EXPECT_EQ(results[1].asInt(i), rounded(exact * product + static_cast<float>(zc), elem));
      }
    }
}

TEST(Microsoft, QuantizedReduceMeanAndWhere) {
  Pair pair{.inputs = {valueInfo("x", I8, {2, 3, 4}), valueInfo("z", I8, {2, 3, 4}),
                       valueInfo("c", ElemType::Bool, {2, 1, 4})},
            .outputs = I8};
  pair.constants = {number("xs", 0.02f),       bytes("xz", I8, {}, {5}), number("zs", 0.05f),
                    bytes("zz", I8, {}, {-7}), number("ys", 0.03f),      bytes("yz", I8, {}, {3}),
                    ints("axes", {1})};
  pair.fused = {microsoft("QLinearReduceMean", {"x", "xs", "xz", "ys", "yz"}, {"y"},
                          {intsAttr("axes", {1}), intAttr("keepdims", 0)})};
  pair.plain = {{"DequantizeLinear", {"x", "xs", "xz"}, {"d"}},
                {"ReduceMean", {"d", "axes"}, {"m"}, {intAttr("keepdims", 0)}},
                {"QuantizeLinear", {"m", "ys", "yz"}, {"y"}}};
  expectSame(pair);
  pair.fused = {
      microsoft("QLinearWhere", {"c", "x", "xs", "xz", "z", "zs", "zz", "ys", "yz"}, {"y"})};
  pair.plain = {{"DequantizeLinear", {"x", "xs", "xz"}, {"d"}},
                {"DequantizeLinear", {"z", "zs", "zz"}, {"e"}},
                {"Where", {"c", "d", "e"}, {"w"}},
                {"QuantizeLinear", {"w", "ys", "yz"}, {"y"}}};
  expectSame(pair);
}

/// One row, as ONNX Runtime computes it: powers looked up, their sum and quotients in f32.
std::vector<int> softmaxOf(const std::vector<int>& x, float scale, float outScale, int zero,
                           int least, int most) {
  const int largest = *std::ranges::max_element(x);
  const double shift = std::max(
      0.0, std::log(static_cast<double>(std::numeric_limits<float>::max()) / double(x.size())) - 5);
  std::vector<float> powers;
  float sum = 0;
  for (const int v : x) {
    powers.push_back(static_cast<float>(std::exp((v - largest) * double(scale) + shift)));
    sum += powers.back();
  }
  std::vector<int> y;
  for (const float power : powers)
    y.push_back(
        std::clamp(static_cast<int>(std::nearbyint(power * std::floor(1 / outScale) / sum)) + zero,
                   least, most));
  return y;
}

TEST(Microsoft, QuantizedSoftmax) {
  for (const ElemType elem : {U8, I8})
    for (const float scale : {0.02f, 0.1f, 1.0f})
      for (const float outScale : {1.0f / 256, 1.0f / 255, 0.01f}) {
        Pair pair{.inputs = {valueInfo("x", elem, {3, 5, 2})}, .outputs = elem};
        const int least = elem == U8 ? 0 : -128, most = elem == U8 ? 255 : 127;
        pair.constants = {number("xs", scale), bytes("xz", elem, {}, {elem == U8 ? 128 : 0}),
                          number("ys", outScale), bytes("yz", elem, {}, {least})};
        for (const int64_t opset : {11, 13}) {
          pair.fused = {microsoft("QLinearSoftmax", {"x", "xs", "xz", "ys", "yz"}, {"y"},
                                  {intAttr("axis", 1), intAttr("opset", opset)})};
          const ImportedModel model = importedNodes(pair, pair.fused, {"y"});
          const std::vector<Tensor> inputs = randomInputs(*model.graph);
          const Tensor y = answers(*model.graph, inputs)[0];
          const int64_t columns = opset < 13 ? 1 : 2;
          for (int64_t row = 0; row < 3; ++row)
            for (int64_t column = 0; column < columns; ++column) {
              std::vector<int64_t> places;
              for (int64_t i = column; i < 10; i += columns) places.push_back(row * 10 + i);
              std::vector<int> x;
              for (const int64_t place : places)
                x.push_back(static_cast<int>(inputs[0].asInt(place)));
              const std::vector<int> expected = softmaxOf(x, scale, outScale, least, least, most);
              for (size_t i = 0; i < places.size(); ++i)
                EXPECT_EQ(y.asInt(places[i]), expected[i]) << scale << " " << outScale;
            }
        }
      }
}

TEST(Microsoft, WeightsOfAFewBitsInBlocks) {
  for (const int bits : {2, 4, 8})
    for (const bool zeros : {false, true})
      for (const int64_t rows : {16, 21}) {
        SCOPED_TRACE(fmt::format("{} bits, {} rows, zeros {}", bits, rows, zeros));
        const int64_t columns = 3, block = 16, blocks = (rows + block - 1) / block;
        const int64_t size = block * bits / 8, zeroSize = (blocks * bits + 7) / 8;
        const auto codes = randomBytes(static_cast<size_t>(columns * blocks * size), 1);
        const auto zeroCodes = randomBytes(static_cast<size_t>(columns * zeroSize), 2);
        const auto scales = randomFloats(static_cast<size_t>(columns * blocks), 3);
        const auto code = [&](const std::vector<int>& from, int64_t first, int64_t i) {
          const int each = 8 / bits;
          return from[static_cast<size_t>(first + i / each)] >> (i % each * bits) &
                 ((1 << bits) - 1);
        };
        std::vector<float> matrix(static_cast<size_t>(rows * columns));
        for (int64_t n = 0; n < columns; ++n)
          for (int64_t k = 0; k < rows; ++k) {
            const int64_t b = k / block;
            const int zero = zeros ? code(zeroCodes, n * zeroSize, b) : 1 << (bits - 1);
            matrix[static_cast<size_t>(k * columns + n)] =
                static_cast<float>(code(codes, (n * blocks + b) * size, k % block) - zero) *
                scales[static_cast<size_t>(n * blocks + b)];
          }
        Pair pair{.inputs = {valueInfo("x", F32, {2, rows})}};
        pair.constants = {bytes("b", U8, {columns, blocks, size}, codes),
                          floats("s", {columns * blocks}, scales),
                          bytes("z", U8, {columns * zeroSize}, zeroCodes),
                          floats("m", {rows, columns}, matrix), randomTensor("bias", {columns}, 4)};
        pair.fused = {microsoft("MatMulNBits", {"x", "b", "s", zeros ? "z" : "", "", "bias"}, {"y"},
                                {intAttr("K", rows), intAttr("N", columns), intAttr("bits", bits),
                                 intAttr("block_size", block), intAttr("accuracy_level", 4)})};
        pair.plain = {{"MatMul", {"x", "m"}, {"p"}}, {"Add", {"p", "bias"}, {"y"}}};
        expectSame(pair);
      }
}

// ---- Attention
// ------------------------------------------------------------------------------------------

TEST(Microsoft, MultiHeadAttention) {
  Pair pair{.inputs = {valueInfo("q", F32, {2, 5, 8}), valueInfo("k", F32, {2, 7, 8}),
                       valueInfo("v", F32, {2, 7, 12}), valueInfo("bias", F32, {1, 2, 5, 7})}};
  pair.constants = {randomTensor("b", {28}, 1), ints("at", {8, 16}), ints("sizes", {8, 8, 12})};
  pair.fused = {microsoft("MultiHeadAttention", {"q", "k", "v", "b", "", "bias"}, {"y"},
                          {intAttr("num_heads", 2), floatAttr("scale", 0.4f)})};
  pair.plain = {
      {"Split", {"b", "sizes"}, {"bq", "bk", "bv"}},
      {"Add", {"q", "bq"}, {"qb"}},
      {"Add", {"k", "bk"}, {"kb"}},
      {"Add", {"v", "bv"}, {"vb"}},
      {"Attention",
       {"qb", "kb", "vb", "bias"},
       {"y"},
       {intAttr("q_num_heads", 2), intAttr("kv_num_heads", 2), floatAttr("scale", 0.4f)}}};
  expectSame(pair);
}

TEST(Microsoft, AttentionOfOneProduct) {
  Pair pair{.inputs = {valueInfo("x", F32, {2, 5, 6}), valueInfo("bias", F32, {2, 2, 5, 5})}};
  const std::vector<int> mask = {1, 1, 1, 0, 0, 1, 1, 0, 1, 1};
  std::string raw(mask.size() * 4, '\0');
  for (size_t i = 0; i < mask.size(); ++i) raw[4 * i] = static_cast<char>(mask[i]);
  std::vector<float> added;
  for (const int kept : mask) added.push_back(kept ? 0.0f : -10000.0f);
  pair.constants = {randomTensor("w", {6, 20}, 1), randomTensor("b", {20}, 2),
                    rawTensor("mask", I32, {2, 5}, raw), floats("added", {2, 1, 1, 5}, added),
                    ints("sizes", {8, 8, 4})};
  pair.fused = {microsoft("Attention", {"x", "w", "b", "mask", "", "bias"}, {"y"},
                          {intAttr("num_heads", 2), intsAttr("qkv_hidden_sizes", {8, 8, 4}),
                           intAttr("unidirectional", 1)})};
  pair.plain = {{"MatMul", {"x", "w"}, {"p"}},
                {"Add", {"p", "b"}, {"j"}},
                {"Split", {"j", "sizes"}, {"q", "k", "v"}, {intAttr("axis", 2)}},
                {"Add", {"bias", "added"}, {"all"}},
                {"Attention",
                 {"q", "k", "v", "all"},
                 {"y"},
                 {intAttr("q_num_heads", 2), intAttr("kv_num_heads", 2), intAttr("is_causal", 1)}}};
  expectSame(pair);
}

/// Of each of the batch, the keys from a start to an end.
TEST(Microsoft, AttentionOfRangesOfKeys) {
  for (const bool hasStarts : {false, true}) {
    Pair pair{.inputs = {valueInfo("x", F32, {2, 5, 6})}};
    const std::vector<int> ends = {3, 5, 1, 0}; // and starts
    const size_t given = hasStarts ? 4 : 2;
    std::string raw(given * 4, '\0');
    for (size_t i = 0; i < given; ++i) raw[4 * i] = static_cast<char>(ends[i]);
    std::vector<float> added;
    for (size_t b = 0; b < 2; ++b)
      for (int key = 0; key < 5; ++key)
        added.push_back(key < ends[b] && (!hasStarts || key >= ends[2 + b]) ? 0.0f : -10000.0f);
    pair.constants = {randomTensor("w", {6, 12}, 1), randomTensor("b", {12}, 2),
                      rawTensor("mask", I32, {static_cast<int64_t>(given)}, raw),
                      floats("added", {2, 1, 1, 5}, added), ints("sizes", {4, 4, 4})};
    pair.fused = {
        microsoft("Attention", {"x", "w", "b", "mask"}, {"y"}, {intAttr("num_heads", 2)})};
    pair.plain = {{"MatMul", {"x", "w"}, {"p"}},
                  {"Add", {"p", "b"}, {"j"}},
                  {"Split", {"j", "sizes"}, {"q", "k", "v"}, {intAttr("axis", 2)}},
                  {"Attention",
                   {"q", "k", "v", "added"},
                   {"y"},
                   {intAttr("q_num_heads", 2), intAttr("kv_num_heads", 2)}}};
    expectSame(pair);
  }
}

TEST(Microsoft, WhatIsRefusedSaysWhy) {
  ModelSpec spec{
      .graph = {.inputs = {valueInfo("x", F32, {2, 5, 6})},
                .outputs = {valueInfo("y", F32)},
                .initializers = {randomTensor("w", {6, 18}, 1), randomTensor("g", {6}, 2),
                                 randomTensor("past", {2, 2, 2, 5, 3}, 3)}},
      .domains = {{kMicrosoft, 1}}};
  const auto with = [&](NodeSpec node) {
    spec.graph.nodes = {std::move(node)};
    return test::model(spec);
  };
  expectRefused(with(microsoft("Attention", {"x", "w"}, {"y"}, {intAttr("num_heads", 4)})),
                {"Attention", "4 heads"});
  expectRefused(
      with(microsoft("Attention", {"x", "w", "", "", "past"}, {"y"}, {intAttr("num_heads", 2)})),
      {"input 4"});
  expectRefused(with(microsoft("SkipLayerNormalization", {"x", "x", "g"}, {"y", "mean"})),
                {"deviation"});
  expectRefused(with(microsoft("MatMulNBits", {"x", "w", "g"}, {"y"},
                               {intAttr("K", 6), intAttr("N", 3), intAttr("block_size", 16)})),
                {"MatMulNBits", "another size"});
}

} // namespace
} // namespace enfold::onnx::test
