// Names of values: a name of the model means the same tensor as long as the graph lives.
#include "ir/Rewriter.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

Op* relu(Graph& graph, Value* x, std::string name) {
  auto op = graph.create({.kind = OpKind::Relu, .operands = {x}, .resultNames = {std::move(name)}});
  EXPECT_TRUE(op.has_value());
  return *op;
}

TEST(Names, OfErasedTensorsAreNotInvented) {
  Graph graph;
  Value* x = graph.addInput("x", {ElemType::F32, {2}, {}});
  Op* v0 = relu(graph, x, "v0");
  Op* last = relu(graph, x, "last");
  graph.addOutput(last->result(), "last");
  Rewriter rewriter(graph);
  ASSERT_TRUE(rewriter.begin("test", *v0));
  rewriter.erase(v0);
  Op* made = rewriter.create({.kind = OpKind::Relu, .operands = {x}}, last);
  EXPECT_NE(made->result()->name(), "v0");
  Op* wished =
      rewriter.create({.kind = OpKind::Relu, .operands = {x}, .resultNames = {"v0"}}, last);
  EXPECT_NE(wished->result()->name(), "v0");
  EXPECT_EQ(graph.find("v0"), nullptr);
}

/// A tensor that became a constant, which then vanished.
TEST(Names, OfFoldedTensorsAreNotInvented) {
  Graph graph;
  Value* x = graph.addInput("x", {ElemType::F32, {2}, {}});
  Op* v7 = relu(graph, x, "v7");
  Op* last = relu(graph, x, "last");
  graph.addOutput(last->result(), "last");
  Rewriter rewriter(graph);
  ASSERT_TRUE(rewriter.begin("test", *v7));
  Value* folded = rewriter.constant(Tensor(ElemType::F32, {2}), "v7", last);
  rewriter.erase(v7);
  rewriter.rename(folded, "v7");
  ASSERT_EQ(graph.find("v7"), folded);
  rewriter.erase(folded->producer());
  for (int i = 0; i < 20; ++i) {
    const Op* made = rewriter.create({.kind = OpKind::Relu, .operands = {x}}, last);
    EXPECT_NE(made->result()->name(), "v7");
  }
}

TEST(Names, AreTakenOverByRenaming) {
  Graph graph;
  Value* x = graph.addInput("x", {ElemType::F32, {2}, {}});
  Op* old = relu(graph, x, "y");
  Op* made = relu(graph, x, "");
  graph.addOutput(made->result(), "y");
  Rewriter rewriter(graph);
  ASSERT_TRUE(rewriter.begin("test", *old));
  rewriter.erase(old);
  rewriter.rename(made->result(), "y");
  EXPECT_EQ(graph.find("y"), made->result());
  rewriter.rename(made->result(), "z");
  rewriter.rename(made->result(), "y");
  EXPECT_EQ(graph.find("y"), made->result());
}

} // namespace
} // namespace enfold
