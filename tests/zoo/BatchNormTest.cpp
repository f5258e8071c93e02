// What becomes of the batch normalizations of the zoo: all are accounted for, none is left.
#include "diagnose/BatchNorms.h"
#include "driver/Compiler.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

#include <map>

namespace enfold {
namespace {

using diagnose::accountOf;
using diagnose::BatchNormAccount;
using diagnose::batchNormsOf;
using diagnose::BatchNormStatus;

/// How many must fold into the weights of a convolution or product. Those of densenet121 that do
/// not fold read a concat or a pool with other readers, and are followed by their activation.
const std::map<std::string_view, size_t> kFolded = {
    {"cnn_batchnorm", 2},       {"cnn_elu", 2},       {"cnn_layernorm", 0},
    {"cnn_instancenorm", 0},    {"cnn_groupnorm", 0}, {"cnn_training_bn", 0},
    {"cnn_linear_bn", 3},       {"cnn_1d", 2},        {"cnn_3d", 2},
    {"resnet20_cifar", 21},     {"resnet18", 20},     {"resnet20_cifar_elu", 21},
    {"resnet50", 53},           {"vgg16_bn", 13},     {"densenet121", 59},
    {"inception_v3", 94},       {"googlenet", 57},    {"mobilenet_v2", 52},
    {"mobilenet_v3_large", 46}, {"squeezenet1_1", 0}, {"shufflenet_v2", 56},
    {"efficientnet_b0", 49},    {"unet", 18},         {"crnn", 3},
    {"yolo_nms", 47},
};

/// Those that stand alone: trained ones of which other results are read, and densenet121's.
const std::map<std::string_view, size_t> kAlone = {{"cnn_training_bn", 2}, {"densenet121", 62}};

class BatchNorms : public testing::TestWithParam<std::string_view> {};

TEST_P(BatchNorms, AreAccountedForAndGone) {
  auto graph = zoo::build(GetParam());
  ASSERT_TRUE(graph) << graph.error().str();
  const std::vector<std::string> names = batchNormsOf(**graph);
  const auto target = codegen::targetFor("native");
  ASSERT_TRUE(target) << target.error().str();
  const auto report = optimize(**graph, {}, *target);
  ASSERT_TRUE(report) << report.error().str();
  const auto accounts = accountOf(names, **graph, *report);
  EXPECT_EQ(accounts.size(), names.size());

  std::map<BatchNormStatus, size_t> statuses;
  for (const BatchNormAccount& account : accounts) {
    ++statuses[account.status];
    EXPECT_FALSE(account.detail.empty()) << account.name;
    EXPECT_TRUE(account.status == BatchNormStatus::Folded || account.refusal) << account.name;
  }
  const auto alone = kAlone.find(GetParam());
  std::map<BatchNormStatus, size_t> expected;
  if (kFolded.at(GetParam()) > 0) expected[BatchNormStatus::Folded] = kFolded.at(GetParam());
  if (alone != kAlone.end()) expected[BatchNormStatus::Alone] = alone->second;
  EXPECT_EQ(statuses, expected);
  EXPECT_TRUE(batchNormsOf(**graph).empty());
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const zoo::Entry& entry : zoo::entries()) all.push_back(entry.name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Networks, BatchNorms, testing::ValuesIn(names()),
                         [](const auto& info) { return std::string(info.param); });

} // namespace
} // namespace enfold
