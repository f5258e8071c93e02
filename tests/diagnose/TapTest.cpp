// Intermediate tensors are read without any effect on the outputs, those fused away too.
#include "diagnose/Tap.h"

#include "diagnose/Compare.h"
#include "passes/FoldError.h"
#include "reference/Reference.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

namespace enfold::diagnose {
namespace {

/// Every tensor that the model computes.
std::vector<std::string> tensorsOf(const Graph& model) {
  std::vector<std::string> names;
  for (const auto& op : model.ops())
    for (size_t i = 0; op->kind() != OpKind::Constant && i < op->numResults(); ++i)
      if (op->result(i)->numUses() > 0) names.push_back(op->result(i)->name());
  return names;
}

class Tap : public testing::TestWithParam<const char*> {};

TEST_P(Tap, ReadsEveryTensorAndKeepsTheBitsOfTheOutputs) {
  const auto model = zoo::build(GetParam(), Shape{1, 3, 64, 64});
  ASSERT_TRUE(model.has_value()) << model.error().str();
  const std::vector<Tensor> inputs = sampleInputs(**model);
  std::map<std::string, Tensor> expected;
  ASSERT_TRUE(reference::run(**model, inputs, [&](const Value& value, const Tensor& tensor) {
                expected.emplace(value.name(), tensor);
              }).has_value());
  const auto plain = compile((*model)->clone());
  ASSERT_TRUE(plain.has_value());
  const auto session = Session::create(plain->executable, {.threads = 2});
  ASSERT_TRUE(session.has_value());
  const auto outputs = (*session)->run(inputs);
  ASSERT_TRUE(outputs.has_value());

  const std::vector<std::string> names = tensorsOf(**model);
  const auto network = TappedNetwork::create((*model)->clone(), {}, {.threads = 2}, names);
  ASSERT_TRUE(network.has_value()) << network.error().str();
  const auto run = (*network)->run(inputs);
  ASSERT_TRUE(run.has_value()) << run.error().str();
  EXPECT_EQ(run->outputs, *outputs);
  int fused = 0;
  for (const std::string& name : names) {
    const Comparison c = compare(run->taps.at(name), expected.at(name));
    EXPECT_TRUE(c.same()) << name << ": " << c.problem << " max abs " << c.maxAbs;
    fused += !(*network)->isComputed(name);
  }
  EXPECT_GT(fused, 10) << "convolutions in front of normalizations are fused away";
  EXPECT_LT(static_cast<size_t>(fused), names.size());
}

INSTANTIATE_TEST_SUITE_P(Zoo, Tap, testing::Values("resnet18", "mobilenet_v2", "shufflenet_v2"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Tap, OfOneTensorLeavesTheOthersFused) {
  const auto model = zoo::build("resnet18", Shape{1, 3, 32, 32});
  ASSERT_TRUE(model.has_value());
  const std::vector<std::string> names = tensorsOf(**model);
  const std::vector<Tensor> inputs = sampleInputs(**model);
  const auto network = TappedNetwork::create((*model)->clone(), {}, {}, {names[5]});
  ASSERT_TRUE(network.has_value()) << network.error().str();
  const auto run = (*network)->run(inputs);
  ASSERT_TRUE(run.has_value());
  EXPECT_EQ(run->taps.size(), 1u);
  EXPECT_TRUE(run->sameProgram);
}

TEST(Tap, NamesWhatIsNotThere) {
  auto model = zoo::build("resnet18", Shape{1, 3, 32, 32});
  ASSERT_TRUE(model.has_value());
  const auto network = TappedNetwork::create(std::move(*model), {}, {}, {"no such tensor"});
  ASSERT_FALSE(network.has_value());
  EXPECT_NE(network.error().str().find("no such tensor"), std::string::npos);
}

} // namespace
} // namespace enfold::diagnose
