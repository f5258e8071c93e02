// The search for a wrong rewrite finds one made on purpose among many right ones.
#include "diagnose/Bisect.h"

#include "passes/FoldError.h"
#include "reference/Reference.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold::diagnose {
namespace {

/// A pass that forgets one activation in the middle of the network.
Result<> loseActivation(PassContext& context) {
  std::vector<Op*> activations;
  for (const auto& op : context.graph().ops())
    if (op->kind() == OpKind::Relu) activations.push_back(op.get());
  Op& op = *activations[activations.size() / 2];
  if (!context.begin(op)) return {};
  context.applied(Reason::Removed, op, "by mistake");
  context.rewriter().replace(op.result(), op.own(0));
  context.rewriter().erase(&op);
  return {};
}

constexpr PassInfo kBroken = {"lose-activation", loseActivation, PassKind::Other, Layouts::Any,
                              "wrong on purpose"};

struct Case {
  std::unique_ptr<Graph> model;
  std::vector<Tensor> inputs;
  codegen::Target target;

  static Case of(const std::string& network, Shape input) {
    auto model = zoo::build(network, std::move(input));
    EXPECT_TRUE(model.has_value());
    Case c{std::move(*model), {}, codegen::targetFor("native").value()};
    c.inputs = sampleInputs(*c.model);
    return c;
  }
  BisectProblem problem(Pipeline pipeline) const {
    return {.model = *model,
            .pipeline = std::move(pipeline),
            .passes = {},
            .target = target,
            .inputs = inputs,
            .expected = reference::run(*model, inputs).value()};
  }
};

TEST(Bisect, FindsTheBrokenRewriteAmongManyOthers) {
  const Case c = Case::of("resnet18", {1, 3, 32, 32});
  Pipeline pipeline = defaultPipeline();
  // Behind the folds, which repeat, in front of what fuses the activations.
  const auto folds = std::ranges::find(pipeline.steps, true, &PipelineStep::repeat);
  ASSERT_NE(folds, pipeline.steps.end());
  pipeline.steps.insert(folds + 1, {{&kBroken}});
  const auto found = bisect(c.problem(pipeline));
  ASSERT_TRUE(found.has_value()) << found.error().str();
  ASSERT_EQ(found->status, BisectStatus::WrongRewrite);
  EXPECT_EQ(found->pass, "lose-activation");
  ASSERT_TRUE(found->remark.has_value());
  EXPECT_EQ(found->remark->message, "by mistake");
  EXPECT_TRUE(found->wrongByReference);
  EXPECT_EQ(found->after.rewrites, found->before.rewrites + 1);
  EXPECT_FALSE(found->before.wrong);
  // It is neither the first rewrite nor the last, and there are many.
  EXPECT_GT(found->before.rewrites, 10);
  EXPECT_LT(found->after.rewrites, found->total - 10);
  EXPECT_GT(found->total, 40);
  EXPECT_LT(found->tries, 12);

  // What it changed stands alone: the one activation, between its operand and its reader.
  const auto part = changedPart(*found->before.graph, *found->after.graph);
  ASSERT_NE(part, nullptr);
  int activations = 0;
  for (const auto& op : part->ops()) activations += op->kind() == OpKind::Relu;
  EXPECT_GE(activations, 1);
  EXPECT_LT(part->numOps(), 12u);
  std::vector<Tensor> inputs = sampleInputs(*part);
  for (Tensor& input : inputs)
    for (int64_t i = 0; i < input.numElements(); ++i) input.setDouble(i, input.asDouble(i) - 0.5);
  const BisectProblem alone{.model = *part,
                            .pipeline = {{{{&kBroken}}}},
                            .passes = {},
                            .target = c.target,
                            .inputs = inputs,
                            .expected = reference::run(*part, inputs).value()};
  const auto again = tryRewrites(alone, 1);
  ASSERT_TRUE(again.has_value()) << again.error().str();
  EXPECT_TRUE(again->wrong);
}

TEST(Bisect, FindsNothingWhereNothingIsWrong) {
  const Case c = Case::of("resnet18", {1, 3, 32, 32});
  const auto found = bisect(c.problem(defaultPipeline()));
  ASSERT_TRUE(found.has_value()) << found.error().str();
  EXPECT_EQ(found->status, BisectStatus::Right);
  EXPECT_EQ(found->tries, 1);
}

TEST(Bisect, TellsWhenNoRewriteIsToBlame) {
  const Case c = Case::of("resnet18", {1, 3, 32, 32});
  BisectProblem problem = c.problem(defaultPipeline());
  problem.expected[0].setDouble(0, 1e6);
  const auto found = bisect(problem);
  ASSERT_TRUE(found.has_value()) << found.error().str();
  EXPECT_EQ(found->status, BisectStatus::WrongAnyway);
}

} // namespace
} // namespace enfold::diagnose
