// Networks of dequantized tensors, computed in integers on a target that has kernels for these,
// against the reference functions of the quantized operators, bit for bit.
#include "fuzz/Random.h"
#include "ir/ConstantText.h"
#include "passes/PassManager.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

using fuzz::Random;

bool isIntegerProduct(const Op& op) {
  return op.kind() == OpKind::ConvInteger || op.kind() == OpKind::MatMulInteger;
}

/// On a target that multiplies integers.
PipelineReport optimize(Graph& graph, std::string_view pipeline = "") {
  PipelineOptions options;
  options.passes.target.hasKernel = isIntegerProduct;
  options.verifyEach = true;
  const auto parsed =
      pipeline.empty() ? Result<Pipeline>(defaultPipeline()) : parsePipeline(pipeline);
  EXPECT_TRUE(parsed);
  auto report = runPipeline(graph, *parsed, options);
  EXPECT_TRUE(report) << report.error().str();
  return report ? *std::move(report) : PipelineReport();
}

size_t countOf(const Graph& graph, OpKind kind) {
  return static_cast<size_t>(
      std::ranges::count_if(graph.ops(), [&](const auto& op) { return op->kind() == kind; }));
}

std::vector<Tensor> run(const Graph& graph, std::span<const Tensor> inputs) {
  auto outputs = reference::run(graph, inputs);
  EXPECT_TRUE(outputs) << outputs.error().str();
  return outputs ? *std::move(outputs) : std::vector<Tensor>();
}

/// One tensor's scale and zero point, or those of the channels of weights.
struct Codes {
  ElemType elem;
  std::vector<float> scales;
  std::vector<int64_t> zeros;
  std::optional<int64_t> axis = {};
};

/// A network written twice: once of dequantizations, floats and quantizations, once of quantized
/// operators.
class Pair {
public:
  explicit Pair(uint64_t seed) : random(seed) {}

  Value* make(Graph& graph, OpKind kind, std::vector<Value*> operands, AttrMap attrs = {}) {
    const auto op =
        graph.create({.kind = kind, .operands = std::move(operands), .attrs = std::move(attrs)});
    EXPECT_TRUE(op) << op.error().str();
    return op ? (*op)->result() : nullptr;
  }
  Tensor scaleOf(const Codes& codes) const {
    Tensor tensor(ElemType::F32, codes.axis ? Shape{std::ssize(codes.scales)} : Shape{});
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.setDouble(i, codes.scales[static_cast<size_t>(i)]);
    return tensor;
  }
  Tensor zeroOf(const Codes& codes) const {
    Tensor tensor(codes.elem, codes.axis ? Shape{std::ssize(codes.scales)} : Shape{});
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.setDouble(i, static_cast<double>(codes.zeros[static_cast<size_t>(i)]));
    return tensor;
  }
  Value* between(Graph& graph, OpKind kind, Value* x, const Codes& codes) {
    AttrMap attrs;
    if (codes.axis) attrs["axis"] = *codes.axis;
    return make(graph, kind,
                {x, graph.constant(scaleOf(codes), "scale"), graph.constant(zeroOf(codes), "zero")},
                std::move(attrs));
  }
  Value* dequantized(Value* x, const Codes& codes) {
    return between(floats, OpKind::DequantizeLinear, x, codes);
  }

  int64_t zeroFor(ElemType elem) {
    if (elem == ElemType::U8) return random.pick<int64_t>({0, 0, 255, 128, 127, random.in(0, 255)});
    return random.pick<int64_t>({0, 0, -128, 127, random.in(-128, 127)});
  }
  Codes weightsOf(int64_t channels, int64_t axis) {
    Codes codes{random.pick({ElemType::I8, ElemType::U8}), {}, {}};
    if (random.chance(60)) codes.axis = axis;
    for (int64_t i = 0; i < (codes.axis ? channels : 1); ++i) {
      codes.scales.push_back(static_cast<float>(std::exp(random.uniform(-7, -2))));
      codes.zeros.push_back(codes.elem == ElemType::U8
                                ? random.pick<int64_t>({128, 128, 0, 255, random.in(0, 255)})
                                : random.pick<int64_t>({0, 0, 1, -128, 127}));
    }
    return codes;
  }
  Codes tensorOf(double low, double high) {
    const ElemType elem = random.pick({ElemType::U8, ElemType::I8});
    return {elem, {static_cast<float>(std::exp(random.uniform(low, high)))}, {zeroFor(elem)}};
  }
  Tensor weightCodes(const Codes& codes, const Shape& shape) {
    Tensor tensor(codes.elem, shape);
    const bool extreme = random.chance(20);
    for (int64_t i = 0; i < tensor.numElements(); ++i) {
      const int64_t w = extreme ? random.pick<int64_t>({-127, 126, 0}) : random.in(-127, 126);
      tensor.setDouble(i, static_cast<double>(codes.elem == ElemType::U8 ? w + 128 : w));
    }
    return tensor;
  }
  Tensor anyCodes(ElemType elem, const Shape& shape) {
    Tensor tensor(elem, shape);
    fillRandom(tensor, random.next(), elem == ElemType::U8 ? 0 : -128,
               elem == ElemType::U8 ? 255 : 127);
    return tensor;
  }
  /// In the scale of the sums.
  Tensor biasCodes(int64_t channels) {
    Tensor tensor(ElemType::I32, {channels});
    for (int64_t i = 0; i < channels; ++i)
      tensor.setDouble(i, static_cast<double>(random.in(-40000, 40000)));
    return tensor;
  }
  Codes biasOf(const Codes& x, const Codes& w, int64_t channels) {
    Codes codes{ElemType::I32, {}, {}, 0};
    for (int64_t i = 0; i < channels; ++i) {
      codes.scales.push_back(x.scales[0] * w.scales[w.axis ? static_cast<size_t>(i) : 0]);
      codes.zeros.push_back(0);
    }
    return codes;
  }

  /// A relu or clip on both sides, perhaps; of codes, it is one of what they stand for.
  std::pair<Value*, Value*> bounded(Value* real, Value* codes, const Codes& y) {
    if (random.chance(40)) return {real, codes};
    const auto both = [&](OpKind kind, const std::vector<float>& bounds) {
      Value* wide = between(integers, OpKind::DequantizeLinear, codes, y);
      std::vector<Value*> a = {real}, b = {wide};
      for (const float bound : bounds) {
        a.push_back(floats.constant(Tensor::scalar(bound), "bound"));
        b.push_back(integers.constant(Tensor::scalar(bound), "bound"));
      }
      real = make(floats, kind, a);
      codes = between(integers, OpKind::QuantizeLinear, make(integers, kind, b), y);
    };
    if (random.chance(50))
      both(OpKind::Relu, {});
    else
      both(OpKind::Clip, {0.0f, static_cast<float>(random.uniform(0, 40 * y.scales[0]))});
    return {real, codes};
  }

  /// The sums are of this many products.
  Codes resultOf(const Codes& x, const Codes& w, int64_t products) {
    Codes y = tensorOf(0, 0);
    y.scales[0] =
        x.scales[0] * w.scales[0] * 40 *
        static_cast<float>(std::sqrt(static_cast<double>(products)) * random.uniform(0.3, 3));
    return y;
  }

  void finish(Value* real, Value* codes, const Codes& y) {
    std::tie(real, codes) = bounded(real, codes, y);
    floats.addOutput(between(floats, OpKind::QuantizeLinear, real, y), "y");
    integers.addOutput(codes, "y");
  }

  void conv() {
    const int spatial = static_cast<int>(random.in(1, 3));
    const int64_t group = random.pick<int64_t>({1, 1, 2, 5}), in = group * random.in(1, 3),
                  out = group * random.in(1, 4);
    Shape shape = {random.in(1, 2), in}, kernel = {out, in / group};
    std::vector<int64_t> pads, strides, dilations;
    for (int i = 0; i < spatial; ++i) {
      kernel.push_back(random.in(1, 3));
      strides.push_back(random.in(1, 2));
      dilations.push_back(random.in(1, 2));
      shape.push_back(random.in(5, 7));
    }
    for (int i = 0; i < 2 * spatial; ++i) pads.push_back(random.in(0, 2));
    const AttrMap attrs = {
        {"group", group}, {"pads", pads}, {"strides", strides}, {"dilations", dilations}};
    const Codes x = tensorOf(-5, 0), w = weightsOf(out, 0);
    const Codes y = resultOf(x, w, numElements(kernel) / out);
    input(x.elem, shape);
    const Tensor weights = weightCodes(w, kernel), bias = biasCodes(out);
    const bool hasBias = random.chance(70);
    std::vector<Value*> a = {dequantized(floats.inputs()[0].get(), x),
                             dequantized(floats.constant(weights, "w"), w)};
    std::vector<Value*> b = quantizedOperands(x, weights, w, y);
    if (hasBias) {
      a.push_back(dequantized(floats.constant(bias, "b"), biasOf(x, w, out)));
      b.push_back(integers.constant(bias, "b"));
    }
    finish(make(floats, OpKind::Conv, a, attrs), make(integers, OpKind::QLinearConv, b, attrs), y);
  }

  void product() {
    const int64_t inner = random.in(1, 40), out = random.in(1, 20);
    const bool isGemm = random.chance(50), transposes = isGemm && random.chance(50);
    Shape shape = {random.in(1, 3), inner};
    if (!isGemm && random.chance(50)) shape.insert(shape.begin(), 2);
    const Codes x = tensorOf(-5, 0);
    Codes w = weightsOf(out, 1);
    w.zeros.assign(w.zeros.size(), w.zeros[0]);
    const Codes y = resultOf(x, w, inner);
    input(x.elem, shape);
    const Tensor weights = weightCodes(w, {inner, out});
    Value* codes = make(integers, OpKind::QLinearMatMul, quantizedOperands(x, weights, w, y));
    Tensor given = weights;
    Codes givenCodes = w;
    if (transposes) {
      given = Tensor(w.elem, {out, inner});
      for (int64_t k = 0; k < inner; ++k)
        for (int64_t n = 0; n < out; ++n)
          given.setDouble(n * inner + k, weights.asDouble(k * out + n));
      if (w.axis) givenCodes.axis = 0;
    }
    Value* real = make(floats, isGemm ? OpKind::Gemm : OpKind::MatMul,
                       {dequantized(floats.inputs()[0].get(), x),
                        dequantized(floats.constant(given, "w"), givenCodes)},
                       transposes ? AttrMap{{"transB", int64_t{1}}} : AttrMap{});
    finish(real, codes, y);
  }

  /// An average of floats alone; gives the scale of a sum over that of the result.
  double pool(Codes& x, Codes& y) {
    const int spatial = static_cast<int>(random.in(1, 3));
    Shape shape = {random.in(1, 2), random.in(1, 5)};
    std::vector<int64_t> kernel, strides, pads;
    for (int i = 0; i < spatial; ++i) {
      shape.push_back(random.in(4, 7));
      kernel.push_back(random.in(2, 3));
      strides.push_back(random.in(1, 2));
    }
    for (int i = 0; i < 2 * spatial; ++i)
      pads.push_back(random.in(0, kernel[static_cast<size_t>(i % spatial)] - 1));
    const bool isGlobal = random.chance(30);
    if (isGlobal) kernel.assign(shape.begin() + 2, shape.end());
    x = tensorOf(-5, 0);
    y = tensorOf(0, 0);
    y.scales[0] = random.chance(50) ? x.scales[0]
                                    : x.scales[0] * static_cast<float>(random.uniform(0.3, 1.5));
    input(x.elem, shape);
    const AttrMap attrs = {{"kernel_shape", kernel},
                           {"strides", strides},
                           {"pads", pads},
                           {"count_include_pad", int64_t{1}}};
    Value* mean = make(floats, isGlobal ? OpKind::GlobalAveragePool : OpKind::AveragePool,
                       {dequantized(floats.inputs()[0].get(), x)}, isGlobal ? AttrMap{} : attrs);
    floats.addOutput(between(floats, OpKind::QuantizeLinear, mean, y), "y");
    return static_cast<double>(x.scales[0]) / static_cast<double>(y.scales[0]) /
           static_cast<double>(numElements(kernel));
  }

  void input(ElemType elem, const Shape& shape) {
    floats.addInput("x", {elem, shape, {}});
    integers.addInput("x", {elem, shape, {}});
    inputs = {anyCodes(elem, shape)};
  }
  std::vector<Value*> quantizedOperands(const Codes& x, const Tensor& weights, const Codes& w,
                                        const Codes& y) {
    const auto constant = [&](const Tensor& tensor) { return integers.constant(tensor, "k"); };
    return {integers.inputs()[0].get(), constant(scaleOf(x)), constant(zeroOf(x)),
            constant(weights),          constant(scaleOf(w)), constant(zeroOf(w)),
            constant(scaleOf(y)),       constant(zeroOf(y))};
  }

  Random random;
  Graph floats, integers;
  std::vector<Tensor> inputs;
};

void expectSame(Pair& pair, OpKind product) {
  optimize(pair.floats);
  EXPECT_EQ(countOf(pair.floats, product), 1u);
  EXPECT_EQ(run(pair.floats, pair.inputs), run(pair.integers, pair.inputs));
}

TEST(IntegerArithmetic, ConvolutionsAreThoseOfTheQuantizedOperator) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed);
    pair.conv();
    expectSame(pair, OpKind::ConvInteger);
  }
}

TEST(IntegerArithmetic, ProductsAreThoseOfTheQuantizedOperator) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed);
    pair.product();
    expectSame(pair, OpKind::MatMulInteger);
  }
}

TEST(IntegerArithmetic, AveragesAreSumsOfIntegers) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed);
    Codes x, y;
    const double factor = pair.pool(x, y);
    const Tensor expected = run(pair.floats, pair.inputs)[0];
    optimize(pair.floats);
    EXPECT_EQ(countOf(pair.floats, OpKind::ConvInteger), 1u);
    const Tensor answer = run(pair.floats, pair.inputs)[0];
    // Means of floats are rounded before they are divided, which decides ties.
    const bool hasTies = std::abs(1 / factor - std::round(1 / factor)) < 1e-4;
    int64_t different = 0;
    for (int64_t i = 0; i < answer.numElements(); ++i) {
      EXPECT_LE(std::abs(answer.asDouble(i) - expected.asDouble(i)), 1);
      different += answer.asDouble(i) != expected.asDouble(i);
    }
    EXPECT_LE(different, hasTies ? answer.numElements() / 2 : 0);
  }
}

TEST(IntegerArithmetic, AveragesOfFewerNumbersAtTheBordersStayFloats) {
  for (const bool isCeil : {false, true}) {
    Pair pair(1);
    const Codes x = {ElemType::U8, {0.1f}, {3}};
    pair.input(x.elem, {1, 2, 6, 6});
    const AttrMap attrs = {{"kernel_shape", std::vector<int64_t>{3, 3}},
                           {"strides", std::vector<int64_t>{2, 2}},
                           {"pads", std::vector<int64_t>(4, isCeil ? 0 : 1)},
                           {"ceil_mode", int64_t{isCeil}}};
    Value* mean = pair.make(pair.floats, OpKind::AveragePool,
                            {pair.dequantized(pair.floats.inputs()[0].get(), x)}, attrs);
    pair.floats.addOutput(mean, "y");
    const Tensor expected = run(pair.floats, pair.inputs)[0];
    optimize(pair.floats);
    EXPECT_EQ(countOf(pair.floats, OpKind::ConvInteger), 0u);
    EXPECT_EQ(run(pair.floats, pair.inputs)[0], expected);
  }
}

/// A residual block between pools, and a linear layer: between the quantization of the input and
/// the dequantization of the result, tensors are of integers.
TEST(IntegerArithmetic, TensorsBetweenConvolutionsAreNoFloats) {
  Pair pair(3);
  Graph& g = pair.floats;
  const Codes data{ElemType::U8, {0.05f}, {3}}, weights{ElemType::I8, {0.01f}, {0}};
  const auto rounded = [&](Value* x) {
    return pair.dequantized(pair.between(g, OpKind::QuantizeLinear, x, data), data);
  };
  const auto product = [&](OpKind kind, Value* x, const Shape& shape, AttrMap attrs = {}) {
    Value* w = g.constant(pair.weightCodes(weights, shape), "w");
    return pair.make(g, kind, {x, pair.dequantized(w, weights)}, std::move(attrs));
  };
  const AttrMap same = {{"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  const AttrMap halves = {{"kernel_shape", std::vector<int64_t>{2, 2}},
                          {"strides", std::vector<int64_t>{2, 2}}};
  Value* x = rounded(g.addInput("x", {ElemType::F32, {1, 3, 16, 16}, {}}));
  Value* stem = rounded(pair.make(g, OpKind::Relu, {product(OpKind::Conv, x, {8, 3, 3, 3}, same)}));
  Value* pooled = rounded(pair.make(g, OpKind::MaxPool, {stem}, halves));
  Value* branch = rounded(product(OpKind::Conv, pooled, {8, 8, 3, 3}, same));
  Value* sum = rounded(pair.make(g, OpKind::Relu, {pair.make(g, OpKind::Add, {branch, pooled})}));
  Value* averaged = rounded(pair.make(g, OpKind::AveragePool, {sum}, halves));
  Value* mean = rounded(pair.make(g, OpKind::GlobalAveragePool, {averaged}));
  Value* flat = pair.make(g, OpKind::Flatten, {mean});
  g.addOutput(rounded(product(OpKind::MatMul, flat, {8, 5})), "y");
  optimize(g);
  for (const auto& op : g.ops())
    if (isFloat(op->result()->elem()) && op->result() != g.outputs()[0]) {
      EXPECT_EQ(op->result()->type().numElements(), 1) << op->describe();
    }
}

TEST(IntegerArithmetic, QuantizedOperatorsKeepTheirIntegers) {
  for (uint64_t seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    Pair pair(seed);
    const bool isConv = pair.random.chance(50);
    isConv ? pair.conv() : pair.product();
    const std::vector<Tensor> expected = run(pair.integers, pair.inputs);
    optimize(pair.integers);
    EXPECT_EQ(countOf(pair.integers, isConv ? OpKind::ConvInteger : OpKind::MatMulInteger), 1u);
    EXPECT_EQ(run(pair.integers, pair.inputs), expected);
  }
}

} // namespace
} // namespace enfold
