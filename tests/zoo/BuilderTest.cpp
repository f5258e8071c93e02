// The graph builder: names, seeds, and errors that wait for the end.
#include "ir/Builder.h"

#include "ir/Verifier.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

const Type kImage{ElemType::F32, {1, 4, 6, 6}, {}};

std::string origin(const Value* value) { return value->producer()->origins().front(); }

TEST(GraphBuilder, NamesResultsAndOriginsAfterTheModule) {
  GraphBuilder b("net");
  Value* x = b.input("input", kImage);
  const auto outer = b.scope("layer1.0");
  Value* relu = b.op(OpKind::Relu, "relu", {x});
  EXPECT_EQ(relu->name(), "layer1.0.relu");
  EXPECT_EQ(origin(relu), "/layer1/layer1.0/relu/Relu");
  Value* sum = b.op(OpKind::Add, "", {relu, x});
  EXPECT_EQ(sum->name(), "layer1.0.add");
  EXPECT_EQ(origin(sum), "/layer1/layer1.0/Add");
  const auto inner = b.scope("conv.0");
  EXPECT_EQ(origin(b.op(OpKind::Relu, "2", {sum})), "/layer1/layer1.0/conv/conv.0/conv.0.2/Relu");
}

TEST(GraphBuilder, NumbersRepeatedNames) {
  GraphBuilder b("net");
  Value* x = b.input("input", kImage);
  x = b.op(OpKind::Relu, "relu", {x});
  Value* again = b.op(OpKind::Relu, "relu", {x});
  EXPECT_EQ(again->name(), "relu_1");
  EXPECT_EQ(origin(again), "/relu_1/Relu");
  b.op(OpKind::Add, "", {x, x});
  Value* sum = b.op(OpKind::Add, "", {x, x});
  EXPECT_EQ(sum->name(), "add_1");
  EXPECT_EQ(origin(sum), "/Add_1");
}

TEST(GraphBuilder, EndOfScopeRestoresThePath) {
  GraphBuilder b("net");
  Value* x = b.input("input", kImage);
  {
    const auto inside = b.scope("a");
  }
  EXPECT_EQ(b.op(OpKind::Relu, "relu", {x})->name(), "relu");
}

TEST(GraphBuilder, SeedsConstantsByTheirWholeName) {
  const auto weight = [](std::string_view module, std::string_view name) {
    GraphBuilder b("net");
    const auto inside = b.scope(module);
    return *b.uniform(name, {100}, 2, 3)->constant();
  };
  const Tensor tensor = weight("a", "weight");
  for (const float value : tensor.values<float>()) EXPECT_TRUE(value >= 2 && value < 3) << value;
  EXPECT_TRUE(tensor == weight("a", "weight"));
  EXPECT_FALSE(tensor == weight("b", "weight"));
  EXPECT_FALSE(tensor == weight("a", "bias"));
}

TEST(GraphBuilder, TellsTheFirstErrorAtTheEnd) {
  GraphBuilder b("net");
  Value* x = b.input("input", kImage);
  const auto inside = b.scope("head");
  Value* bad = b.reshape(x, {5, 5});
  Value* worse = b.transpose(bad, {0, 0});
  EXPECT_EQ(b.split(worse, 3).size(), 3u);
  auto graph = b.finish(worse, "output");
  ASSERT_FALSE(graph);
  ASSERT_EQ(graph.error().diags.size(), 1u);
  EXPECT_EQ(graph.error().diags[0].node, "reshape '/head/Reshape'");
}

TEST(GraphBuilder, BuildsWhatTheVerifierAccepts) {
  GraphBuilder b("net");
  Value* x = b.input("input", kImage);
  const std::vector<Value*> halves = b.split(x, 2);
  x = b.concat({halves[1], b.clip("clip", halves[0], 0, 6)});
  x = b.transpose(b.reshape(x, {1, 2, 2, 36}), {0, 2, 1, 3});
  EXPECT_EQ(x->shape(), (Shape{1, 2, 2, 36}));
  EXPECT_EQ(halves[1]->name(), "split.1");
  auto graph = b.finish(x, "output");
  ASSERT_TRUE(graph) << graph.error().str();
  EXPECT_TRUE(verify(**graph));
  EXPECT_EQ((*graph)->outputNames()[0], "output");
}

} // namespace
} // namespace enfold
