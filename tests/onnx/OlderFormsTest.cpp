// What older opsets meant by operators whose form has changed, number by number.
#include "Support.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32, I64 = ElemType::I64;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kMost = std::numeric_limits<float>::max();

/// The answer of one node of x and constants.
Tensor answerOf(NodeSpec node, int64_t opset, const Tensor& x,
                std::vector<Message> constants = {}) {
  std::vector<Dim> dims(x.shape().begin(), x.shape().end());
  const ImportedModel model =
      imported(test::model({.graph = {.inputs = {valueInfo("x", x.elem(), dims)},
                                      .outputs = {valueInfo("y", x.elem())},
                                      .initializers = std::move(constants),
                                      .nodes = {std::move(node)}},
                            .opset = opset}));
  if (model.graph->outputs().empty()) return {};
  return answers(*model.graph, {x})[0];
}

// ---- Operands
// ------------------------------------------------------------------------------------------

TEST(Operands, NoneOfAVariadicOperatorIsAbsent) {
  for (const char* type : {"Concat", "Max", "Sum"})
    for (const Names& inputs : {Names{"x", ""}, Names{"", "x"}, Names{"x", "", "x"}}) {
      std::vector<Message> attrs;
      if (std::string(type) == "Concat") attrs.push_back(intAttr("axis", 0));
      expectRefused(model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {2})},
                                     .outputs = {valueInfo("y", ElemType::F32)},
                                     .nodes = {{type, inputs, {"y"}, std::move(attrs), "node"}}},
                           .opset = 13}),
                    {"node", "lacks its operand"});
    }
}

TEST(Split, PartsWithoutSizesWereEqual) {
  const auto parts = [](int64_t opset) {
    std::vector<Message> attrs;
    if (opset >= 18) attrs.push_back(intAttr("num_outputs", 2));
    return model(
        {.graph = {.inputs = {valueInfo("x", ElemType::F32, {3})},
                   .outputs = {valueInfo("y", ElemType::F32), valueInfo("z", ElemType::F32)},
                   .nodes = {{"Split", {"x"}, {"y", "z"}, std::move(attrs), "node"}}},
         .opset = opset});
  };
  for (const int64_t opset : {2, 11, 13})
    expectRefused(parts(opset), {"node", "3", "2 equal parts"});
  EXPECT_EQ(imported(parts(18)).graph->outputs()[1]->shape(), Shape{1});
}

// ---- Clip
// ------------------------------------------------------------------------------------------

TEST(Clip, TheDefaultsOfOpset6AreFinite) {
  const Tensor x = Tensor::of<float>({5}, {-kInfinity, -7, NAN, 7, kInfinity});
  const auto clipped = [&](int64_t opset, std::vector<Message> attrs) {
    return answerOf({"Clip", {"x"}, {"y"}, std::move(attrs)}, opset, x);
  };
  const auto expect = [](const Tensor& y, const std::vector<float>& wanted) {
    for (size_t i = 0; i < wanted.size(); ++i)
      EXPECT_TRUE(std::isnan(wanted[i]) ? std::isnan(y.values<float>()[i])
                                        : y.values<float>()[i] == wanted[i])
          << "element " << i << ": " << y.values<float>()[i];
  };
  for (const int64_t opset : {6, 7, 8, 9, 10}) {
    expect(clipped(opset, {}), {-kMost, -7, NAN, 7, kMost});
    expect(clipped(opset, {floatAttr("max", 1)}), {-kMost, -7, NAN, 1, 1});
    expect(clipped(opset, {floatAttr("min", 0)}), {0, 0, NAN, 7, kMost});
    expect(clipped(opset, {floatAttr("min", 3), floatAttr("max", 1)}), {1, 1, NAN, 1, 1});
    expect(clipped(opset, {floatAttr("max", kInfinity)}), {-kMost, -7, NAN, 7, kInfinity});
  }
  // Before, there were none; since, bounds are operands, and an absent one is none.
  for (const int64_t opset : {1, 5, 11, 13})
    expect(clipped(opset, {}), {-kInfinity, -7, NAN, 7, kInfinity});
  expect(clipped(5, {floatAttr("min", -1)}), {-1, -1, NAN, 7, kInfinity});
}

TEST(Clip, BoundsBeyondAnElementTypeDoNotClip) {
  const Tensor wide = Tensor::of<double>({3}, {-1e300, 5, 1e300});
  const Tensor y = answerOf({"Clip", {"x"}, {"y"}}, 6, wide);
  EXPECT_TRUE(y == Tensor::of<double>({3}, {-double{kMost}, 5, double{kMost}}));
  const Tensor half = Tensor::of<Half>({2}, {Half(kInfinity), Half(-3.0f)});
  EXPECT_TRUE(answerOf({"Clip", {"x"}, {"y"}}, 6, half) == half);
}

// ---- Resize: tf_half_pixel_for_nn
// --------------------------------------------------------------------

double nearest(const std::string& mode, double x) {
  if (mode == "floor") return std::floor(x);
  if (mode == "ceil") return std::ceil(x);
  return mode == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5);
}

/// The row at x, pixels outside repeating its ends, by the kernel of the mode.
double sampled(const std::vector<float>& row, const std::string& mode, const std::string& rounding,
               double x) {
  const auto pixel = [&](double at) {
    return row[static_cast<size_t>(std::clamp(at, 0.0, static_cast<double>(row.size() - 1)))];
  };
  if (mode == "nearest") return pixel(nearest(rounding, x));
  const double low = std::floor(x), t = x - low;
  if (mode == "linear") return pixel(low) * (1 - t) + pixel(low + 1) * t;
  const double a = -0.75;
  const double weights[] = {((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a,
                            ((a + 2) * t - (a + 3)) * t * t + 1,
                            ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1,
                            ((a * (2 - t) - 5 * a) * (2 - t) + 8 * a) * (2 - t) - 4 * a};
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += weights[i] * pixel(low - 1 + i);
  return sum;
}

TEST(Resize, TfHalfPixelForNnLiesAtTheOutputPlusAHalfByTheScale) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> number(-2, 2);
  for (const std::string mode : {"nearest", "linear", "cubic"})
    for (const std::string rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})
      for (const int64_t opset : {11, 12, 13})
        for (const int64_t width : {1, 2, 5, 8})
          for (const float scale : {0.3f, 0.5f, 0.75f, 1.0f, 1.1f, 1.5f, 2.0f, 3.0f})
            for (const bool bySize : {false, true}) {
              const auto out = static_cast<int64_t>(std::floor(static_cast<float>(width) * scale));
              if (out < 1 || (mode != "nearest" && rounding != "floor")) continue;
              SCOPED_TRACE(fmt::format("{} {} opset {} width {} scale {} {}", mode, rounding, opset,
                                       width, scale, bySize ? "by size" : ""));
              std::vector<float> row(static_cast<size_t>(width));
              for (float& pixel : row) pixel = number(random);
              const Tensor x = Tensor::of<float>({1, 1, 1, width}, row);
              const std::vector<Message> attrs = {
                  textAttr("mode", mode), textAttr("nearest_mode", rounding),
                  textAttr("coordinate_transformation_mode", "tf_half_pixel_for_nn")};
              const Names operands =
                  bySize ? Names{"x", "roi", "none", "sizes"} : Names{"x", "roi", "scales"};
              const Tensor y = answerOf({"Resize", operands, {"y"}, attrs}, opset, x,
                                        {floats("roi", {0}, {}), floats("none", {0}, {}),
                                         floats("scales", {4}, {1, 1, 1, scale}),
                                         ints("sizes", {1, 1, 1, out})});
              ASSERT_EQ(y.shape(), (Shape{1, 1, 1, out}));
              const double exact =
                  bySize ? static_cast<double>(out) / static_cast<double>(width) : scale;
              for (int64_t o = 0; o < out; ++o) {
                const double at =
                    exact == 1 ? static_cast<double>(o) : (static_cast<double>(o) + 0.5) / exact;
                EXPECT_NEAR(y.asDouble(o), sampled(row, mode, rounding, at), 1e-6) << o;
              }
            }
}

/// 5 · 2.6 is 13 in single precision, in which ONNX infers sizes, and less than 13 in double.
TEST(Resize, SizesAreProductsInSinglePrecision) {
  const Tensor x = Tensor::of<float>({1, 1, 1, 5}, {1, 2, 3, 4, 5});
  for (const int64_t opset : {11, 13, 18})
    EXPECT_EQ(answerOf({"Resize", {"x", "", "scales"}, {"y"}}, opset, x,
                       {floats("scales", {4}, {1, 1, 1, 2.6f})})
                  .shape(),
              (Shape{1, 1, 1, 13}));
}

// ---- MaxUnpool
// ---------------------------------------------------------------------------------------

/// The model unpools what it pooled, after a Neg: pixels that were greatest, negated, in their
/// place.
void expectUnpooled(const Shape& image, const Shape& output, std::vector<int64_t> kernel,
                    std::vector<int64_t> strides, bool copied) {
  std::vector<Dim> dims(image.begin(), image.end());
  const Message window = intsAttr("kernel_shape", kernel), step = intsAttr("strides", strides);
  ModelSpec spec{
      .graph =
          {.inputs = {valueInfo("x", F32, dims)},
           .outputs = {valueInfo("y", F32)},
           .initializers = {ints("shape", output)},
           .nodes = {{"MaxPool", {"x"}, {"p", "i"}, {window, step}},
                     {"Neg", {"p"}, {"n"}},
                     {"Identity", {"i"}, {"same"}},
                     {"MaxUnpool", {"n", copied ? "same" : "i", "shape"}, {"y"}, {window, step}}}},
      .opset = 12};
  std::vector<float> pixels(static_cast<size_t>(numElements(image)));
  for (size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = static_cast<float>(1 + i * 7 % pixels.size());
  const Tensor x = Tensor::of<float>(image, pixels);
  const ImportedModel model = imported(test::model(spec));
  ASSERT_EQ(model.graph->outputs().size(), 1U);
  const Tensor y = answers(*model.graph, {x})[0];
  ASSERT_EQ(y.shape(), output);
  std::vector<float> wanted(static_cast<size_t>(numElements(output)), 0.0f);
  const int64_t height = image[2], width = image[3];
  for (int64_t plane = 0; plane < image[0] * image[1]; ++plane)
    for (int64_t top = 0; top + kernel[0] <= height; top += strides[0])
      for (int64_t left = 0; left + kernel[1] <= width; left += strides[1]) {
        int64_t row = top, column = left;
        const auto at = [&](int64_t r, int64_t c) {
          return pixels[static_cast<size_t>((plane * height + r) * width + c)];
        };
        for (int64_t r = top; r < top + kernel[0]; ++r)
          for (int64_t c = left; c < left + kernel[1]; ++c)
            if (at(r, c) > at(row, column)) row = r, column = c;
        wanted[static_cast<size_t>((plane * output[2] + row) * output[3] + column)] =
            -at(row, column);
      }
  EXPECT_TRUE(y == Tensor::of<float>(output, wanted));
}

TEST(MaxUnpool, IndicesOfAPoolCountInItsImage) {
  for (const bool copied : {false, true}) {
    expectUnpooled({1, 2, 5, 5}, {1, 2, 5, 5}, {2, 2}, {2, 2}, copied);
    expectUnpooled({2, 3, 4, 6}, {2, 3, 4, 6}, {2, 2}, {2, 2}, copied);
    expectUnpooled({1, 2, 7, 5}, {1, 2, 7, 5}, {3, 2}, {2, 2}, copied);
    expectUnpooled({1, 2, 5, 5}, {1, 2, 6, 7}, {2, 2}, {2, 2}, copied);
    expectUnpooled({1, 1, 4, 4}, {1, 1, 5, 5}, {2, 2}, {2, 2}, copied);
  }
}

TEST(MaxUnpool, OtherIndicesCountInTheShapeOfTheWindow) {
  const Tensor x = Tensor::of<float>({1, 1, 2, 2}, {1, 2, 3, 4});
  const Message index =
      tensorHeader("i", static_cast<int>(I64), {1, 1, 2, 2}).numbers(7, {5, 7, 13, 15});
  const Tensor y = answerOf({"MaxUnpool",
                             {"x", "i", "shape"},
                             {"y"},
                             {intsAttr("kernel_shape", {2, 2}), intsAttr("strides", {2, 2})}},
                            11, x, {index, ints("shape", {1, 1, 5, 5})});
  std::vector<float> wanted(25, 0.0f);
  wanted[6] = 1, wanted[8] = 2, wanted[16] = 3, wanted[18] = 4;
  EXPECT_TRUE(y == Tensor::of<float>({1, 1, 5, 5}, wanted));
}

// ---- QuantizeLinear
// ---------------------------------------------------------------------------------------

/// 0.559082 / 0.0134735 is 41.4949, or in f16 41.5, a tie that goes to 42.
TEST(QuantizeLinear, HalvesAreDividedInTheirTypeSinceOpset23) {
  constexpr int kF16 = static_cast<int>(ElemType::F16);
  for (const int64_t opset : {19, 21, 23, 25}) {
    const Message x = tensorHeader("x", kF16, {1}).numbers(5, {14457});
    const Message scale = tensorHeader("scale", kF16, {}).numbers(5, {8934});
    const ImportedModel model =
        imported(test::model({.graph = {.outputs = {valueInfo("y", ElemType::U8)},
                                        .initializers = {x, scale},
                                        .nodes = {{"QuantizeLinear", {"x", "scale"}, {"y"}}}},
                              .opset = opset}));
    EXPECT_EQ(answers(*model.graph, {})[0].asInt(0), opset < 23 ? 41 : 42) << opset;
  }
}

} // namespace
} // namespace enfold::onnx::test
