// What `explain` says: every normalization accounted for, errors measured, folds rolled back.
#include "diagnose/BatchNorms.h"
#include "passes/FoldError.h"
#include "tests/hazards/Harness.h"
#include "zoo/Zoo.h"

namespace enfold::hazards {
namespace {

using diagnose::accountOf;
using diagnose::BatchNormAccount;
using diagnose::batchNormsOf;
using diagnose::BatchNormStatus;

/// One normalization of every status.
std::unique_ptr<Graph> everyFate() {
  Net net;
  net.output(net.batchNorm("folded", Linear{}.addTo(net, "conv1")));
  Value* y = net.op(OpKind::Relu, "relu", {Linear{}.addTo(net, "conv2")});
  net.output(net.batchNorm("fused", y));
  net.output(net.batchNorm("alone", net.input({1, 2, 3, 3})));
  net.batchNorm("removed", net.input({1, 2, 3, 3}));
  Value* z = Linear{}.addTo(net, "conv3");
  net.output(net.batchNorm("refused", z));
  net.output(z);
  return net.finish();
}

TEST(Account, EveryBatchNormHasAFate) {
  const auto graph = everyFate();
  const auto names = batchNormsOf(*graph);
  const auto target = codegen::targetFor("native");
  const auto report = optimize(*graph, {}, *target);
  ASSERT_TRUE(report.has_value());
  const auto accounts = accountOf(names, *graph, *report);
  std::map<std::string, BatchNormStatus> statuses;
  for (const BatchNormAccount& account : accounts) statuses[account.name] = account.status;
  const std::map<std::string, BatchNormStatus> expected = {{"folded", BatchNormStatus::Folded},
                                                           {"fused", BatchNormStatus::Fused},
                                                           {"alone", BatchNormStatus::Alone},
                                                           {"removed", BatchNormStatus::Removed},
                                                           {"refused", BatchNormStatus::Alone}};
  EXPECT_EQ(statuses, expected);
  for (const BatchNormAccount& account : accounts) {
    EXPECT_EQ(account.looksFoldable, account.name == "refused") << account.name;
    EXPECT_FALSE(account.detail.empty()) << account.name;
  }
}

TEST(Account, KeptWhenThePassesAreOff) {
  const auto graph = everyFate();
  const auto names = batchNormsOf(*graph);
  const auto target = codegen::targetFor("native");
  const auto report = optimize(*graph, {.pipeline = "eliminate-dead"}, *target);
  ASSERT_TRUE(report.has_value());
  for (const BatchNormAccount& account : accountOf(names, *graph, *report))
    EXPECT_EQ(account.status,
              account.name == "removed" ? BatchNormStatus::Removed : BatchNormStatus::Kept);
}

TEST(Account, NetworksOfTheZooRunNoBatchNorm) {
  for (const zoo::Entry& entry : zoo::entries()) {
    SCOPED_TRACE(entry.name);
    if (!entry.name.starts_with("cnn")) continue; // the small ones
    auto graph = zoo::build(entry.name);
    ASSERT_TRUE(graph.has_value());
    const auto names = batchNormsOf(**graph);
    const auto target = codegen::targetFor("native");
    const auto report = optimize(**graph, {}, *target);
    ASSERT_TRUE(report.has_value());
    const auto accounts = accountOf(names, **graph, *report);
    EXPECT_EQ(accounts.size(), names.size());
    for (const BatchNormAccount& account : accounts) {
      EXPECT_NE(account.status, BatchNormStatus::Kept);
      const bool foldable = !entry.name.ends_with("training_bn");
      EXPECT_EQ(account.status == BatchNormStatus::Folded, foldable) << account.name;
    }
  }
}

TEST(Account, MeasuredErrorsAreBelowTheirBounds) {
  for (const Linear& linear : allLinear()) {
    SCOPED_TRACE(linear.str());
    Net net;
    Value* y = net.batchNorm("bn", linear.addTo(net, "linear"));
    net.output(net.op(OpKind::Relu, "relu", {y}));
    const auto graph = net.finish();
    const auto errors = measureFolds(*graph, defaultPipeline(), {}, randomInputs(*graph));
    ASSERT_TRUE(errors.has_value());
    ASSERT_EQ(errors->size(), 1u);
    const FoldError& error = errors->front();
    // What is compared is rounded to single precision: the sum and the normalization, and the sum
    // of the folded op.
    const double rounding = 4 * 0x1p-24 * (error.scale + 4);
    EXPECT_LE(error.maxAbs, error.bound + rounding);
    EXPECT_GT(error.bound, 0);
  }
}

TEST(Account, ForwardFoldsAreMeasuredToo) {
  Net net;
  Value* x = net.op(OpKind::Relu, "relu", {net.input({1, 4, 6, 6})});
  Value* y = net.op(OpKind::Conv, "conv", {net.batchNorm("bn", x), net.random({4, 4, 3, 3})});
  net.output(y);
  const auto graph = net.finish();
  const auto errors = measureFolds(*graph, defaultPipeline(), {}, randomInputs(*graph));
  ASSERT_TRUE(errors.has_value());
  ASSERT_EQ(errors->size(), 1u);
  EXPECT_EQ(errors->front().value, "conv");
  EXPECT_LE(errors->front().maxAbs, errors->front().bound + 0x1p-20);
}

TEST(Account, FoldsBeyondTheToleranceAreRolledBack) {
  // A shift that cancels against the product: folding costs most of the digits.
  const auto make = [] {
    Net net;
    Value* x = net.input({1, 1, 8, 8});
    Value* w = net.constant(numbers(ElemType::F32, {1, 1, 1, 1}, {1e4}));
    Value* b = net.constant(numbers(ElemType::F32, {1}, {-5e3}));
    Norm norm{numbers(ElemType::F32, {1}, {1.1}), numbers(ElemType::F32, {1}, {0}),
              numbers(ElemType::F32, {1}, {0}), numbers(ElemType::F32, {1}, {1})};
    Value* y = net.batchNorm("coarse", net.op(OpKind::Conv, "conv1", {x, w, b}), norm);
    net.output(y);
    Value* z = net.input({1, 1, 8, 8});
    norm.scale = numbers(ElemType::F32, {1}, {1});
    norm.epsilon = 0;
    Value* one = net.constant(numbers(ElemType::F32, {1, 1, 1, 1}, {1}));
    net.output(net.batchNorm("exact", net.op(OpKind::Conv, "conv2", {z, one}), norm));
    return net.finish();
  };
  const auto exact = check(make(), {.tolerance = 0});
  EXPECT_EQ(exact.statusOf("fold-batchnorm", "coarse"), "refused rolled-back");
  EXPECT_EQ(exact.statusOf("fold-batchnorm", "exact"), "applied folded");
  const auto loose = check(make(), {.tolerance = 1e-3});
  EXPECT_EQ(loose.statusOf("fold-batchnorm", "coarse"), "applied folded");
}

} // namespace
} // namespace enfold::hazards
