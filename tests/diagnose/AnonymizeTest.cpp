// Reduced models: nothing of names and weights is left, and they compile as before.
#include "diagnose/Anonymize.h"

#include "diagnose/Likeness.h"
#include "diagnose/RandomLike.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "onnx/Export.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace enfold::diagnose {
namespace {

struct Moments {
  double mean = 0, deviation = 0, zeros = 0, low = INFINITY, high = -INFINITY;
};

Moments momentsOf(const Tensor& tensor, int64_t begin, int64_t end) {
  Moments m;
  double sum = 0, squares = 0;
  for (int64_t i = begin; i < end; ++i) {
    const double value = tensor.asDouble(i);
    m.zeros += value == 0;
    sum += value;
    squares += value * value;
    m.low = std::min(m.low, value);
    m.high = std::max(m.high, value);
  }
  const auto count = static_cast<double>(end - begin);
  m.mean = sum / count;
  m.deviation = std::sqrt(squares / count - m.mean * m.mean);
  m.zeros /= count;
  return m;
}

TEST(RandomLike, KeepsTheStatisticsOfRows) {
  for (const ElemType elem : {ElemType::F32, ElemType::F16, ElemType::F64, ElemType::I8}) {
    Tensor tensor(elem, {3, 5000});
    for (int64_t row = 0; row < 3; ++row)
      for (int64_t i = 0; i < 5000; ++i) {
        const double wave = std::sin(static_cast<double>(i * (row + 1)) * 0.7);
        tensor.setDouble(row * 5000 + i,
                         i % 4 == row ? 0 : 20.0 * static_cast<double>(row) + 30 * wave);
      }
    const Tensor made = randomLike(tensor, 5);
    ASSERT_EQ(made.type(), tensor.type());
    EXPECT_EQ(made, randomLike(tensor, 5));
    EXPECT_NE(made, randomLike(tensor, 6));
    for (int64_t row = 0; row < 3; ++row) {
      const Moments is = momentsOf(made, row * 5000, (row + 1) * 5000);
      const Moments was = momentsOf(tensor, row * 5000, (row + 1) * 5000);
      EXPECT_NEAR(is.mean, was.mean, 2) << name(elem) << row;
      EXPECT_NEAR(is.deviation, was.deviation, 4) << name(elem) << row;
      EXPECT_NEAR(is.zeros, was.zeros, 0.03) << name(elem) << row;
      EXPECT_GE(is.low, was.low);
      EXPECT_LE(is.high, was.high);
    }
  }
}

TEST(RandomLike, TakesTensorsOfAnyLength) {
  for (const int64_t length : {0, 1, 2, 15, 16, 17, 31}) {
    for (const Shape& shape :
         {Shape{length}, Shape{1, length}, Shape{3, length}, Shape{length, 1}}) {
      Tensor tensor(ElemType::F32, shape);
      fillRandom(tensor, 3, 1, 2);
      const Tensor made = randomLike(tensor, 1);
      ASSERT_EQ(made.type(), tensor.type());
      for (const float value : made.values<float>()) EXPECT_TRUE(value >= 1 && value < 2) << value;
    }
  }
}

TEST(RandomLike, KeepsFewValuesAndWhatIsNotFinite) {
  const Tensor mask = Tensor::of<float>({6}, {0, -INFINITY, 0, 0, 0, -INFINITY});
  const Tensor masked = randomLike(mask, 1);
  for (const float value : masked.values<float>()) EXPECT_TRUE(value == 0 || value == -INFINITY);
  const Tensor mixed = Tensor::of<float>({8}, {1, 2, 3, 4, 5, INFINITY, NAN, 6});
  const Tensor made = randomLike(mixed, 1);
  EXPECT_EQ(made.asDouble(5), INFINITY);
  EXPECT_TRUE(std::isnan(made.asDouble(6)));
  for (const int64_t i : {0, 1, 2, 3, 4, 7}) EXPECT_TRUE(std::isfinite(made.asDouble(i)));
}

constexpr const char* kModel = R"(
graph @customer(%secret_image: f32[1,3,8,8]) {
  %secret_weights = const f32[8,3,3,3] random(seed=1)
  %secret_same = const f32[8,3,3,3] random(seed=1)
  %secret_bias = const f32[8] [0.125,0.25,0.5,1,2,4,8,0]
  %secret_zero = const f32[8] splat(0.0)
  %secret_six = const f32[] [6.0]
  %secret_sizes = const i64[2] [1,512]
  %secret_a = conv(%secret_image, %secret_weights, %secret_bias) {pads=[1,1,1,1]} : f32[1,8,8,8]  @"/secret/first"
  %secret_b = conv(%secret_image, %secret_same, %secret_zero) {pads=[1,1,1,1]} : f32[1,8,8,8]  @"/secret/second"
  %secret_c = add(%secret_a, %secret_b) : f32[1,8,8,8]  @"/secret/sum"
  %secret_d = min(%secret_c, %secret_six) : f32[1,8,8,8]  @"/secret/min"
  %secret_e = reshape(%secret_d, %secret_sizes) : f32[1,512]  @"/secret/reshape"
  return %secret_e as "secret_scores"
}
)";

std::unique_ptr<Graph> parsed(const char* text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().str());
  return graph ? std::move(*graph) : nullptr;
}

TEST(Anonymize, NoNameAndNoWeightIsLeft) {
  const auto model = parsed(kModel);
  const Anonymized made = anonymize(*model);
  const auto bytes = onnx::encodeModel(*made.graph);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().str();
  EXPECT_EQ(bytes->find("secret"), std::string::npos);
  EXPECT_EQ(bytes->find("customer"), std::string::npos);
  for (const char* name : {"secret_weights", "secret_bias"}) {
    const Tensor& tensor = *model->find(name)->constant();
    EXPECT_EQ(std::search(bytes->begin(), bytes->end(),
                          reinterpret_cast<const char*>(tensor.bytes()),
                          reinterpret_cast<const char*>(tensor.bytes()) + 12),
              bytes->end())
        << name;
  }
}

TEST(Anonymize, KeepsWhatDecidesShapesAndFusions) {
  const auto model = parsed(kModel);
  const Anonymized made = anonymize(*model);
  EXPECT_EQ(made.replaced, 3u);
  EXPECT_EQ(made.replacedBytes, 4 * (2 * 8 * 27 + 8));
  const std::map<Kept, size_t> kept = {
      {Kept::Scalar, 1}, {Kept::OneValue, 1}, {Kept::DecidesTypes, 1}};
  EXPECT_EQ(made.kept, kept);
  std::vector<Tensor> constants;
  for (const auto& op : made.graph->ops())
    if (op->kind() == OpKind::Constant) constants.push_back(op->tensor("value"));
  EXPECT_EQ(constants[0], constants[1]); // as they were equal
  EXPECT_EQ(constants[3], *model->find("secret_zero")->constant());
  EXPECT_EQ(constants[4], *model->find("secret_six")->constant());
  EXPECT_EQ(constants[5], *model->find("secret_sizes")->constant());
}

TEST(Anonymize, WeightsWhoseSizesDecideAreNoSizes) {
  const auto model = parsed(R"(
graph @main(%x: f32[1,3,8,8], %y: f32[512]) {
  %w = const f32[8,3,3,3] random(seed=1)
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,8,8,8]
  %s = shape(%a) : i64[4]
  %z = reshape(%y, %s) : f32[1,8,8,8]
  return %z
}
)");
  const Anonymized made = anonymize(*model);
  EXPECT_EQ(made.replaced, 1u);
  EXPECT_TRUE(made.kept.empty());
}

TEST(Anonymize, NamesOpenSizesAndDefaultsAnew) {
  const auto model = parsed(kModel);
  const onnx::DeclaredType open{
      ElemType::F32, {{{std::nullopt, "secret_batch"}, {3, ""}, {std::nullopt, "?"}, {8, ""}}}};
  Tensor image(ElemType::F32, {1, 3, 8, 8});
  fillRandom(image, 1, 0, 1);
  const Anonymized made = anonymize(*model, {{"secret_image", image}},
                                    {{"secret_image", open}, {"secret_scores", open}});
  ASSERT_EQ(made.openTypes.size(), 2u);
  const auto& dims = *made.openTypes.at("input0").dims;
  EXPECT_EQ(dims[0].symbol, "size0");
  EXPECT_EQ(dims[2].symbol, "?");
  EXPECT_EQ(*made.openTypes.at("output0").dims, dims);
  EXPECT_NE(made.inputDefaults.at("input0"), image);
  EXPECT_EQ(made.inputDefaults.at("input0").type(), image.type());
}

TEST(Anonymize, NetworksCompileAlike) {
  for (const char* network : {"cnn_batchnorm", "cnn_3d", "shufflenet_v2", "mobilenet_v2"}) {
    const auto model = zoo::build(network);
    ASSERT_TRUE(model.has_value()) << network;
    Anonymized made = anonymize(**model);
    const auto likely = likeness({.first = (*model)->clone(), .second = std::move(made.graph)});
    ASSERT_TRUE(likely.has_value()) << likely.error().str();
    EXPECT_GT(likely->kernels, 0u);
    EXPECT_GT(likely->rewrites, 0u);
    for (const std::string& difference : likely->differences) ADD_FAILURE() << difference;
  }
}

TEST(Likeness, TellsWhatDiffers) {
  const auto likely = likeness({.first = parsed(kModel),
                                .second = parsed(R"(
graph @other(%x: f32[1,3,8,8]) {
  %w = const f32[8,3,3,3] random(seed=1)
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,8,8,8]
  return %a
})"),
                                .seconds = 0.01});
  ASSERT_TRUE(likely.has_value());
  EXPECT_FALSE(likely->alike());
  ASSERT_EQ(likely->times.size(), 2u);
  EXPECT_GT(likely->times[0].latency.p50, 0);
}

} // namespace
} // namespace enfold::diagnose
