// The candidates of convolutions: every one of them gives the answer of the reference, a graph can
// ask for any by name, and tuning chooses among them.
#include "diagnose/Compare.h"
#include "driver/Compiler.h"
#include "ir/Builder.h"
#include "ir/ConstantText.h"
#include "ir/Rewriter.h"
#include "lower/conv/Candidates.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>

namespace enfold {
namespace {

using diagnose::compare;
using diagnose::Comparison;
using diagnose::Tolerance;

struct Layer {
  Shape input;
  int64_t cout, kernel, stride, group = 1;
  std::vector<int64_t> pads;
  int64_t dilation = 1, depth = 0; ///< depth: of the input and the window, which is 3; 0: an image
};

/// A convolution with blocked input and an activation.
std::unique_ptr<Graph> graphOf(const Layer& l) {
  GraphBuilder g("layer");
  const int64_t cin = l.input[1];
  Shape x1 = l.input, one = {cin, cin, 1, 1}, filter = {l.cout, cin / l.group, l.kernel, l.kernel};
  std::vector<int64_t> pads = l.pads, strides(2, l.stride), dilations(2, l.dilation);
  if (l.depth) {
    x1.insert(x1.begin() + 2, l.depth);
    one.push_back(1);
    filter.insert(filter.begin() + 2, 3);
    pads = {1, pads[0], pads[1], 1, pads[2], pads[3]};
    strides.insert(strides.begin(), 1);
    dilations.insert(dilations.begin(), 1);
  }
  Value* x =
      g.op(OpKind::Conv, "stem",
           {g.input("x", {ElemType::F32, x1, {}}), g.uniform("stem.weight", one, -0.3, 0.3)});
  Value* y =
      g.op(OpKind::Conv, "conv",
           {x, g.uniform("weight", filter, -0.2, 0.2), g.uniform("bias", {l.cout}, -1, 1)},
           {{"pads", pads}, {"strides", strides}, {"dilations", dilations}, {"group", l.group}});
  auto graph = g.finish(g.op(OpKind::Relu, "relu", {y}), "y");
  EXPECT_TRUE(graph) << graph.error().str();
  return *std::move(graph);
}

codegen::Target hostTarget() {
  auto target = codegen::hostTarget();
  EXPECT_TRUE(target) << target.error().str();
  return *target;
}

Op* lastConvolution(Graph& graph) {
  Op* last = nullptr;
  for (const auto& op : graph.ops())
    if (op->kind() == OpKind::Conv) last = op.get();
  return last;
}

void setAlgorithm(Graph& graph, const std::string& algorithm) {
  Rewriter rewriter(graph);
  Op* op = lastConvolution(graph);
  ASSERT_TRUE(rewriter.begin("choose", *op));
  rewriter.setAttr(op, "algorithm", algorithm);
}

std::vector<Tensor> inputsOf(const Layer& l) {
  Shape shape = l.input;
  if (l.depth) shape.insert(shape.begin() + 2, l.depth);
  Tensor x(ElemType::F32, shape);
  fillRandom(x, 3, -2, 2);
  return {x};
}

/// An image with one number that is not finite, or huge, gives the same results as without it where
/// they do not depend on it.
void expectOddNumberStays(Session& session, const Graph& graph, std::vector<Tensor> inputs,
                          const Tensor& ordinary, int round) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double odd[] = {std::nan(""), infinity, -infinity, 1e30, -3.4e38};
  std::mt19937_64 random(static_cast<uint64_t>(round));
  inputs[0].setDouble(static_cast<int64_t>(random() % uint64_t(inputs[0].numElements())),
                      odd[round % 5]);
  const auto expected = reference::run(graph, inputs);
  const auto outputs = session.run(inputs);
  ASSERT_TRUE(expected && outputs);
  Tensor apart = outputs->front();
  for (int64_t i = 0; i < apart.numElements(); ++i)
    if (expected->front().asDouble(i) != ordinary.asDouble(i))
      apart.setDouble(i, ordinary.asDouble(i));
  const Comparison comparison = compare(apart, ordinary, Tolerance{});
  EXPECT_TRUE(comparison.same()) << comparison.mismatches << " differ by up to "
                                 << comparison.maxAbs << " that do not depend on it";
}

/// Compiles every candidate of the layer, no two of which have one name; gives how many there are
/// by each kind of algorithm, "direct" or "winograd f4".
std::map<std::string, int> expectAllCandidatesAgree(const Layer& l) {
  std::map<std::string, int> kinds;
  std::set<std::string> names;
  const codegen::Target target = hostTarget();
  const std::vector<Tensor> inputs = inputsOf(l);
  const std::unique_ptr<Graph> layer = graphOf(l);
  const auto expected = reference::run(*layer, inputs);
  EXPECT_TRUE(expected) << expected.error().str();
  std::unique_ptr<Graph> graph = layer->clone();
  EXPECT_TRUE(optimize(*graph, {}, target));
  for (const lower::ConvCandidate& candidate :
       lower::convCandidates(*lastConvolution(*graph), target)) {
    SCOPED_TRACE(candidate.name);
    EXPECT_TRUE(names.insert(candidate.name).second);
    ++kinds[candidate.kind.starts_with("direct") ? "direct" : candidate.kind];
    std::unique_ptr<Graph> one = graph->clone();
    setAlgorithm(*one, candidate.name);
    EXPECT_TRUE(lower::checkAlgorithms(*one, target));
    const auto executable = Executable::build(std::move(one), target);
    EXPECT_TRUE(executable) << executable.error().str();
    // What it is called by is what computes it.
    bool used = false;
    for (const codegen::Step& step : (*executable)->steps())
      used |= step.name.find(candidate.name.substr(
                  0, candidate.name.find(candidate.kind.starts_with("direct") ? " + " : " of "))) !=
              std::string::npos;
    EXPECT_TRUE(used);
    auto session = Session::create(*executable, {.threads = 2});
    const auto outputs = (*session)->run(inputs);
    EXPECT_TRUE(outputs) << outputs.error().str();
    const Comparison comparison = compare(outputs->front(), expected->front(), Tolerance{});
    EXPECT_TRUE(comparison.same())
        << comparison.mismatches << " differ by up to " << comparison.maxAbs;
    expectOddNumberStays(**session, *layer, inputs, expected->front(), kinds[candidate.kind]);
  }
  return kinds;
}

/// Every size of Winograd's tile is among the candidates, so often at least.
void expectEveryTile(std::map<std::string, int> kinds, int atLeast) {
  for (const char* kind : {"winograd f2", "winograd f4", "winograd f6"})
    EXPECT_GE(kinds[kind], atLeast) << kind;
}

TEST(ConvCandidates, AllAgreeWithTheReference) {
  std::mt19937_64 random(5);
  const auto between = [&](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  for (int round = 0; round < 12; ++round) {
    const int64_t kernel = between(1, 4), size = between(5, 21);
    expectAllCandidatesAgree(
        {.input = {between(1, 2), between(9, 40), size, between(5, 21)},
         .cout = between(9, 70),
         .kernel = kernel,
         .stride = between(1, 2),
         .pads = {between(0, 1), between(0, 1), between(0, 1), between(0, 1)}});
  }
  for (const int64_t size : {5, 14, 31}) {
    auto kinds = expectAllCandidatesAgree(
        {.input = {1, 32, size, size}, .cout = 48, .kernel = 3, .stride = 1, .pads = {1, 1, 1, 1}});
    EXPECT_GT(kinds["direct"], 2);
    expectEveryTile(kinds, 2); // fused and staged
  }
}

TEST(ConvCandidates, DilatedWindowsAndVolumes) {
  Layer layer = {
      .input = {2, 28, 13, 17}, .cout = 44, .kernel = 3, .stride = 1, .pads = {2, 1, 2, 3}};
  layer.dilation = 2;
  expectEveryTile(expectAllCandidatesAgree(layer), 2);
  layer.depth = 3;
  expectEveryTile(expectAllCandidatesAgree(layer), 1);
  layer.dilation = 1;
  expectEveryTile(expectAllCandidatesAgree(layer), 1);
}

TEST(ConvCandidates, LargerWindows) {
  for (const int64_t kernel : {5, 7}) {
    const int64_t pad = kernel / 2;
    // As many channels go in as out, so that their blocks are alike on every processor.
    auto kinds = expectAllCandidatesAgree({.input = {2, 28, 13, 17},
                                           .cout = 28,
                                           .kernel = kernel,
                                           .stride = 1,
                                           .pads = {pad, 1, pad, pad}});
    EXPECT_GE(kinds["winograd f2"], 2);
    if (kernel == 5) {
      EXPECT_GE(kinds["winograd f4"], 2);
    }
  }
}

TEST(ConvCandidates, GroupsInSeveralRuns) {
  expectAllCandidatesAgree({.input = {1, 60, 9, 9},
                            .cout = 60,
                            .kernel = 3,
                            .stride = 1,
                            .group = 3,
                            .pads = {1, 1, 1, 1}});
}

TEST(ConvCandidates, ChannelsOfTheirOwnHaveOneKernel) {
  const auto kinds = expectAllCandidatesAgree({.input = {1, 40, 9, 11},
                                               .cout = 40,
                                               .kernel = 3,
                                               .stride = 1,
                                               .group = 40,
                                               .pads = {1, 0, 1, 1}});
  EXPECT_EQ(kinds, (std::map<std::string, int>{{"depthwise", 1}}));
}

TEST(ConvCandidates, OthersAreRefusedWithAList) {
  const codegen::Target target = hostTarget();
  const Layer layer = {
      .input = {1, 16, 8, 8}, .cout = 16, .kernel = 5, .stride = 2, .pads = {2, 2, 2, 2}};
  std::unique_ptr<Graph> graph = graphOf(layer);
  ASSERT_TRUE(optimize(*graph, {}, target));
  setAlgorithm(*graph, "winograd f4");
  const auto checked = lower::checkAlgorithms(*graph, target);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::Unsupported);
  const std::string text = checked.error().str();
  EXPECT_NE(text.find("has no algorithm 'winograd f4' on this target, only: auto, direct, direct "),
            std::string::npos)
      << text;
}

TEST(Tune, ChoosesAmongTheWaysAndKeepsTheAnswer) {
  const codegen::Target target = hostTarget();
  const Layer layer = {
      .input = {1, 32, 14, 14}, .cout = 64, .kernel = 3, .stride = 1, .pads = {1, 1, 1, 1}};
  std::unique_ptr<Graph> graph = graphOf(layer);
  const auto inputs = inputsOf(layer);
  const auto expected = reference::run(*graph, inputs);
  ASSERT_TRUE(expected);
  ASSERT_TRUE(optimize(*graph, {}, target));
  std::vector<std::string> names = {"auto"};
  for (const lower::ConvCandidate& candidate :
       lower::convCandidates(*lastConvolution(*graph), target))
    names.push_back(candidate.name);

  int shown = 0;
  TuneReport report;
  const TuneOptions options = {.threads = 1,
                               .progress =
                                   [&](int round, int rounds) {
                                     EXPECT_EQ(round, ++shown);
                                     EXPECT_LE(round, rounds);
                                   },
                               .done = [&](const TuneReport& r) { report = r; }};
  const auto tuned = tuneAlgorithms(*graph, target, options);
  ASSERT_TRUE(tuned) << tuned.error().str();
  EXPECT_GT(shown, 3);
  EXPECT_EQ(report.convolutions, 2);
  EXPECT_LE(report.tunedSeconds, report.estimatedSeconds);
  EXPECT_GT(report.tunedSeconds, 0);
  const std::string algorithm = lastConvolution(*graph)->string("algorithm");
  EXPECT_NE(std::ranges::find(names, algorithm), names.end()) << algorithm;

  const auto executable = Executable::build(std::move(graph), target);
  ASSERT_TRUE(executable) << executable.error().str();
  auto session = Session::create(*executable, {.threads = 1});
  const auto outputs = (*session)->run(inputs);
  ASSERT_TRUE(outputs);
  EXPECT_TRUE(compare(outputs->front(), expected->front(), Tolerance{}).same());
}

TEST(Tune, StrictAccuracyStaysDirect) {
  const codegen::Target target = hostTarget();
  const Layer layer = {
      .input = {1, 32, 14, 14}, .cout = 64, .kernel = 3, .stride = 1, .pads = {1, 1, 1, 1}};
  std::unique_ptr<Graph> graph = graphOf(layer);
  CompileOptions options;
  options.passes.passes.accuracy = Accuracy::Strict;
  options.tune = TuneOptions{.threads = 1};
  ASSERT_TRUE(optimize(*graph, options, target));
  EXPECT_TRUE(lastConvolution(*graph)->string("algorithm").starts_with("direct"));
}

} // namespace
} // namespace enfold
