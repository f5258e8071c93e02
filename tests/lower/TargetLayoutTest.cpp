// Graphs whose layouts were made for another target, or by hand: each is refused by name, or
// computes what it means; nothing aborts.
#include "Differential.h"
#include "codegen/TargetInfo.h"
#include "driver/Compiler.h"
#include "ir/ConstantText.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"
#include "lower/Lowering.h"
#include "reference/Reference.h"
#include "zoo/Zoo.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

std::unique_ptr<Graph> parsed(std::string_view text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph) << graph.error().str();
  return graph ? *std::move(graph) : nullptr;
}

codegen::Target nativeTarget() { return *codegen::targetFor("native"); }

/// What is wrong with the graph as it stands; empty if it computes what the reference does.
std::string problemOf(const Graph& graph) {
  std::vector<Tensor> inputs;
  for (const auto& input : graph.inputs()) {
    inputs.emplace_back(input->elem(), input->shape());
    fillRandom(inputs.back(), inputs.size(), -1, 1);
  }
  const auto compiled = compile(graph.clone(), {.pipeline = "none", .passes = {}});
  if (!compiled) return compiled.error().str();
  const auto session = Session::create(compiled->executable, {.threads = 2});
  const auto outputs = (*session)->run(inputs);
  if (!outputs) return outputs.error().str();
  const auto expected = reference::run(graph, inputs);
  for (size_t i = 0; i < outputs->size(); ++i)
    if (!compare((*outputs)[i], (*expected)[i], {}).same()) return "another answer";
  return "";
}

TEST(TargetLayouts, OfAnotherVectorWidthAreRefusedByName) {
  const codegen::Target native = nativeTarget();
  for (const int lanes : {2, 4, 8, 16}) {
    auto graph = zoo::build("cnn_batchnorm", Shape{1, 3, 32, 32});
    ASSERT_TRUE(graph);
    PipelineOptions options;
    options.passes.target = factsOf(native.withLanes(lanes));
    ASSERT_TRUE(runPipeline(**graph, defaultPipeline(), options));
    ASSERT_TRUE(verify(**graph));
    for (const int bytes : {8, 16, 32, 64}) {
      const auto plan = lower::lowerGraph(**graph, native.withLanes(bytes / 4));
      // Of blocks, those of 8 may be half a vector.
      const bool fits = bytes == 4 * lanes || (lanes == 8 && bytes == 64);
      EXPECT_EQ(plan.has_value(), fits) << lanes << " lanes, " << bytes << " bytes";
      if (!plan) {
        EXPECT_NE(plan.error().str().find("conv '/conv1/Conv': no kernel"), std::string::npos)
            << plan.error().str();
      }
    }
  }
}

TEST(TargetLayouts, BlockedInputsAndOutputsAreRefused) {
  const auto taken = parsed("graph @g(%x: f32[1,8,2,2]{c8}) {\n"
                            "  %y = reorder(%x) : f32[1,8,2,2]\n  return %y\n}");
  EXPECT_NE(problemOf(*taken).find("inputs are plain"), std::string::npos);
  const auto given = parsed("graph @g(%x: f32[1,8,2,2]) {\n"
                            "  %y = reorder(%x) {block=8} : f32[1,8,2,2]{c8}\n  return %y\n}");
  EXPECT_NE(problemOf(*given).find("outputs are plain"), std::string::npos);
}

/// Each op between two reorders, its operands and results blocked where `layout` stands.
TEST(TargetLayouts, ByHandAreRefusedOrComputeWhatTheyMean) {
  const int lanes = nativeTarget().lanes(kir::Scalar::F32);
  const char* const ops[] = {
      "relu(%b) : f32[1,20,6,6]LAYOUT",
      "add(%b, %b) : f32[1,20,6,6]LAYOUT",
      "add(%b, %x) : f32[1,20,6,6]LAYOUT",
      "mul(%b, %k) : f32[1,20,6,6]LAYOUT",
      "identity(%b) : f32[1,20,6,6]LAYOUT",
      "max_pool(%b) {kernel_shape=[2,2]} : f32[1,20,5,5]LAYOUT",
      "max_pool(%b) {kernel_shape=[2,2]} epilogue(add(acc, %v)) : f32[1,20,5,5]LAYOUT",
      "lp_pool(%b) {kernel_shape=[2,2]} : f32[1,20,5,5]LAYOUT",
      "conv(%b, %w) : f32[1,20,4,4]LAYOUT",
      "conv(%b, %d) {group=20} : f32[1,20,4,4]LAYOUT",
      "conv_transpose(%b, %w) : f32[1,20,8,8]LAYOUT",
      "global_average_pool(%b) : f32[1,20,1,1]LAYOUT",
      "resize(%b, _, %s) {coordinate_transformation_mode=\"asymmetric\"} : f32[1,20,12,12]LAYOUT",
      "softmax(%b) : f32[1,20,6,6]LAYOUT",
      "concat(%b, %b) {axis=0} : f32[2,20,6,6]LAYOUT",
      "concat(%b, %b) {axis=1} : f32[1,40,6,6]LAYOUT",
      "concat(%b, %x) {axis=0} : f32[2,20,6,6]LAYOUT",
      "slice(%b, %one, %five, %three) : f32[1,20,6,4]LAYOUT",
      "slice(%b, %one, %five, %one) : f32[1,4,6,6]LAYOUT",
      "pad(%b, %p) {mode=\"edge\"} : f32[1,20,8,8]LAYOUT",
      "pad(%b, %p) : f32[1,20,8,8]LAYOUT",
      "transpose(%b) {perm=[0,1,3,2]} : f32[1,20,6,6]LAYOUT",
      "reshape(%b, %size) : f32[1,20,36]LAYOUT",
      "instance_norm(%b, %c, %c) : f32[1,20,6,6]LAYOUT",
      "group_norm(%b, %c, %c) {num_groups=4} : f32[1,20,6,6]LAYOUT",
      "layer_norm(%b, %six) : f32[1,20,6,6]LAYOUT",
      "matmul(%b, %b) : f32[1,20,6,6]LAYOUT",
      "reduce_max(%b, %three) : f32[1,20,6,1]LAYOUT",
      "gather(%b, %one) {axis=2} : f32[1,20,1,6]LAYOUT",
      "gather(%b, %one) {axis=1} : f32[1,1,6,6]LAYOUT",
      "scatter_elements(%b, %i, %u) : f32[1,20,6,6]LAYOUT",
      "cumsum(%b, %one) : f32[1,20,6,6]LAYOUT",
      "lrn(%b) {size=3} : f32[1,20,6,6]LAYOUT",
      "where(%mask, %b, %b) : f32[1,20,6,6]LAYOUT",
      "cast(%b) {to=f64} : f64[1,20,6,6]LAYOUT",
      "greater(%b, %b) : bool[1,20,6,6]LAYOUT",
      "relu(%b) epilogue(cast(acc) {to=i64}) : i64[1,20,6,6]LAYOUT",
      "conv(%b, %w) epilogue(cast(acc) {to=u8}) : u8[1,20,4,4]LAYOUT",
      "max_pool(%b) {kernel_shape=[2,2]} epilogue(cast(acc) {to=bf16}) : bf16[1,20,5,5]LAYOUT",
      "softmax(%b) epilogue(greater(acc, %k)) : bool[1,20,6,6]LAYOUT",
  };
  int refused = 0, computed = 0;
  for (const int block : {4, 8, 16, lanes})
    for (const bool from : {false, true})
      for (const bool to : {false, true})
        for (std::string op : ops) {
          const std::string layout = "{c" + std::to_string(block) + "}";
          std::string type = op.substr(op.find(" : ") + 3);
          type.resize(type.find("LAYOUT"));
          op.replace(op.find("LAYOUT"), 6, to ? layout : "");
          const std::string text =
              "graph @g(%x: f32[1,20,6,6], %mask: bool[1,1,1,1]) {\n"
              "  %w = const f32[20,20,3,3] random(seed=1)\n"
              "  %d = const f32[20,1,3,3] random(seed=2)\n"
              "  %k = const f32[20,1,1] random(seed=3)\n"
              "  %v = const f32[1,1,5,5] random(seed=4)\n"
              "  %c = const f32[20] random(seed=5)\n"
              "  %six = const f32[6] random(seed=6)\n"
              "  %s = const f32[4] [1,1,2,2]\n"
              "  %p = const i64[8] [0,0,1,1,0,0,1,1]\n"
              "  %i = const i64[1,1,1,1] [0]\n"
              "  %u = const f32[1,1,1,1] [3]\n"
              "  %one = const i64[1] [1]\n"
              "  %three = const i64[1] [3]\n"
              "  %five = const i64[1] [5]\n"
              "  %size = const i64[3] [1,20,36]\n" +
              (from ? "  %b = reorder(%x) {block=" + std::to_string(block) + "} : f32[1,20,6,6]" +
                          layout + "\n"
                    : "  %b = abs(%x) : f32[1,20,6,6]\n") +
              "  %o = " + op + "\n" +
              (to ? "  %y = reorder(%o) : " + type + "\n  return %y\n}" : "  return %o\n}");
          SCOPED_TRACE(text);
          const auto graph = parsed(text);
          ASSERT_TRUE(graph);
          const std::string problem = problemOf(*graph);
          if (problem.empty()) {
            ++computed;
            continue;
          }
          ++refused;
          EXPECT_TRUE(from || to) << problem;
          EXPECT_NE(problem.find("no kernel"), std::string::npos) << problem;
        }
  EXPECT_GT(computed, 100);
  EXPECT_GT(refused, 100);
}

/// What only the reference function computes stays plain between ops that are blocked.
TEST(TargetLayouts, OpsForTheReferenceStayPlain) {
  const char* const graphs[] = {
      "graph @nothing(%x: f32[2,0,2,2]) {\n  %w = const f32[3,0,1,1] []\n"
      "  %y = conv(%x, %w) : f32[2,3,2,2]\n  return %y\n}",
      "graph @sizes(%x: f32[1,20,6,6], %n: i64[2]) {\n"
      "  %w = const f32[32,20,3,3] random(seed=1)\n"
      "  %c = conv(%x, %w) : f32[1,32,4,4]\n"
      "  %a, %b = split(%c, %n) {axis=1} : f32[1,16,4,4], f32[1,16,4,4]\n  return %a, %b\n}",
  };
  for (const char* text : graphs) {
    const auto graph = parsed(text);
    const auto compiled = compile(graph->clone(), {.pipeline = "assign-layout", .passes = {}});
    ASSERT_TRUE(compiled) << compiled.error().str();
    EXPECT_EQ(compiled->executable->referenceOps().size(), 1u);
  }
}

} // namespace
} // namespace enfold
