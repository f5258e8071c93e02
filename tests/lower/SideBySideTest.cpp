// Lowering in several threads gives the plan that lowering in one gives.
#include "lower/SideBySide.h"

#include "driver/Compiler.h"
#include "fuzz/RandomGraph.h"
#include "ir/Builder.h"
#include "kernel/Printer.h"
#include "kernel/Skeleton.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

#include <cstring>

namespace enfold::lower {
namespace {

void expectSame(const kir::Kernel& a, const kir::Kernel& b) {
  ASSERT_EQ(a.name, b.name);
  ASSERT_EQ(a.skeleton == nullptr, b.skeleton == nullptr) << a.name;
  EXPECT_EQ(a.iterations, b.iterations) << a.name;
  EXPECT_EQ(a.scratchBytes, b.scratchBytes) << a.name;
  if (!a.skeleton) {
    EXPECT_EQ(kir::print(a), kir::print(b));
    return;
  }
  EXPECT_EQ(a.skeleton->shape, b.skeleton->shape) << a.name;
  EXPECT_EQ(a.skeleton->numbers, b.skeleton->numbers) << a.name;
  EXPECT_EQ(a.skeleton->groups, b.skeleton->groups) << a.name;
}

void expectSame(const PlanBuffer& a, const PlanBuffer& b) {
  ASSERT_EQ(a.pack.pieces, b.pack.pieces);
  EXPECT_EQ(a.pack.order, b.pack.order);
  EXPECT_EQ(a.pack.source.bytes(), b.pack.source.bytes());
  ASSERT_EQ(a.data == nullptr, b.data == nullptr);
  if (a.data) {
    EXPECT_EQ(std::memcmp(a.data.get(), b.data.get(), static_cast<size_t>(a.bytes)), 0);
  }
}

void expectSame(const Plan& a, const Plan& b) {
  ASSERT_EQ(print(a), print(b));
  EXPECT_EQ(a.scratchBytes, b.scratchBytes);
  ASSERT_EQ(a.buffers.size(), b.buffers.size());
  for (size_t i = 0; i < a.buffers.size(); ++i) expectSame(a.buffers[i], b.buffers[i]);
  ASSERT_EQ(a.kernels.size(), b.kernels.size());
  for (size_t i = 0; i < a.kernels.size(); ++i) expectSame(a.kernels[i], b.kernels[i]);
  ASSERT_EQ(a.calls.size(), b.calls.size());
  for (size_t i = 0; i < a.calls.size(); ++i) {
    const Call &x = a.calls[i], &y = b.calls[i];
    EXPECT_EQ(x.op, y.op);
    EXPECT_EQ(x.buffers, y.buffers);
    EXPECT_EQ(x.reference.has_value(), y.reference.has_value());
    EXPECT_EQ(x.secondChoice, y.secondChoice);
    EXPECT_EQ(x.flops, y.flops);
    EXPECT_EQ(x.bytes, y.bytes);
    EXPECT_EQ(x.grain, y.grain);
    EXPECT_EQ(x.check, y.check);
    EXPECT_EQ(x.skip, y.skip);
  }
}

void expectSameForAnyThreads(const Graph& graph, const kir::Target& target) {
  for (const ForSizes sizes : {ForSizes::Given, ForSizes::Any})
    for (const Kernels kernels : {Kernels::Whole, Kernels::Outlined}) {
      const auto one = lowerGraph(graph, target, sizes, kernels, {}, 1);
      ASSERT_TRUE(one) << one.error().str();
      for (const int threads : {0, 2, 3, 16}) {
        const auto several = lowerGraph(graph, target, sizes, kernels, {}, threads);
        ASSERT_TRUE(several) << several.error().str();
        expectSame(*one, *several);
      }
    }
}

class SideBySide : public testing::Test {
protected:
  void SetUp() override {
    auto found = targetOf(options_);
    ASSERT_TRUE(found);
    target_ = *std::move(found);
  }

  void expectSameForAnyThreads(Result<std::unique_ptr<Graph>> graph) {
    ASSERT_TRUE(graph) << graph.error().str();
    const auto done = optimize(**graph, options_, target_);
    ASSERT_TRUE(done) << done.error().str();
    lower::expectSameForAnyThreads(**graph, target_);
  }

  CompileOptions options_;
  codegen::Target target_;
};

TEST_F(SideBySide, KnownNetworks) {
  for (const char* name : {"cnn_batchnorm", "cnn_groupnorm", "cnn_1d", "resnet20_cifar",
                           "mobilenet_v2", "shufflenet_v2", "unet"}) {
    SCOPED_TRACE(name);
    expectSameForAnyThreads(zoo::build(name));
  }
}

TEST_F(SideBySide, RandomNetworks) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    expectSameForAnyThreads(fuzz::randomGraph(seed));
  }
}

// Calls that skip others lie between the calls of ops, and count them.
TEST_F(SideBySide, Branches) {
  GraphBuilder g("branches");
  Value* x = g.input("x", {ElemType::F32, {1, 8, 6, 6}, {}});
  Value* w = g.uniform("w", {8, 8, 3, 3}, -0.2, 0.2); // of several convolutions
  const auto conv = [&](std::string_view name, Value* v) {
    return g.op(OpKind::Conv, name, {v, w}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  };
  const auto condition = [&](std::string_view name) {
    return g.input(std::string(name), {ElemType::Bool, {}, {}});
  };
  Value* inner = g.op(OpKind::Select, "inner",
                      {condition("c"), conv("one", x), conv("two", conv("three", x))});
  Value* outer = g.op(OpKind::Select, "outer", {condition("d"), inner, conv("four", x)});
  expectSameForAnyThreads(g.finish(g.op(OpKind::Tanh, "last", {outer}), "y"));
}

} // namespace
} // namespace enfold::lower
