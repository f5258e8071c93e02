// Kernels that are disabled compute nothing, and what computes in their place gives the same
// answer.
#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "driver/Settings.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "lower/Families.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

/// Ops of most families, some of them in blocks.
constexpr const char* kEverything = R"(
graph @everything(%x: f32[1,3,20,20]) {
  %w0 = const f32[16,3,3,3] random(seed=1, low=-0.3, high=0.3)
  %w1 = const f32[16,16,3,3] random(seed=2, low=-0.2, high=0.2)
  %w2 = const f32[16,1,3,3] random(seed=3, low=-0.5, high=0.5)
  %w3 = const f32[16,8,1,1] random(seed=4, low=-0.4, high=0.4)
  %w4 = const f32[16,8,2,2] random(seed=5, low=-0.3, high=0.3)
  %w5 = const f32[8,5] random(seed=6, low=-0.3, high=0.3)
  %i = const i64[4] [7,0,3,3]
  %c0 = conv(%x, %w0) {pads=[1,1,1,1]} : f32[1,16,20,20]
  %r0 = relu(%c0) : f32[1,16,20,20]
  %c1 = conv(%r0, %w1) {pads=[1,1,1,1]} : f32[1,16,20,20]
  %a1 = add(%c1, %r0) : f32[1,16,20,20]
  %c2 = conv(%a1, %w2) {pads=[1,1,1,1], group=16} : f32[1,16,20,20]
  %c3 = conv(%c2, %w3) {group=2} : f32[1,16,20,20]
  %p = max_pool(%c3) {kernel_shape=[2,2], strides=[2,2]} : f32[1,16,10,10]
  %t = conv_transpose(%p, %w4) {strides=[2,2]} : f32[1,8,20,20]
  %q = average_pool(%t) {kernel_shape=[2,2], strides=[2,2]} : f32[1,8,10,10]
  %g = global_average_pool(%q) : f32[1,8,1,1]
  %f = flatten(%g) {axis=1} : f32[1,8]
  %s = softmax(%f) {axis=1} : f32[1,8]
  %o = gather(%s, %i) {axis=1} : f32[1,4]
  %m = matmul(%f, %w5) : f32[1,5]
  return %o, %m, %q
}
)";

std::unique_ptr<Graph> everything() {
  auto graph = parseGraph(kEverything);
  EXPECT_TRUE(graph) << graph.error().str();
  return graph ? *std::move(graph) : nullptr;
}

class DisabledKernels : public testing::TestWithParam<std::string_view> {};

TEST_P(DisabledKernels, OthersGiveTheAnswer) {
  std::unique_ptr<Graph> graph = everything();
  ASSERT_TRUE(graph);
  Tensor x(ElemType::F32, graph->inputs()[0]->shape());
  fillRandom(x, 7, -1, 1);
  const auto expected = reference::run(*graph, std::span(&x, 1));
  ASSERT_TRUE(expected) << expected.error().str();

  const CompileOptions options{.disabledKernels = {std::string(GetParam())}};
  const auto target = targetOf(options);
  ASSERT_TRUE(target) << target.error().str();
  const auto report = optimize(*graph, options, *target);
  ASSERT_TRUE(report) << report.error().str();
  for (const auto& op : graph->ops())
    EXPECT_NE(lower::explainChoice(*op, *target).how, GetParam()) << op->describe();

  const auto executable = Executable::build(std::move(graph), *target);
  ASSERT_TRUE(executable) << executable.error().str();
  const auto session = Session::create(*executable, {.threads = 2});
  ASSERT_TRUE(session) << session.error().str();
  const auto results = (*session)->run(std::span(&x, 1));
  ASSERT_TRUE(results) << results.error().str();
  for (size_t i = 0; i < expected->size(); ++i)
    EXPECT_TRUE(diagnose::compare((*results)[i], (*expected)[i]).same()) << i;
}

INSTANTIATE_TEST_SUITE_P(Each, DisabledKernels, testing::ValuesIn(lower::kernelNames()),
                         [](const auto& info) { return std::string(info.param); });

TEST(DisabledKernelNames, AreKnown) {
  const auto target = targetOf({.disabledKernels = {"conv_quantum"}});
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().kind, ErrorKind::Usage);
  EXPECT_NE(target.error().str().find("no kernel is named 'conv_quantum'; there are conv_grouped"),
            std::string::npos);
  Settings settings;
  EXPECT_FALSE(set(settings, "disable-kernel", "conv_quantum"));
  EXPECT_TRUE(set(settings, "disable-kernel", "conv_winograd"));
}

} // namespace
} // namespace enfold
