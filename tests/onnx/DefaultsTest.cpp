// Inputs that have a default, an initializer of their name: constants, unless a run gives them.
#include "Support.h"
#include "driver/Model.h"
#include "onnx/TensorFile.h"
#include "tests/common/Command.h"

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32;

/// y = x * w, where w is [2,2,2] unless it is given.
class Defaults : public testing::Test {
protected:
  Defaults() {
    folder_.write("model.onnx",
                  model({.graph = {.inputs = {valueInfo("x", F32, {3}), valueInfo("w", F32, {3})},
                                   .outputs = {valueInfo("y", F32, {3})},
                                   .initializers = {floats("w", {3}, {2, 2, 2})},
                                   .nodes = {{"Mul", {"x", "w"}, {"y"}}}}}));
  }

  LoadedModel load(const LoadOptions& options) const { return take(loadModel(path(), options)); }
  LoadedModel loadFor(const std::vector<NamedTensor>& inputs, LoadOptions options = {}) const {
    return take(loadModelFor(path(), inputs, std::move(options)));
  }
  static LoadedModel take(Result<LoadedModel> loaded) {
    EXPECT_TRUE(loaded) << loaded.error().str();
    return loaded ? *std::move(loaded) : LoadedModel{};
  }
  static std::vector<std::string> inputNames(const LoadedModel& loaded) {
    std::vector<std::string> names;
    for (const auto& input : loaded.graph->inputs()) names.push_back(input->name());
    return names;
  }
  std::string path() const { return (folder_.path() / "model.onnx").string(); }

  Folder folder_;
  const Tensor x_ = Tensor::of<float>({3}, {1, 2, 3}), w_ = Tensor::of<float>({3}, {5, 5, 5});
  using Names = std::vector<std::string>;
};

TEST_F(Defaults, AreConstantsWhereTheRunDoesNotGiveThem) {
  const LoadedModel loaded = loadFor({{"x", x_}});
  EXPECT_EQ(inputNames(loaded), Names{"x"});
  EXPECT_TRUE(answers(*loaded.graph, {x_})[0] == Tensor::of<float>({3}, {2, 4, 6}));
}

TEST_F(Defaults, AreInputsWhereTheRunGivesThem) {
  const LoadedModel loaded = loadFor({{"w", w_}, {"x", x_}});
  EXPECT_EQ(inputNames(loaded), (Names{"x", "w"}));
  EXPECT_TRUE(answers(*loaded.graph, {x_, w_})[0] == Tensor::of<float>({3}, {5, 10, 15}));
}

TEST_F(Defaults, AreInputsForNamelessTensorsBeyondTheOthers) {
  EXPECT_EQ(inputNames(loadFor({{"", x_}})), Names{"x"});
  EXPECT_EQ(inputNames(loadFor({{"", x_}, {"", w_}})), (Names{"x", "w"}));
}

TEST_F(Defaults, AreToldWhenTheModelIsLoadedForNoRun) {
  const LoadedModel loaded = load({});
  EXPECT_EQ(inputNames(loaded), (Names{"x", "w"}));
  ASSERT_TRUE(loaded.inputDefaults.contains("w"));
  EXPECT_TRUE(loaded.inputDefaults.at("w") == Tensor::of<float>({3}, {2, 2, 2}));
  EXPECT_FALSE(loaded.inputDefaults.contains("x"));
}

TEST_F(Defaults, FreezeUnlessOverridden) {
  EXPECT_EQ(inputNames(load({.freezeInitializers = true})), Names{"x"});
  EXPECT_EQ(inputNames(load({.freezeInitializers = true, .overridden = {"w"}})), (Names{"x", "w"}));
}

TEST_F(Defaults, ThroughTheCommand) {
  ASSERT_TRUE(writeNpy(folder_.path() / "x.npy", x_));
  ASSERT_TRUE(writeNpy(folder_.path() / "w.npy", w_));
  const auto answer = [&](const std::string& arguments) {
    const auto outcome = enfold::test::enfold(
        folder_.path(), "run model.onnx --input x=x.npy --output out " + arguments);
    EXPECT_EQ(outcome.exit, 0) << outcome.text;
    auto file = readTensorFile(folder_.path() / "out" / "y.npy");
    EXPECT_TRUE(file);
    return file ? file->tensor : Tensor();
  };
  EXPECT_TRUE(answer("") == Tensor::of<float>({3}, {2, 4, 6}));
  EXPECT_TRUE(answer("--input w=w.npy") == Tensor::of<float>({3}, {5, 10, 15}));
  const auto random = enfold::test::enfold(folder_.path(), "run model.onnx --random 1");
  EXPECT_EQ(random.exit, 0) << random.text;
}

} // namespace
} // namespace enfold::onnx::test
