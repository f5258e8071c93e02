// Bad input through the command: models, inputs and flags that are wrong give the exit code of
// their kind (3 the model, 2 the usage) and a sentence about what is wrong, and nothing is written.
#include "tests/common/Command.h"

#include "Support.h"
#include "onnx/Npy.h"

namespace enfold::onnx::test {
namespace {

constexpr ElemType F32 = ElemType::F32;
constexpr int kUsage = 2, kModel = 3;

using enfold::test::enfold;
using enfold::test::Outcome;

class Command : public testing::Test {
protected:
  /// Fails with that code, telling the words, and leaves no new file.
  void expectFails(const std::string& arguments, int code, const std::vector<std::string>& words) {
    const auto before = folder_.list();
    const Outcome outcome = enfold(folder_.path(), arguments);
    EXPECT_EQ(outcome.exit, code) << arguments << ": " << outcome.text;
    for (const std::string& word : words)
      EXPECT_NE(outcome.text.find(word), std::string::npos)
          << arguments << ": no " << word << " in: " << outcome.text;
    EXPECT_EQ(outcome.text.find("Sanitizer"), std::string::npos) << outcome.text;
    EXPECT_EQ(folder_.list(), before) << arguments;
  }

  Folder folder_;
};

/// y = conv(x, w), relu.
ModelSpec convolution() {
  return {.graph = {.inputs = {valueInfo("x", F32, {1, 2, 5, 5})},
                    .outputs = {valueInfo("y", F32, {1, 3, 3, 3})},
                    .initializers = {floats("w", {3, 2, 3, 3}, std::vector<float>(54, 0.5f))},
                    .nodes = {{"Conv", {"x", "w"}, {"c"}, {}, "conv"},
                              {"Relu", {"c"}, {"y"}, {}, "act"}}}};
}

// ---- Models
// -----------------------------------------------------------------------------------------

struct BadModel {
  std::string name;
  ModelSpec spec;
  std::vector<std::string> words;
};

void PrintTo(const BadModel& model, std::ostream* out) { *out << model.name; }

std::vector<BadModel> badModels() {
  using Spec = ModelSpec;
  std::vector<BadModel> models;
  const auto bad = [&](const std::string& name, std::vector<std::string> words,
                       const std::function<void(ModelSpec&)>& spoil) {
    models.push_back({name, convolution(), std::move(words)});
    spoil(models.back().spec);
  };
  bad("UnknownOp", {"Convolve 'conv' (opset 18)", "no such operator"},
      [](Spec& m) { m.graph.nodes[0].type = "Convolve"; });
  bad("UnknownDomain", {"my.ops:Conv 'conv'", "domain"},
      [](Spec& m) { m.graph.nodes[0].domain = "my.ops"; });
  bad("OpsetTooNew", {"opset 99", "28"}, [](Spec& m) { m.opset = 99; });
  bad("OpsetTooOld", {"opset 0", "1"}, [](Spec& m) { m.opset = 0; });
  bad("OpNewerThanItsOpset", {"Gelu 'act' (opset 18)", "opset 20"},
      [](Spec& m) { m.graph.nodes[1].type = "Gelu"; });
  bad("IrVersion", {"IR version 99"}, [](Spec& m) { m.irVersion = 99; });
  bad("WrongShape", {"Conv 'conv'", "[1,4,5,5]"},
      [](Spec& m) { m.graph.inputs[0] = valueInfo("x", F32, {1, 4, 5, 5}); });
  bad("WrongRank", {"Conv 'conv'", "[5]"},
      [](Spec& m) { m.graph.inputs[0] = valueInfo("x", F32, {5}); });
  bad("WindowTooLarge", {"Conv 'conv'"},
      [](Spec& m) { m.graph.inputs[0] = valueInfo("x", F32, {1, 2, 2, 2}); });
  bad("WrongType", {"Conv 'conv'"},
      [](Spec& m) { m.graph.inputs[0] = valueInfo("x", ElemType::I32, {1, 2, 5, 5}); });
  bad("NoSuchType", {"'x'", "88"},
      [](Spec& m) { m.graph.inputs[0] = valueInfo("x", static_cast<ElemType>(88), {1, 2, 5, 5}); });
  bad("ZeroStride", {"Conv 'conv'", "stride"},
      [](Spec& m) { m.graph.nodes[0].attrs = {intsAttr("strides", {0, 1})}; });
  bad("HugePads", {"Conv 'conv'"},
      [](Spec& m) { m.graph.nodes[0].attrs = {intsAttr("pads", {INT64_MAX, INT64_MAX, 1, 1})}; });
  bad("HugeDilation", {"Conv 'conv'"},
      [](Spec& m) { m.graph.nodes[0].attrs = {intsAttr("dilations", {INT64_MAX, INT64_MAX})}; });
  bad("ZeroGroups", {"Conv 'conv'", "group"},
      [](Spec& m) { m.graph.nodes[0].attrs = {intAttr("group", 0)}; });
  bad("UnknownAttribute", {"Conv 'conv'", "'stride'"},
      [](Spec& m) { m.graph.nodes[0].attrs = {intAttr("stride", 1)}; });
  bad("Cycle", {"Conv 'conv'", "depends on itself", "Relu 'act'"},
      [](Spec& m) { m.graph.nodes[0].inputs[0] = "y"; });
  bad("MissingInitializer", {"Conv 'conv'", "'w'", "nowhere"},
      [](Spec& m) { m.graph.initializers.clear(); });
  bad("NegativeSize", {"'x'", "-5"},
      [](Spec& m) { m.graph.inputs[0] = valueInfo("x", F32, {1, 2, -5, 5}); });
  bad("OverflowingSize", {"large"}, [](Spec& m) {
    m.graph.inputs[0] = valueInfo("x", F32, {int64_t{1} << 40, int64_t{1} << 40, 5, 5});
  });
  bad("NegativeSizeOfAConstant", {"'w'", "-3"},
      [](Spec& m) { m.graph.initializers[0] = floats("w", {-3}, {1}); });
  bad("TwoNodesComputeOneValue", {"Relu 'act'", "'c'", "'conv'"},
      [](Spec& m) { m.graph.nodes[1].outputs = {"c"}; });
  bad("TwoInitializersOfOneName", {"'w'", "twice"},
      [](Spec& m) { m.graph.initializers.push_back(m.graph.initializers[0]); });
  bad("NodeRedefinesAnInput", {"Relu 'act'", "'x'"},
      [](Spec& m) { m.graph.nodes[1].outputs.emplace_back("x"); });
  bad("OutputNobodyComputes", {"'z'"}, [](Spec& m) { m.graph.outputs = {valueInfo("z", F32)}; });
  bad("NoOutputs", {"no outputs"}, [](Spec& m) { m.graph.outputs.clear(); });
  bad("TooFewInputs", {"Conv 'conv'", "'w'"}, [](Spec& m) { m.graph.nodes[0].inputs = {"x"}; });
  bad("ExternalDataOutside", {"'w'", "inside the model's folder"}, [](Spec& m) {
    m.graph.initializers[0] = externalTensor("w", {3, 2, 3, 3}, "../../etc/passwd");
  });
  bad("ExternalDataMissing", {"'w'", "'weights.bin'"},
      [](Spec& m) { m.graph.initializers[0] = externalTensor("w", {3, 2, 3, 3}, "weights.bin"); });
  bad("WrongCountOfData", {"'w'", "1 values"},
      [](Spec& m) { m.graph.initializers[0] = floats("w", {3, 2, 3, 3}, {1}); });
  return models;
}

class BadModels : public Command, public testing::WithParamInterface<BadModel> {};

TEST_P(BadModels, AreRefusedByEveryCommand) {
  folder_.write("model.onnx", model(GetParam().spec));
  for (const std::string arguments :
       {"run model.onnx --random 1 --output out", "compile model.onnx -o model.so",
        "opt model.onnx -o out.onnx", "inspect model.onnx"})
    expectFails(arguments, kModel, GetParam().words);
}

INSTANTIATE_TEST_SUITE_P(Command, BadModels, testing::ValuesIn(badModels()),
                         [](const auto& param) { return param.param.name; });

TEST_F(Command, TheGoodModelRuns) {
  folder_.write("model.onnx", model(convolution()));
  const Outcome outcome = enfold(folder_.path(), "run model.onnx --random 1 --output out");
  EXPECT_EQ(outcome.exit, 0) << outcome.text;
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "out" / "y.npy"));
}

TEST_F(Command, FilesThatAreNoModels) {
  expectFails("run absent.onnx --random 1", kUsage, {"absent.onnx"});
  folder_.write("empty.onnx", "");
  expectFails("run empty.onnx --random 1", kModel, {"empty.onnx"});
  folder_.write("text.onnx", "Once upon a time there was a model.\n");
  expectFails("run text.onnx --random 1", kModel, {"text.onnx", "protobuf"});
  std::filesystem::create_directory(folder_.path() / "folder.onnx");
  expectFails("run folder.onnx --random 1", kUsage, {"folder.onnx", "regular file"});
  expectFails("run /dev/zero --random 1", kUsage, {"/dev/zero", "regular file"});
  expectFails("run zoo:nothing --random 1", kUsage, {"nothing"});
}

TEST_F(Command, AModelCutShort) {
  const std::string whole = model(convolution());
  for (size_t size = 1; size < whole.size(); size += 1 + whole.size() / 12) {
    folder_.write("cut.onnx", whole.substr(0, size));
    expectFails("run cut.onnx --random 1 --output out", kModel, {"cut.onnx"});
  }
}

// ---- Inputs
// -----------------------------------------------------------------------------------------

class CommandInputs : public Command {
protected:
  void SetUp() override {
    folder_.write("model.onnx", model(convolution()));
    writeNpy("x.npy", Tensor(F32, {1, 2, 5, 5}));
  }
  void writeNpy(const std::string& name, const Tensor& tensor) {
    folder_.write(name, encodeNpy(tensor));
  }
  void expectRefused(const std::string& inputs, int code, const std::vector<std::string>& words) {
    expectFails("run model.onnx --output out " + inputs, code, words);
  }
};

TEST_F(CommandInputs, OfTheWrongShapeOrType) {
  writeNpy("small.npy", Tensor(F32, {1, 2, 5, 4}));
  writeNpy("flat.npy", Tensor(F32, {50}));
  writeNpy("double.npy", Tensor(ElemType::F64, {1, 2, 5, 5}));
  expectRefused("--input x=small.npy", kUsage, {"'x'", "f32[1,2,5,5]", "f32[1,2,5,4]"});
  expectRefused("--input x=flat.npy", kUsage, {"'x'", "f32[50]"});
  expectRefused("--input x=double.npy", kUsage, {"'x'", "f64"});
}

TEST_F(CommandInputs, ThatAreMissingUnknownOrGivenBadly) {
  expectRefused("", kUsage, {"'x'", "not given"});
  expectRefused("--input z=x.npy", kUsage, {"'x'"});
  expectRefused("--input x=x.npy --input z=x.npy", kUsage, {"'z'"});
  expectRefused("--input x=absent.npy", kUsage, {"absent.npy"});
  expectRefused("--input x=.", kUsage, {"regular file"});
  expectRefused("--input x.npy", kUsage, {"x.npy", "NAME=FILE"});
  expectRefused("--input =x.npy", kUsage, {"NAME=FILE"});
  expectRefused("--random many", kUsage, {"many"});
}

TEST_F(CommandInputs, InBrokenFiles) {
  const std::string whole = encodeNpy(Tensor(F32, {1, 2, 5, 5}));
  for (const size_t size : {size_t{1}, size_t{8}, size_t{20}, whole.size() / 2, whole.size() - 1}) {
    folder_.write("cut.npy", whole.substr(0, size));
    expectRefused("--input x=cut.npy", kModel, {"cut.npy"});
  }
  folder_.write("long.npy", whole + "more");
  expectRefused("--input x=long.npy", kModel, {"long.npy", "204 bytes"});
  folder_.write("empty.npy", "");
  expectRefused("--input x=empty.npy", kModel, {"empty.npy"});
  folder_.write("text.npy", "1 2 3");
  expectRefused("--input x=text.npy", kModel, {"text.npy"});
  std::string negative = whole;
  negative.replace(negative.find("(1, 2"), 5, "(1,-2");
  folder_.write("negative.npy", negative);
  expectRefused("--input x=negative.npy", kModel, {"negative.npy"});
  folder_.write("text.pb", "1 2 3");
  expectRefused("--input x=text.pb", kModel, {"text.pb"});
  const std::string tensor = floats("x", {1, 2, 5, 5}, std::vector<float>(50)).bytes();
  folder_.write("cut.pb", tensor.substr(0, tensor.size() - 7));
  expectRefused("--input x=cut.pb", kModel, {"cut.pb"});
  folder_.write("few.pb", floats("x", {1, 2, 5, 5}, {1}).bytes());
  expectRefused("--input x=few.pb", kModel, {"few.pb", "1 values"});
}

TEST_F(CommandInputs, OfTestDataFolders) {
  expectFails("run model.onnx --check absent", kUsage, {"absent"});
  std::filesystem::create_directories(folder_.path() / "data" / "test_data_set_0");
  expectFails("run model.onnx --check data", kUsage, {"output_0.pb"});
  folder_.write("data/test_data_set_0/output_0.pb", "nonsense");
  expectFails("run model.onnx --check data", kModel, {"output_0.pb"});
  const auto zeros = [](const std::vector<int64_t>& dims, size_t count) {
    return floats("", dims, std::vector<float>(count)).bytes();
  };
  folder_.write("data/test_data_set_0/input_0.pb", zeros({1, 2, 5, 5}, 50));
  folder_.write("data/test_data_set_0/output_0.pb", zeros({1, 3, 3, 3}, 27));
  EXPECT_EQ(enfold(folder_.path(), "run model.onnx --check data").exit, 0);
  folder_.write("data/test_data_set_0/output_0.pb", zeros({1, 3, 3, 2}, 18));
  expectFails("run model.onnx --check data", 1, {"y"});
}

TEST_F(CommandInputs, ShapesThatDoNotFit) {
  expectFails("run model.onnx --random 1 --shape x=1x2x6x6", kUsage, {"'x'", "[1,2,6,6]"});
  expectFails("run model.onnx --random 1 --shape z=1", kUsage, {"'z'"});
  expectFails("run model.onnx --random 1 --shape x", kUsage, {"--shape"});
  expectFails("run model.onnx --random 1 --shape x=1xax5", kUsage, {"'a'"});
  expectFails("run model.onnx --random 1 --shape x=1x-2x5x5", kUsage, {"-2"});
  expectFails("run model.onnx --random 1 --shape x=99999999999999999999", kUsage, {"9999"});
}

TEST_F(CommandInputs, FilesThatCannotBeWritten) {
  expectFails("opt model.onnx -o absent/out.onnx", kUsage, {"absent/out.onnx"});
  expectFails("opt model.onnx -o out.txt", kUsage, {"out.txt"});
  expectFails("zoo cnn_1d -o absent/out.onnx", kUsage, {"absent/out.onnx"});
  expectFails("zoo cnn_1d -o out.txt", kUsage, {"FILE.onnx"});
}

} // namespace
} // namespace enfold::onnx::test
