// Selected values, and what is left out because nothing chosen needs it.
#include "Differential.h"
#include "driver/Compiler.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

Value* condition(GraphBuilder& g, Shape shape = {}) {
  return g.op(OpKind::Cast, "condition", {g.input("c", {ElemType::I32, std::move(shape), {}})},
              {{"to", ElemType::Bool}});
}

Value* select(GraphBuilder& g, std::string_view name, Value* c, Value* yes, Value* no) {
  return g.op(OpKind::Select, name, {c, yes, no});
}

TEST(Select, EveryTypeAndSize) {
  for (const ElemType elem :
       {ElemType::F32, ElemType::F16, ElemType::I64, ElemType::U8, ElemType::Bool, ElemType::F64})
    for (const int64_t size : {1, 3, 64, 1000, 5001})
      for (uint64_t seed = 1; seed < 4; ++seed)
        expectCompiledAgrees(
            [&](GraphBuilder& g) {
              Value* c = condition(g, size % 2 ? Shape{} : Shape{1});
              return select(g, "select", c, g.input("a", {elem, {size}, {}}),
                            g.input("b", {elem, {size}, {}}));
            },
            {.tolerance = {0, 0}, .low = 0, .high = 1.4, .seed = seed});
}

/// Branches of several layers, of which one reads the other's operand, nested.
Value* nested(GraphBuilder& g) {
  Value* x = g.input("x", f32({1, 8, 6, 6}));
  Value* outer = condition(g);
  Value* inner = g.op(OpKind::Greater, "inner",
                      {g.op(OpKind::ReduceMax, "most", {x}, {{"keepdims", int64_t{0}}}),
                       g.constant("limit", Tensor::scalar(1.5f))});
  const auto conv = [&](std::string name, Value* v) {
    Value* w = g.uniform(name + ".w", {8, 8, 3, 3}, -0.2, 0.2);
    return g.op(OpKind::Conv, name, {v, w}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  };
  Value* shared = g.op(OpKind::Relu, "shared", {conv("before", x)});
  Value* deep = select(g, "deep", inner, conv("one", shared), conv("two", conv("three", x)));
  return g.op(OpKind::Tanh, "last", {select(g, "top", outer, deep, conv("four", shared))});
}

TEST(Select, Nested) {
  for (uint64_t seed = 1; seed < 9; ++seed)
    for (const double low : {-2.0, 0.6})
      expectCompiledAgrees(nested,
                           {.tolerance = {1e-4, 1e-5}, .low = low, .high = 2, .seed = seed});
}

/// An index out of range ends a run; where the branch is not chosen, it is not looked at.
TEST(Select, OnlyTheBranchChosenRuns) {
  GraphBuilder g("branches");
  Value* table = g.uniform("table", {4, 5}, -1, 1);
  Value* place = g.input("place", {ElemType::I64, {1}, {}});
  Value* c = g.input("c", {ElemType::Bool, {}, {}});
  Value* row = g.op(OpKind::Gather, "row", {table, place});
  Value* other = g.uniform("other", {1, 5}, -1, 1);
  auto graph = g.finish(select(g, "select", c, row, other), "y");
  ASSERT_TRUE(graph);
  auto compiled = compile(*std::move(graph));
  ASSERT_TRUE(compiled) << compiled.error().str();
  const auto session = Session::create(compiled->executable, {});
  ASSERT_TRUE(session);
  const auto run = [&](int64_t at, bool chosen) {
    const std::vector<Tensor> inputs = {Tensor::of<int64_t>({1}, {at}), Tensor::scalar(chosen)};
    return (*session)->run(inputs);
  };
  EXPECT_TRUE(run(3, true));
  EXPECT_FALSE(run(9, true));
  EXPECT_TRUE(run(9, false));
  EXPECT_TRUE(run(2, true)) << "the session works behind an error";
}

} // namespace
} // namespace enfold
