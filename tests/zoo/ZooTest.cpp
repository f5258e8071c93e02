// Every network of the zoo: what it is made of, its text form, and that its answers do not depend
// on whether it is fused.
#include "zoo/Zoo.h"

#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"
#include "reference/Reference.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

namespace enfold {
namespace {

using diagnose::compare;
using diagnose::Comparison;

namespace fs = std::filesystem;

struct Expected {
  int64_t parameters; ///< weights, biases, gammas and betas
  std::string_view ops;
};

/// Parameters as PyTorch counts them, and the ops of PyTorch's own export; those of yolo_nms, which
/// is nobody else's, are its own.
const std::map<std::string_view, Expected> kExpected = {
    {"cnn_batchnorm", {60554, "batch_norm 2, conv 2, flatten 1, gemm 1, max_pool 2, relu 2"}},
    {"cnn_elu", {60554, "batch_norm 2, conv 2, elu 2, flatten 1, gemm 1, max_pool 2"}},
    {"cnn_layernorm", {158666, "conv 2, flatten 1, gemm 1, layer_norm 2, max_pool 2, relu 2"}},
    {"cnn_instancenorm", {60554, "conv 2, flatten 1, gemm 1, instance_norm 2, max_pool 2, relu 2"}},
    {"cnn_groupnorm", {60554, "conv 2, flatten 1, gemm 1, group_norm 2, max_pool 2, relu 2"}},
    {"cnn_training_bn", {60554, "batch_norm 2, conv 2, flatten 1, gemm 1, max_pool 2, relu 2"}},
    {"cnn_linear_bn", {545546, "batch_norm 3, conv 2, flatten 1, gemm 2, max_pool 2, relu 3"}},
    {"cnn_1d", {47786, "batch_norm 2, conv 2, flatten 1, gemm 1, max_pool 2, relu 2"}},
    {"cnn_3d", {96330, "batch_norm 2, conv 2, flatten 1, gemm 1, max_pool 2, relu 2"}},
    {"resnet20_cifar",
     {272474, "add 9, batch_norm 21, conv 21, flatten 1, gemm 1, global_average_pool 1, relu 19"}},
    {"resnet20_cifar_elu",
     {272474, "add 9, batch_norm 21, conv 21, elu 19, flatten 1, gemm 1, global_average_pool 1"}},
    {"resnet18",
     {11689512, "add 8, batch_norm 20, conv 20, flatten 1, gemm 1, global_average_pool 1, max_pool "
                "1, relu 17"}},
    {"resnet50",
     {25557032, "add 16, batch_norm 53, conv 53, flatten 1, gemm 1, global_average_pool 1, "
                "max_pool 1, relu 49"}},
    {"vgg16_bn",
     {138365992, "average_pool 1, batch_norm 13, conv 13, flatten 1, gemm 3, max_pool 5, relu 15"}},
    {"densenet121",
     {7978856, "average_pool 3, batch_norm 121, concat 58, conv 120, flatten 1, gemm 1, "
               "global_average_pool 1, max_pool 1, relu 121"}},
    {"inception_v3",
     {23834568, "average_pool 9, batch_norm 94, concat 11, conv 94, flatten 1, gemm 1, "
                "global_average_pool 1, max_pool 4, relu 94"}},
    {"googlenet",
     {6624904, "batch_norm 57, concat 9, conv 57, flatten 1, gemm 1, global_average_pool 1, "
               "max_pool 13, relu 57"}},
    {"mobilenet_v2",
     {3504872,
      "add 10, batch_norm 52, clip 35, conv 52, flatten 1, gemm 1, global_average_pool 1"}},
    {"mobilenet_v3_large",
     {5483032, "add 10, batch_norm 46, conv 62, flatten 1, gemm 2, global_average_pool 9, "
               "hard_sigmoid 8, hard_swish 21, mul 8, relu 19"}},
    {"squeezenet1_1",
     {1235496, "concat 8, conv 26, flatten 1, global_average_pool 1, max_pool 3, relu 26"}},
    {"shufflenet_v2",
     {2278604, "batch_norm 56, concat 16, conv 56, gemm 1, max_pool 1, reduce_mean 1, relu 37, "
               "reshape 32, split 13, transpose 16"}},
    {"efficientnet_b0",
     {5288548, "add 9, batch_norm 49, conv 81, flatten 1, gemm 1, global_average_pool 17, mul 65, "
               "sigmoid 65"}},
    {"unet", {7763074, "batch_norm 18, concat 4, conv 19, conv_transpose 4, max_pool 4, relu 18"}},
    {"crnn",
     {8331301, "add 2, batch_norm 3, conv 7, lstm 2, matmul 2, max_pool 4, relu 7, reshape 2, "
               "squeeze 1, transpose 3"}},
    {"yolo_nms",
     {2417560, "add 16, batch_norm 47, cast 8, clip 3, concat 20, conv 53, exp 3, gather 9, "
               "gather_nd 2, max_pool 3, mul 50, non_max_suppression 1, range 6, reshape 13, "
               "resize 2, shape 6, sigmoid 50, split 11, sub 6, transpose 1"}},
};

std::unique_ptr<Graph> built(std::string_view name, std::optional<Shape> input = {}) {
  auto graph = zoo::build(name, std::move(input));
  EXPECT_TRUE(graph) << graph.error().str();
  return graph ? *std::move(graph) : nullptr;
}

Tensor randomInput(const Graph& graph, uint64_t seed) {
  Tensor tensor(ElemType::F32, graph.inputs()[0]->shape());
  fillRandom(tensor, seed, 0, 1);
  return tensor;
}

std::shared_ptr<const Executable> compiled(const Graph& graph, bool fuse,
                                           Accuracy accuracy = Accuracy::Standard) {
  CompileOptions options = {.fuse = fuse};
  options.passes.passes.accuracy = accuracy;
  auto compilation = compile(graph.clone(), options);
  EXPECT_TRUE(compilation) << compilation.error().str();
  return compilation ? compilation->executable : nullptr;
}

Tensor answer(std::shared_ptr<const Executable> executable, const Tensor& input, int threads) {
  if (!executable) return {};
  auto session = Session::create(std::move(executable), {.threads = threads});
  EXPECT_TRUE(session) << session.error().str();
  if (!session) return {};
  auto outputs = (*session)->run(std::span(&input, 1));
  EXPECT_TRUE(outputs) << outputs.error().str();
  return outputs ? outputs->front() : Tensor();
}

/// The answer of the fused network, which must not depend on the number of threads.
Tensor fusedAnswer(const Graph& graph, const Tensor& input) {
  const auto executable = compiled(graph, true);
  Tensor one = answer(executable, input, 1);
  EXPECT_TRUE(answer(executable, input, 2) == one) << "two threads give other bits than one";
  return one;
}

Tensor unfusedAnswer(const Graph& graph, const Tensor& input) {
  return answer(compiled(graph, false), input, 2);
}

void expectSame(const Tensor& answer, const Tensor& expected, const char* what) {
  const Comparison comparison = compare(answer, expected);
  EXPECT_TRUE(comparison.same()) << what << ": " << comparison.mismatches << " of "
                                 << expected.numElements() << " differ, by up to "
                                 << comparison.maxAbs << " at scale " << comparison.scale
                                 << comparison.problem;
}

double largest(const Tensor& tensor) {
  double most = 0;
  for (const float value : tensor.values<float>()) most = std::max(most, std::fabs(double(value)));
  return most;
}

/// Random numbers times random numbers soon are nothing or infinite: not in these networks.
void expectSaneSize(const Tensor& answer) {
  EXPECT_GT(largest(answer), 0.1);
  EXPECT_LT(largest(answer), 1000);
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const zoo::Entry& entry : zoo::entries()) all.push_back(entry.name);
  return all;
}

class Zoo : public testing::TestWithParam<std::string_view> {};

TEST_P(Zoo, HasTheParametersAndOpsOfTheOriginal) {
  const auto graph = built(GetParam());
  ASSERT_TRUE(graph);
  const Result<> verified = verify(*graph);
  EXPECT_TRUE(verified) << verified.error().str();
  int64_t parameters = 0;
  std::map<std::string, int> counts;
  for (const auto& op : graph->ops()) {
    if (op->kind() != OpKind::Constant) {
      ++counts[op->info().name];
      EXPECT_EQ(op->origins().size(), 1u) << op->describe();
      continue;
    }
    const std::string& constant = op->result()->name();
    if (constant.ends_with(".weight") || constant.ends_with(".bias"))
      parameters += op->result()->type().numElements();
  }
  std::string ops;
  for (const auto& [op, count] : counts)
    ops += fmt::format("{}{} {}", ops.empty() ? "" : ", ", op, count);
  ASSERT_TRUE(kExpected.contains(GetParam()));
  EXPECT_EQ(parameters, kExpected.at(GetParam()).parameters);
  EXPECT_EQ(ops, kExpected.at(GetParam()).ops);
}

/// Prints the graph, with its constants in a file, and parses that.
void expectRoundTrip(const Graph& graph, const fs::path& folder) {
  fs::create_directories(folder);
  std::ofstream weights(folder / "weights.bin", std::ios::binary);
  int64_t offset = 0;
  const std::string text = print(
      graph, {.constants = PrintOptions::Constants::File,
              .fileName = "weights.bin",
              .append = [&](const Tensor& tensor) {
                weights.write(reinterpret_cast<const char*>(tensor.bytes()),
                              static_cast<std::streamsize>(tensor.numBytes()));
                return std::exchange(offset, offset + static_cast<int64_t>(tensor.numBytes()));
              }});
  weights.close();
  const auto parsed = parseGraph(text, {.folder = folder});
  EXPECT_TRUE(parsed) << parsed.error().str();
  if (parsed) {
    EXPECT_TRUE((*parsed)->structurallyEquals(graph));
  }
  fs::remove_all(folder);
}

TEST_P(Zoo, ParsesBackFromItsText) {
  const auto graph = built(GetParam());
  ASSERT_TRUE(graph);
  expectRoundTrip(*graph, fs::path(testing::TempDir()) / fmt::format("enfold_zoo_{}", GetParam()));
}

TEST_P(Zoo, IsBuiltAlikeTwice) {
  const auto graph = built(GetParam()), again = built(GetParam());
  ASSERT_TRUE(graph && again);
  EXPECT_TRUE(again->structurallyEquals(*graph));
}

/// Images for networks of which the reference takes too long at their own size: not square, and of
/// sizes that leave remainders.
const std::map<std::string_view, Shape> kSmallImages = {
    {"resnet18", {2, 3, 72, 56}},      {"resnet50", {2, 3, 72, 56}},
    {"densenet121", {2, 3, 72, 56}},   {"inception_v3", {2, 3, 107, 91}},
    {"googlenet", {2, 3, 72, 56}},     {"mobilenet_v2", {2, 3, 72, 56}},
    {"squeezenet1_1", {2, 3, 72, 56}}, {"mobilenet_v3_large", {2, 3, 72, 56}},
    {"shufflenet_v2", {2, 3, 72, 56}}, {"efficientnet_b0", {2, 3, 72, 56}},
    {"unet", {2, 3, 64, 48}},          {"crnn", {2, 1, 32, 43}},
};

TEST_P(Zoo, GivesTheReferencesAnswerFusedAndUnfused) {
  if ((*zoo::find(GetParam()))->decidedByData) GTEST_SKIP() << "see OpenSizesTest.cpp";
  const auto small = kSmallImages.find(GetParam());
  const auto graph =
      small == kSmallImages.end() ? built(GetParam()) : built(GetParam(), small->second);
  ASSERT_TRUE(graph);
  const Tensor input = randomInput(*graph, 7);
  const auto expected = reference::run(*graph, std::span(&input, 1));
  ASSERT_TRUE(expected) << expected.error().str();
  expectSaneSize(expected->front());
  expectSame(fusedAnswer(*graph, input), expected->front(), "fused");
  expectSame(unfusedAnswer(*graph, input), expected->front(), "unfused");
}

INSTANTIATE_TEST_SUITE_P(Networks, Zoo, testing::ValuesIn(names()),
                         [](const auto& info) { return std::string(info.param); });

/// The reference functions would take minutes at these sizes: direct sums without any fusion stand
/// in for them.
class LargeNetworks : public testing::TestWithParam<std::string_view> {};

TEST_P(LargeNetworks, GiveTheSameAnswerFusedAndUnfusedAtTheirOwnSize) {
  const auto graph = built(GetParam());
  ASSERT_TRUE(graph);
  const Tensor input = randomInput(*graph, 8);
  const Tensor direct = answer(compiled(*graph, false, Accuracy::Strict), input, 2);
  expectSaneSize(direct);
  expectSame(fusedAnswer(*graph, input), direct, "fused");
}

std::vector<std::string_view> largeNames() {
  std::vector<std::string_view> large;
  for (const auto& [name, image] : kSmallImages) large.push_back(name);
  return large;
}

INSTANTIATE_TEST_SUITE_P(Networks, LargeNetworks, testing::ValuesIn(largeNames()),
                         [](const auto& info) { return std::string(info.param); });

TEST(ZooBuild, NamesTheNetworksThereAre) {
  const auto graph = zoo::build("resnet19");
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().kind, ErrorKind::Usage);
  EXPECT_NE(graph.error().str().find("cnn_batchnorm"), std::string::npos);
}

TEST(ZooBuild, TakesOtherBatchesButNoOtherChannels) {
  EXPECT_EQ(built("cnn_batchnorm", Shape{3, 3, 32, 32})->outputs()[0]->shape(), (Shape{3, 10}));
  for (const Shape& shape : {Shape{16, 4, 32, 32}, Shape{16, 3, 32}, Shape{0, 3, 32, 32}, Shape{}})
    EXPECT_FALSE(zoo::build("cnn_batchnorm", shape)) << str(shape);
}

TEST(ZooBuild, NamesTheLayerThatASizeDoesNotFit) {
  const auto graph = zoo::build("cnn_batchnorm", Shape{1, 3, 64, 64});
  ASSERT_FALSE(graph);
  EXPECT_NE(graph.error().str().find("/fc/Gemm"), std::string::npos) << graph.error().str();
}

} // namespace
} // namespace enfold
