// Which tensors get codes, and which of them share a scale.
#include "quantize/Plan.h"

#include "Support.h"

namespace enfold::quantize {
namespace {

/// Names of the tensors with codes, those of one scale in brackets: "x, (a b), c".
std::string codesOf(const Graph& graph, const PlanOptions& options = {}) {
  const Plan plan = planOf(graph, options);
  std::string text;
  for (const ScaleGroup& group : plan.groups) {
    std::string names;
    for (const Value* member : group.members) names += (names.empty() ? "" : " ") + member->name();
    text += (text.empty() ? "" : ", ") + (group.members.size() > 1 ? "(" + names + ")" : names);
  }
  return text;
}

std::string codesOf(std::string_view text, const PlanOptions& options = {}) {
  return codesOf(*test::graphOf(text), options);
}

constexpr const char* kChain = R"(graph @g(%x: f32[1,3,8,8]) {
  %w = const f32[4,3,3,3] random(seed=1)
  %v = const f32[4,4,3,3] random(seed=2)
  %a = conv(%x, %w) {pads=[1,1,1,1]} : f32[1,4,8,8]  @"first"
  %b = relu(%a) : f32[1,4,8,8]
  %c = max_pool(%b) {kernel_shape=[2,2], strides=[2,2]} : f32[1,4,4,4]
  %d = conv(%c, %v) {pads=[1,1,1,1]} : f32[1,4,4,4]  @"second"
  %e = softmax(%d) : f32[1,4,4,4]
  return %e
})";

TEST(Plan, RoundsOnceBehindAReluAndSharesTheScaleOfWhatIsMoved) {
  EXPECT_EQ(codesOf(kChain), "x, (b c)");
  EXPECT_EQ(codesOf(kChain, {.quantizeOutputs = true}), "x, (b c), d");
}

TEST(Plan, LeavesLayersInFloat) {
  // What lies in front of the first layer is not moved in codes either.
  const PlanOptions options{.inFloat = {{"first", "excluded"}}};
  EXPECT_EQ(codesOf(kChain, options), "c");
  const auto graph = test::graphOf(kChain);
  const Plan plan = planOf(*graph, options);
  ASSERT_EQ(plan.layers.size(), 2u);
  EXPECT_EQ(plan.layers[0].floatBecause, "excluded");
  EXPECT_TRUE(plan.layers[1].isQuantized());
  EXPECT_EQ(plan.numQuantized(), 1u);
  EXPECT_EQ(codesOf(kChain, {.inFloat = {{"first", "excluded"}, {"d", "excluded"}}}), "");
}

TEST(Plan, GivesSumsScalesOfTheirOwn) {
  EXPECT_EQ(codesOf(R"(graph @g(%x: f32[1,4,8,8]) {
  %w = const f32[4,4,1,1] random(seed=1)
  %a = conv(%x, %w) : f32[1,4,8,8]
  %b = conv(%a, %w) : f32[1,4,8,8]
  %c = add(%a, %b) : f32[1,4,8,8]
  %d = relu(%c) : f32[1,4,8,8]
  %e = global_average_pool(%d) : f32[1,4,1,1]
  %f = conv(%e, %w) : f32[1,4,1,1]
  %g = sigmoid(%f) : f32[1,4,1,1]
  %h = mul(%d, %g) : f32[1,4,8,8]
  %i = conv(%h, %w) : f32[1,4,8,8]
  return %i
})"),
            "x, a, b, d, e, f, g, h");
}

TEST(Plan, RoundsFunctionsOfOneTensorAtTheirEnds) {
  EXPECT_EQ(codesOf(R"(graph @g(%x: f32[1,4,8,8]) {
  %w = const f32[4,4,1,1] random(seed=1)
  %three = const f32[] [3]
  %six = const f32[] [6]
  %zero = const f32[] [0]
  %a = conv(%x, %w) : f32[1,4,8,8]
  %b = add(%a, %three) : f32[1,4,8,8]
  %c = clip(%b, %zero, %six) : f32[1,4,8,8]
  %d = mul(%a, %c) : f32[1,4,8,8]
  %e = div(%d, %six) : f32[1,4,8,8]
  %f = conv(%e, %w) : f32[1,4,8,8]
  return %f
})"),
            "x, a, e");
}

TEST(Plan, SharesConcatenationsWithPartsThatNothingElseReads) {
  EXPECT_EQ(codesOf(R"(graph @g(%x: f32[1,4,8,8]) {
  %w = const f32[4,4,1,1] random(seed=1)
  %v = const f32[4,8,1,1] random(seed=1)
  %a = conv(%x, %w) : f32[1,4,8,8]
  %b = conv(%a, %w) : f32[1,4,8,8]
  %c = concat(%a, %b) {axis=1} : f32[1,8,8,8]
  %d = conv(%c, %v) : f32[1,4,8,8]
  return %d
})"),
            "x, a, (b c)");
}

TEST(Plan, TakesIntegersAsTheyAre) {
  const auto graph = test::graphOf(R"(graph @g(%x: u8[1,4,8,8]) {
  %w = const f32[4,4,1,1] random(seed=1)
  %a = cast(%x) {to=f32} : f32[1,4,8,8]
  %b = conv(%a, %w) : f32[1,4,8,8]
  return %b
})");
  const Plan plan = planOf(*graph, {});
  ASSERT_EQ(plan.groups.size(), 1u);
  EXPECT_EQ(plan.groups[0].known, (Scale{1, 0}));
}

} // namespace
} // namespace enfold::quantize
