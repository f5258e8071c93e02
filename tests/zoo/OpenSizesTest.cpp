// Networks of the zoo that leave sizes open, at sizes of many kinds, one after the other.
#include "diagnose/Compare.h"
#include "driver/Network.h"
#include "ir/ConstantText.h"
#include "reference/Reference.h"
#include "zoo/Zoo.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace enfold {
namespace {

struct Open {
  const char* name;
  std::vector<Shape> sizes; ///< that the network takes
  Shape wrong;              ///< that it does not
  const char* where;        ///< the node that tells
};

const Open kOpen[] = {
    {"crnn",
     {{1, 1, 32, 40}, {1, 1, 32, 72}, {2, 1, 32, 33}, {1, 1, 32, 6}, {1, 1, 32, 40}},
     {1, 1, 32, 1},
     "pooling0"},
    {"yolo_nms",
     {{1, 3, 64, 96}, {1, 3, 96, 64}, {2, 3, 32, 64}, {1, 3, 160, 128}, {1, 3, 64, 96}},
     {1, 3, 100, 96},
     "neck/Concat"},
};

NamedTensor image(const Shape& size) {
  Tensor tensor(ElemType::F32, size);
  fillRandom(tensor, 9, 0, 1);
  return {"input", std::move(tensor)};
}

Result<std::vector<Tensor>> byReference(const ModelSource& model, const NamedTensor& input) {
  ENFOLD_TRY(LoadedModel loaded, loadStaged(model, std::span(&input, 1), {}));
  if (!loaded.remainder.rest) return reference::run(*loaded.graph, std::span(&input.tensor, 1));
  const auto stage = referenceStage(std::move(loaded.graph), std::move(loaded.remainder));
  ENFOLD_TRY(const auto outputs,
             runStaged(*stage, loaded.signature, std::span(&input, 1), {}, RunLimits()));
  std::vector<Tensor> tensors;
  for (const onnx::Datum& output : outputs) tensors.push_back(output.tensor());
  return tensors;
}

class OpenSizes : public testing::TestWithParam<Open> {
protected:
  static std::unique_ptr<Network> open(int threads, const LoadOptions& load = {}) {
    auto network = Network::open(std::string("zoo:") + GetParam().name,
                                 {.load = load, .compile = {}, .session = {.threads = threads}});
    EXPECT_TRUE(network) << network.error().str();
    return *std::move(network);
  }
};

TEST_P(OpenSizes, GiveTheReferencesAnswerWithAnyNumberOfThreads) {
  const auto one = open(1), two = open(2);
  for (const Shape& size : GetParam().sizes) {
    SCOPED_TRACE(str(size));
    const NamedTensor input = image(size);
    const auto run = one->run(std::span(&input, 1));
    ASSERT_TRUE(run) << run.error().str();
    const auto again = two->run(std::span(&input, 1));
    ASSERT_TRUE(again) << again.error().str();
    EXPECT_EQ(run->outputs, again->outputs);
    EXPECT_GT(run->outputs[0].numElements(), 0);
    const auto expected = byReference(one->model(), input);
    ASSERT_TRUE(expected) << expected.error().str();
    const auto comparison = diagnose::compare(run->outputs[0], expected->front());
    EXPECT_TRUE(comparison.same()) << comparison.problem << " " << comparison.maxAbs;
  }
  EXPECT_EQ(one->compilations(), static_cast<int64_t>(GetParam().sizes.size()) - 1);
}

TEST_P(OpenSizes, AreRefusedWhereTheyDoNotFit) {
  const auto network = open(1);
  const NamedTensor right = image(GetParam().sizes[0]), wrong = image(GetParam().wrong);
  ASSERT_TRUE(network->run(std::span(&right, 1)));
  const auto refused = network->run(std::span(&wrong, 1));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().str().find(GetParam().where), std::string::npos)
      << refused.error().str();
  EXPECT_TRUE(network->run(std::span(&right, 1)));
}

TEST_P(OpenSizes, CanBeStatedOrLeftToTheNetwork) {
  const ModelSource model = std::string("zoo:") + GetParam().name;
  const zoo::Entry& entry = **zoo::find(GetParam().name);
  const auto inputOf = [&](const LoadOptions& load) {
    const auto loaded = loadStaged(model, load);
    EXPECT_TRUE(loaded) << loaded.error().str();
    return loaded ? loaded->graph->inputs()[0]->shape() : Shape();
  };
  EXPECT_EQ(inputOf({}), entry.input);
  LoadOptions load;
  ASSERT_TRUE(addShape(load, "width=64"));
  Shape narrow = entry.input;
  narrow[3] = 64;
  EXPECT_EQ(inputOf(load), narrow);
  load = {};
  load.shapes["input"] = GetParam().sizes[1];
  EXPECT_EQ(inputOf(load), GetParam().sizes[1]);
  load.shapes["input"][1] = 7;
  EXPECT_FALSE(loadStaged(model, load)) << "channels are not open";
  EXPECT_FALSE(loadStaged(model, {.shapes = {{"other", {1}}}}));
}

INSTANTIATE_TEST_SUITE_P(Networks, OpenSizes, testing::ValuesIn(kOpen),
                         [](const auto& info) { return std::string(info.param.name); });

} // namespace
} // namespace enfold
