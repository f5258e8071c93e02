// Sizes, counts and indices that inputs make invalid: an error that names the node ends the run,
// and the network works afterwards.
#include "../onnx/ModelBytes.h"
#include "driver/Network.h"
#include "ir/ConstantText.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace enfold {
namespace {

using namespace onnx::test;

using Nodes = std::vector<NodeSpec>;

/// A node "bad" that makes y from the matrix x [4,6] and the number n [1], what it takes for n, and
/// what it does not.
struct Case {
  const char* name;
  Nodes nodes;
  int64_t good;
  std::vector<int64_t> bad;
  ElemType elem = ElemType::F32; ///< of y
};

constexpr int64_t kHuge = int64_t{1} << 50, kMost = int64_t{1} << 62;

/// The hyperbolic tangent of a state, as long as the number of the iteration is below `most`.
Message body(const char* most) {
  const std::vector<Dim> matrix = {int64_t{4}, int64_t{6}};
  return graph(
      {.inputs = {valueInfo("i", ElemType::I64, {}), valueInfo("c", ElemType::Bool, {}),
                  valueInfo("t", ElemType::F32, matrix)},
       .outputs = {valueInfo("d", ElemType::Bool, {}), valueInfo("r", ElemType::F32, matrix)},
       .nodes = {{"Less", {"i", most}, {"d"}}, {"Tanh", {"t"}, {"r"}}}});
}

Message scalar(const char* name, int64_t value) {
  return rawTensor(name, ElemType::I64, {}, {reinterpret_cast<const char*>(&value), sizeof value});
}

/// `list` is n with numbers behind it.
Nodes listed(std::vector<std::string> behind, NodeSpec node) {
  std::vector<std::string> parts = {"n"};
  parts.insert(parts.end(), behind.begin(), behind.end());
  return {{"Concat", parts, {"list"}, {intAttr("axis", 0)}}, std::move(node)};
}

const std::vector<Case>& cases() {
  const auto axis = [](int64_t value) { return intAttr("axis", value); };
  static const std::vector<Case> all = {
      {"ConstantOfShape", {{"ConstantOfShape", {"n"}, {"y"}, {}, "bad"}}, 3, {-1, kHuge, kMost}},
      {"Expand",
       listed({"four", "six"}, {"Expand", {"x", "list"}, {"y"}, {}, "bad"}),
       2,
       {kHuge, kMost}},
      {"Tile", listed({"one"}, {"Tile", {"x", "list"}, {"y"}, {}, "bad"}), 2, {-1, kHuge, kMost}},
      {"Reshape",
       listed({"three"}, {"Reshape", {"x", "list"}, {"y"}, {}, "bad"}),
       8,
       {7, -2, kHuge, kMost}},
      {"Pad",
       listed({"zero", "zero", "zero"}, {"Pad", {"x", "list"}, {"y"}, {}, "bad"}),
       2,
       {-9, kHuge, kMost, -kMost}},
      {"Resize",
       listed({"six"}, {"Resize", {"x", "", "", "list"}, {"y"}, {}, "bad"}),
       8,
       {-1, kHuge, kMost}},
      {"TopK", {{"TopK", {"x", "n"}, {"y", "i"}, {}, "bad"}}, 3, {7, -1, kMost}},
      {"Split",
       listed({"two"}, {"Split", {"x", "list"}, {"y", "z"}, {axis(1)}, "bad"}),
       4,
       {5, -1, kMost}},
      {"Range",
       {{"Squeeze", {"n"}, {"s"}}, {"Range", {"nought", "s", "step"}, {"y"}, {}, "bad"}},
       5,
       {kHuge, kMost},
       ElemType::I64},
      {"OneHot", {{"OneHot", {"one", "n", "onoff"}, {"y"}, {}, "bad"}}, 3, {-1, kHuge, kMost}},
      {"Gather", {{"Gather", {"x", "n"}, {"y"}, {}, "bad"}}, 3, {4, -5, kMost, -kMost}},
      {"GatherElements",
       {{"Unsqueeze", {"n", "zero"}, {"u"}}, {"GatherElements", {"x", "u"}, {"y"}, {}, "bad"}},
       3,
       {4, -5, kMost}},
      {"GatherND", {{"GatherND", {"x", "n"}, {"y"}, {}, "bad"}}, 3, {4, -5, kMost}},
      {"ScatterND",
       {{"Unsqueeze", {"n", "zero"}, {"u"}},
        {"Slice", {"x", "zero", "one", "zero"}, {"row"}},
        {"ScatterND", {"x", "u", "row"}, {"y"}, {}, "bad"}},
       3,
       {4, -5, kMost}},
      {"ScatterElements",
       {{"Unsqueeze", {"n", "zero"}, {"u"}},
        {"Slice", {"x", "zero", "one", "zero"}, {"row"}},
        {"Slice", {"row", "zero", "one", "one"}, {"single"}},
        {"ScatterElements", {"x", "u", "single"}, {"y"}, {}, "bad"}},
       3,
       {4, -5, kMost}},
      {"CenterCropPad",
       {{"CenterCropPad", {"x", "n"}, {"y"}, {intsAttr("axes", {0})}, "bad"}},
       2,
       {-1, kHuge, kMost}},
      {"Unsqueeze", {{"Unsqueeze", {"x", "n"}, {"y"}, {}, "bad"}}, 1, {3, -4, kMost}},
      {"ReduceSum", {{"ReduceSum", {"x", "n"}, {"y"}, {}, "bad"}}, 1, {2, -3, kMost}},
      {"CumSum",
       {{"Squeeze", {"n"}, {"s"}}, {"CumSum", {"x", "s"}, {"y"}, {}, "bad"}},
       1,
       {2, -3, kMost}},
      {"Loop",
       {{"Loop", {"n", "", "x"}, {"y"}, {graphAttr("body", body("huge"))}, "bad"}},
       3,
       {20000, kMost}},
      {"Loop without a count",
       {{"Squeeze", {"n"}, {"s"}},
        {"Loop", {"", "yes", "x"}, {"y"}, {graphAttr("body", body("s"))}, "bad"}},
       3,
       {1001, kMost}},
      {"SequenceAt",
       {{"SequenceConstruct", {"x", "x"}, {"q"}},
        {"Squeeze", {"n"}, {"s"}},
        {"SequenceAt", {"q", "s"}, {"y"}, {}, "bad"}},
       1,
       {2, -3, kMost}},
      {"SplitToSequence",
       {{"Squeeze", {"n"}, {"s"}},
        {"SplitToSequence", {"x", "s"}, {"q"}, {}, "bad"},
        {"SequenceAt", {"q", "nought"}, {"y"}}},
       2,
       {0, -1, -kMost}},
      {"HannWindow",
       {{"Squeeze", {"n"}, {"s"}}, {"HannWindow", {"s"}, {"y"}, {}, "bad"}},
       4,
       {-1, kHuge, kMost}},
      {"AffineGrid",
       {{"Concat", {"n", "one", "two", "two"}, {"size"}, {axis(0)}},
        {"AffineGrid", {"theta", "size"}, {"y"}, {}, "bad"}},
       1,
       {2, -1, kMost}},
  };
  return all;
}

/// How n comes to the node.
enum class From {
  Input,    ///< as it is: its contents may decide shapes
  Data,     ///< a sum of what another input holds
  OpenSize, ///< computed from the size of an input, which is open
};

std::string modelOf(const Case& c, From from) {
  const std::vector<Dim> matrix = {int64_t{4}, int64_t{6}};
  GraphSpec spec = {.inputs = {valueInfo("x", ElemType::F32, matrix)},
                    .outputs = {valueInfo("y", c.elem)},
                    .initializers = {ints("zero", {0}), ints("one", {1}), ints("two", {2}),
                                     ints("three", {3}), ints("four", {4}), ints("six", {6}),
                                     floats("onoff", {2}, {0, 1}),
                                     floats("theta", {1, 2, 3}, {1, 0, 0, 0, 1, 0}),
                                     rawTensor("yes", ElemType::Bool, {}, "\1"),
                                     scalar("nought", 0), scalar("step", 1), scalar("huge", kHuge)},
                    .nodes = {}};
  if (from == From::Input) {
    spec.inputs.push_back(valueInfo("n", ElemType::I64, {int64_t{1}}));
  } else if (from == From::Data) {
    spec.inputs.push_back(valueInfo("d", ElemType::I64, {int64_t{2}}));
    spec.nodes.push_back({"ReduceSum", {"d", "zero"}, {"n"}});
  } else {
    spec.inputs.push_back(valueInfo("o", ElemType::U8, {"w"}));
    spec.inputs.push_back(valueInfo("p", ElemType::U8, {"v"}));
    spec.nodes.push_back({"Shape", {"o"}, {"more"}});
    spec.nodes.push_back({"Shape", {"p"}, {"less"}});
    spec.nodes.push_back({"Sub", {"more", "less"}, {"n"}});
  }
  spec.nodes.insert(spec.nodes.end(), c.nodes.begin(), c.nodes.end());
  return model({.graph = std::move(spec), .opset = 20});
}

std::vector<NamedTensor> inputsOf(From from, int64_t n) {
  const auto list = [](std::vector<int64_t> values) {
    return Tensor::of<int64_t>({static_cast<int64_t>(values.size())},
                               std::span<const int64_t>(values));
  };
  Tensor x(ElemType::F32, {4, 6});
  fillRandom(x, 3, -1, 1);
  std::vector<NamedTensor> inputs = {{"x", x}};
  if (from == From::Input) inputs.push_back({"n", list({n})});
  if (from == From::Data) inputs.push_back({"d", list({n - 5, 5})});
  if (from == From::OpenSize) {
    inputs.push_back({"o", Tensor(ElemType::U8, {std::max<int64_t>(n, 0) + 1})});
    inputs.push_back({"p", Tensor(ElemType::U8, {std::max<int64_t>(-n, 0) + 1})});
  }
  return inputs;
}

class BadSizes : public testing::TestWithParam<From> {};

TEST_P(BadSizes, AreNamedAndLeaveTheNetworkUsable) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    LoadOptions load;
    load.limits.iterations = 1000;
    auto network = Network::open(ModelSource::inMemory(modelOf(c, GetParam())),
                                 {.load = load, .compile = {}, .session = {.threads = 1}});
    ASSERT_TRUE(network) << network.error().str();
    std::optional<std::vector<Tensor>> right;
    const auto expectRight = [&] {
      const auto run = (*network)->run(inputsOf(GetParam(), c.good));
      ASSERT_TRUE(run) << run.error().str();
      if (!right) right = run->outputs;
      EXPECT_EQ(run->outputs, *right);
    };
    expectRight();
    for (const int64_t bad : c.bad) {
      if (GetParam() == From::OpenSize && std::abs(bad) > 100000) continue;
      const auto run = (*network)->run(inputsOf(GetParam(), bad));
      ASSERT_FALSE(run) << bad;
      EXPECT_NE(run.error().str().find("bad"), std::string::npos) << bad << run.error().str();
      expectRight();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, BadSizes, testing::Values(From::Input, From::Data, From::OpenSize),
                         [](const auto& info) -> std::string {
                           return info.param == From::Input  ? "FromAnInput"
                                  : info.param == From::Data ? "FromData"
                                                             : "FromAnOpenSize";
                         });

} // namespace
} // namespace enfold
