// Fourier transforms, windows and random numbers: what the definitions say of them.
#include "Support.h"

#include <fmt/format.h>

#include <cmath>
#include <complex>
#include <numbers>

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32, I64 = ElemType::I64;

Message integer(std::string_view name, int64_t value) {
  return rawTensor(name, I64, {}, {reinterpret_cast<const char*>(&value), sizeof value});
}

/// y = type(x, constants…).
ModelSpec one(std::string type, const std::vector<Dim>& shape, std::vector<Message> constants,
              Names inputs, std::vector<Message> attrs, int64_t opset = 20) {
  return {
      .graph = {.inputs = {valueInfo("x", F32, shape)},
                .outputs = {valueInfo("y", F32)},
                .initializers = std::move(constants),
                .nodes = {{std::move(type), std::move(inputs), {"y"}, std::move(attrs), "node"}}},
      .opset = opset};
}

Tensor randomTensor(const Shape& shape, uint32_t seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> number(-1, 1);
  Tensor tensor(F32, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i) tensor.setDouble(i, double(number(engine)));
  return tensor;
}

Tensor answer(const ModelSpec& spec, const Tensor& x) {
  return answers(*imported(test::model(spec)).graph, {x})[0];
}

void expectClose(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.shape(), b.shape());
  for (int64_t i = 0; i < a.numElements(); ++i)
    EXPECT_NEAR(a.asDouble(i), b.asDouble(i), 1e-5) << i;
}

ModelSpec transform(const Shape& shape, int64_t axis, bool inverse, bool onesided,
                    std::optional<int64_t> length = {}) {
  std::vector<Message> constants = {integer("axis", axis)};
  if (length) constants.push_back(integer("length", *length));
  return one("DFT", std::vector<Dim>(shape.begin(), shape.end()), std::move(constants),
             {"x", length ? "length" : "", "axis"},
             {intAttr("inverse", inverse), intAttr("onesided", onesided)});
}

/// By the definition, along axis 1 of [2, n, 1 or 2].
TEST(Dft, IsItsDefinition) {
  for (const int64_t n : {1, 2, 5, 8, 13})
    for (const int64_t parts : {1, 2})
      for (const int64_t length : {n, n + 3, std::max<int64_t>(n - 2, 1)}) {
        const Tensor x = randomTensor({2, n, parts}, static_cast<uint32_t>(n));
        const Tensor y = answer(transform(x.shape(), 1, false, false, length), x);
        ASSERT_EQ(y.shape(), (Shape{2, length, 2}));
        for (int64_t b = 0; b < 2; ++b)
          for (int64_t k = 0; k < length; ++k) {
            std::complex<double> sum = 0;
            for (int64_t t = 0; t < std::min(n, length); ++t) {
              const int64_t at = (b * n + t) * parts;
              const std::complex<double> value(x.asDouble(at), parts == 2 ? x.asDouble(at + 1) : 0);
              sum +=
                  value * std::polar(1.0, -2 * std::numbers::pi * double(k * t) / double(length));
            }
            EXPECT_NEAR(y.asDouble((b * length + k) * 2), sum.real(), 1e-5);
            EXPECT_NEAR(y.asDouble((b * length + k) * 2 + 1), sum.imag(), 1e-5);
          }
      }
}

TEST(Dft, TheInverseUndoesIt) {
  for (const int64_t n : {1, 4, 7, 12})
    for (const int64_t axis : {0, 1, -2}) {
      const Tensor x = randomTensor({n, n, 2}, 5);
      const Tensor y = answer(transform(x.shape(), axis, false, false), x);
      expectClose(answer(transform(y.shape(), axis, true, false), y), x);
    }
  for (const int64_t n : {2, 4, 7, 12}) {
    const Tensor x = randomTensor({3, n, 1}, 6);
    const Tensor half = answer(transform(x.shape(), 1, false, true), x);
    ASSERT_EQ(half.shape(), (Shape{3, n / 2 + 1, 2}));
    expectClose(answer(transform(half.shape(), 1, true, true, n), half), x);
  }
}

TEST(Dft, BadFormsAreRefused) {
  const auto bytes = [](const Shape& shape, int64_t axis, bool inverse, bool onesided,
                        std::optional<int64_t> length = {}) {
    return test::model(transform(shape, axis, inverse, onesided, length));
  };
  expectRefused(bytes({2, 4, 3}, 1, false, false), {"DFT 'node'", "[2,4,3]"});
  expectRefused(bytes({2, 4, 2}, 2, false, false), {"DFT 'node'", "axis"});
  expectRefused(bytes({2, 4, 2}, 1, false, true), {"DFT 'node'", "one side"});
  expectRefused(bytes({2, 4, 1}, 1, true, true), {"DFT 'node'", "complex"});
  expectRefused(bytes({2, 4, 1}, 1, false, false, 0), {"DFT 'node'", "0 points"});
  expectRefused(bytes({2, 4, 1}, 1, false, false, int64_t{1} << 62), {"DFT 'node'", "too large"});
}

TEST(Stft, FramesAreTransformedOneByOne) {
  const int64_t length = 23, points = 8, step = 3, frames = (length - points) / step + 1;
  const Tensor x = randomTensor({2, length, 1}, 7), weights = randomTensor({points}, 8);
  std::vector<float> window(weights.data<float>(), weights.data<float>() + points);
  const Tensor y = answer(one("STFT", {2, length, 1},
                              {integer("step", step), floats("window", {points}, window)},
                              {"x", "step", "window"}, {}),
                          x);
  ASSERT_EQ(y.shape(), (Shape{2, frames, points / 2 + 1, 2}));
  for (int64_t f = 0; f < frames; ++f) {
    Tensor cut(F32, {2, points, 1});
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t i = 0; i < points; ++i)
        cut.setDouble(b * points + i, x.asDouble(b * length + f * step + i) * weights.asDouble(i));
    const Tensor expected = answer(transform(cut.shape(), 1, false, true), cut);
    const int64_t size = (points / 2 + 1) * 2;
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t i = 0; i < size; ++i)
        EXPECT_NEAR(y.asDouble((b * frames + f) * size + i), expected.asDouble(b * size + i), 1e-5);
  }
}

TEST(Windows, AreSymmetricAndOneAtTheMiddle) {
  for (const std::string type : {"HannWindow", "HammingWindow", "BlackmanWindow"})
    for (const int64_t size : {1, 2, 9, 10}) {
      const ModelSpec spec = {.graph = {.outputs = {valueInfo("y", F32)},
                                        .initializers = {integer("n", size)},
                                        .nodes = {{type, {"n"}, {"y"}, {intAttr("periodic", 0)}}}}};
      const Tensor whole = answers(*imported(test::model(spec)).graph, {})[0];
      ASSERT_EQ(whole.shape(), Shape{size});
      for (int64_t i = 0; i < size; ++i) {
        EXPECT_NEAR(whole.asDouble(i), whole.asDouble(size - 1 - i), 1e-6) << type;
        EXPECT_LE(whole.asDouble(i), 1.0 + 1e-6);
      }
      if (size % 2) {
        EXPECT_NEAR(whole.asDouble(size / 2), 1, 1e-6) << type;
      }
    }
}

/// Drawn numbers, by the operator without inputs.
Tensor drawn(std::string type, const std::string& name, std::vector<Message> attrs) {
  attrs.push_back(intsAttr("shape", {100, 100}));
  const ModelSpec spec = {
      .graph = {.outputs = {valueInfo("y", F32)},
                .nodes = {{std::move(type), {}, {"y"}, std::move(attrs), name}}},
      .opset = 22};
  return answers(*imported(test::model(spec)).graph, {})[0];
}

std::pair<double, double> meanAndDeviation(const Tensor& x) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < x.numElements(); ++i) {
    sum += x.asDouble(i);
    squares += x.asDouble(i) * x.asDouble(i);
  }
  const double mean = sum / double(x.numElements());
  return {mean, std::sqrt(squares / double(x.numElements()) - mean * mean)};
}

bool same(const Tensor& a, const Tensor& b) {
  return std::memcmp(a.bytes(), b.bytes(), a.numBytes()) == 0;
}

TEST(Random, ANumberIsAFunctionOfTheSeed) {
  for (const char* type : {"RandomNormal", "RandomUniform"}) {
    const auto seeded = [&](float seed) { return drawn(type, "n", {floatAttr("seed", seed)}); };
    EXPECT_TRUE(same(seeded(3), seeded(3)));
    EXPECT_FALSE(same(seeded(3), seeded(4)));
    EXPECT_FALSE(same(seeded(0.5f), seeded(0.25f)));
    EXPECT_TRUE(same(drawn(type, "n", {}), drawn(type, "n", {})));
    EXPECT_FALSE(same(drawn(type, "n", {}), drawn(type, "other", {})));
  }
}

TEST(Random, Distributions) {
  const auto [mean, deviation] =
      meanAndDeviation(drawn("RandomNormal", "n", {floatAttr("mean", 2), floatAttr("scale", 3)}));
  EXPECT_NEAR(mean, 2, 0.15);
  EXPECT_NEAR(deviation, 3, 0.15);
  const Tensor uniform = drawn("RandomUniform", "u", {floatAttr("low", -1), floatAttr("high", 3)});
  EXPECT_NEAR(meanAndDeviation(uniform).first, 1, 0.1);
  EXPECT_NEAR(meanAndDeviation(uniform).second, 4 / std::sqrt(12.0), 0.1);
  // As numpy's RandomState(5).rand().
  EXPECT_NEAR(drawn("RandomUniform", "u", {floatAttr("seed", 5)}).asDouble(0), 0.22199317, 1e-7);
}

} // namespace
} // namespace enfold::onnx::test
