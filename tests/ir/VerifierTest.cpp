// What the verifier refuses, rule by rule, on graphs that were broken on purpose.
#include "ir/Verifier.h"

#include "ir/Parser.h"
#include "ir/Rewriter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>

namespace enfold {
namespace {

/// Every op takes and gives what it must; the changes below break one thing each.
constexpr std::string_view kSound = R"(graph @g(%x: f32[1,16,4,4], %n: i64[1]) {
  %w = const f32[16,16,1,1] random(seed=1)
  %k = const f32[16,1,1] random(seed=2)
  %c = conv(%x, %w) epilogue(add(acc, %k), relu(acc)) : f32[1,16,4,4]
  %r = relu(%c) : f32[1,16,4,4]
  %b = reorder(%r) {block=8} : f32[1,16,4,4]{c8}
  %d = abs(%b) : f32[1,16,4,4]{c8}
  %e = reorder(%d) : f32[1,16,4,4]
  %p = max_pool(%e) {kernel_shape=[2,2]} : f32[1,16,3,3]
  %t = topk(%w, %n) {axis=0} : f32[2,16,1,1]
  return %p, %t
})";

std::unique_ptr<Graph> sound() {
  auto graph = parseGraph(kSound);
  EXPECT_TRUE(graph) << graph.error().str();
  return std::move(*graph);
}

/// A graph under the knife.
struct Patient {
  Graph& graph;
  Rewriter rewriter{graph};

  explicit Patient(Graph& graph) : graph(graph) {
    EXPECT_TRUE(rewriter.begin("break", *graph.ops().front()));
  }
  Value* value(std::string_view name) const { return graph.find(name); }
  Op* op(std::string_view name) const { return value(name)->producer(); }
};

struct Breach {
  const char* name;
  std::function<void(Patient&)> commit;
  std::string_view says;
};

void PrintTo(const Breach& breach, std::ostream* out) { *out << breach.name; }

class Breaches : public testing::TestWithParam<Breach> {};

TEST_P(Breaches, AreRefused) {
  const auto graph = sound();
  ASSERT_TRUE(verify(*graph)) << verify(*graph).error().str();
  Patient patient(*graph);
  GetParam().commit(patient);
  const auto valid = verify(*graph);
  ASSERT_FALSE(valid);
  EXPECT_NE(valid.error().str().find(GetParam().says), std::string::npos) << valid.error().str();
}

const Breach kBreaches[] = {
    {"Order", [](Patient& p) { p.rewriter.moveBefore(p.op("r"), p.op("c")); },
     "%c is used before it is defined"},
    {"OperandType", [](Patient& p) { p.rewriter.setOperand(p.op("r"), 0, p.value("p")); },
     "%p is used before it is defined"},
    {"OperandMissing", [](Patient& p) { p.rewriter.setOperand(p.op("p"), 0, nullptr); },
     "operand 'x' is missing"},
    {"OperandMissingBeforeAnEpilogue",
     [](Patient& p) { p.rewriter.setOperand(p.op("c"), 1, nullptr); }, "operand 'w' is missing"},
    {"ResultType", [](Patient& p) { p.rewriter.setOperand(p.op("r"), 0, p.value("w")); },
     "%r is f32[1,16,4,4] but the op gives f32[16,16,1,1]"},
    {"InferenceFails", [](Patient& p) { p.rewriter.setOperand(p.op("c"), 1, p.value("x")); },
     "conv"},
    {"AttributeMissing", [](Patient& p) { p.rewriter.removeAttr(p.op("p"), "kernel_shape"); },
     "'kernel_shape' is missing"},
    {"EpilogueOperand", [](Patient& p) { p.rewriter.setOperand(p.op("c"), 2, p.value("w")); },
     "epilogue step add makes [16,16,4,4] of [1,16,4,4]"},
    {"BlockedOutput", [](Patient& p) { p.rewriter.setLayout(p.value("p"), {8}); },
     "outputs are plain"},
    {"BlockedInput", [](Patient& p) { p.rewriter.setLayout(p.value("x"), {8}); },
     "inputs are plain"},
    {"BlockedList", [](Patient& p) { p.rewriter.setLayout(p.value("n"), {8}); },
     "no channels to block"},
    {"BlockedConstant", [](Patient& p) { p.rewriter.setLayout(p.value("w"), {8}); },
     "constants are plain"},
    {"ReorderOfAnotherBlock",
     [](Patient& p) { p.rewriter.setAttr(p.op("b"), "block", int64_t{4}); }, "gives blocks of 4"},
    {"ReorderToPlainThatIsBlocked", [](Patient& p) { p.rewriter.setLayout(p.value("e"), {8}); },
     "gives blocks of 0"},
    {"TwoBlocks", [](Patient& p) { p.rewriter.setLayout(p.value("d"), {4}); },
     "in blocks of 8 and of 4"},
    {"DataDependentType", [](Patient& p) { p.rewriter.setAttr(p.op("t"), "axis", int64_t{1}); },
     "never gives"},
};

INSTANTIATE_TEST_SUITE_P(Verifier, Breaches, testing::ValuesIn(kBreaches),
                         [](const auto& info) { return info.param.name; });

TEST(Verifier, ConvolutionsMayChangeTheBlock) {
  const auto errorOf = [](const char* sum) {
    const auto graph = parseGraph(fmt::format(R"(graph @g(%x: f32[1,16,4,4]) {{
  %w = const f32[24,16,1,1] random(seed=1)
  %b = reorder(%x) {{block=16}} : f32[1,16,4,4]{{c16}}
  %c = conv(%b, %w) : f32[1,24,4,4]{{c8}}
  %d = {}
  %y = reorder(%d) : f32[1,24,4,4]
  return %y
}}
)",
                                              sum));
    EXPECT_TRUE(graph) << graph.error().str();
    const auto valid = graph ? verify(**graph) : Result<>();
    return valid ? "" : valid.error().str();
  };
  EXPECT_EQ(errorOf("add(%c, %c) : f32[1,24,4,4]{c8}"), "");
  EXPECT_EQ(errorOf("conv(%b, %w) epilogue(add(acc, %c)) : f32[1,24,4,4]{c8}"), "");
  // What is added comes in the result's blocks.
  EXPECT_NE(
      errorOf("conv(%b, %w) epilogue(add(acc, %c)) : f32[1,24,4,4]{c16}").find("of 8 and of 16"),
      std::string::npos);
  EXPECT_NE(errorOf("add(%c, %c) : f32[1,24,4,4]{c16}").find("of 8 and of 16"), std::string::npos);
}

TEST(Verifier, EpiloguesAreRefused) {
  const auto errorOf = [](std::vector<EpilogueStep> steps, bool extra) {
    Graph graph;
    Value* x = graph.addInput("x", {ElemType::F32, {1, 2, 3, 3}, {}});
    OpSpec spec{.kind = OpKind::GlobalMaxPool, .operands = {x}, .epilogue = std::move(steps)};
    spec.resultTypes = {{ElemType::F32, {1, 2, 1, 1}, {}}};
    if (extra) spec.epilogueOperands = {x};
    const auto op = graph.create(std::move(spec));
    if (!op) return op.error().str();
    graph.addOutput((*op)->result(), "y");
    const auto valid = verify(graph);
    return valid ? std::string() : valid.error().str();
  };
  constexpr int kAcc = EpilogueStep::kAccumulator;
  EXPECT_EQ(errorOf({{OpKind::Relu, {}, {kAcc}}}, false), "");
  EXPECT_NE(errorOf({{OpKind::Relu, {}, {1}}}, true).find("ignores an operand"), std::string::npos);
  const EpilogueStep converts{OpKind::Relu, {}, {1}}, adds{OpKind::Max, {}, {kAcc, 1}};
  EXPECT_NE(errorOf({converts, {OpKind::Relu, {}, {kAcc}}}, true).find("converted elsewhere"),
            std::string::npos);
  EXPECT_NE(errorOf({converts, adds}, true).find("makes [1,2,3,3] of [1,2,1,1]"),
            std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Max, {}, {1, 1}}}, true).find("read twice"), std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Max, {}, {1, kAcc, 1}}, converts}, true).find("makes"),
            std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Add, {}, {kAcc, 5}}}, false).find("out of range"), std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Add, {}, {kAcc, 1}}}, true).find("makes [1,2,3,3] of [1,2,1,1]"),
            std::string::npos);
  EXPECT_NE(errorOf({}, true).find("operands of no epilogue"), std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Add, {}, {kAcc}}}, false).find("lacks its operand"),
            std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Relu, {}, {kAcc, kAcc}}}, false).find("at most 1 operands"),
            std::string::npos);
  EXPECT_NE(errorOf({{OpKind::Cast, {}, {kAcc}}}, false).find("lacks its attribute 'to'"),
            std::string::npos);
  EXPECT_NE(errorOf({{OpKind::IsNaN, {}, {kAcc}}}, false).find("gives bool[1,2,1,1], not f32"),
            std::string::npos);
}

TEST(Verifier, WhatNoModelHoldsIsRefusedAfterImport) {
  const auto errorOf = [](std::string_view text) {
    const auto graph = parseGraph(text);
    EXPECT_TRUE(graph) << graph.error().str();
    EXPECT_TRUE(verify(**graph));
    const auto imported = verify(**graph, GraphStage::Imported);
    return imported ? std::string() : imported.error().str();
  };
  EXPECT_EQ(errorOf("graph @g(%x: f32[1,8,4,4]) {\n %y = relu(%x) : f32[1,8,4,4]\n return %y\n}"),
            "");
  const std::string all = errorOf(kSound);
  for (const std::string_view rule :
       {"no model holds one", "an op that no model holds", "no model holds such tensors"})
    EXPECT_NE(all.find(rule), std::string::npos) << all;
  EXPECT_NE(errorOf("graph @g(%x: f32[1,8,4,4]) {\n %w = const f32[8,8,1,1] splat(1)\n"
                    " %y = conv(%x, %w) {algorithm=\"direct\"} : f32[1,8,4,4]\n return %y\n}")
                .find("'algorithm' is none of a model"),
            std::string::npos);
}

TEST(Verifier, TypesThatDependOnDataMustBePossible) {
  struct Case {
    std::string_view op, possible, impossible;
  };
  const Case cases[] = {
      {"reshape(%x, %s)", "f32[6,4]", "f32[5,5]"},
      {"reshape(%x, %s)", "f32[24]", "i32[24]"},
      {"expand(%x, %s)", "f32[7,2,3,4]", "f32[2,3,8]"},
      {"tile(%x, %s)", "f32[4,3,4]", "f32[3,3,4]"},
      {"slice(%x, %s, %s)", "f32[0,3,4]", "f32[2,3,5]"},
      {"pad(%x, %s)", "f32[9,9,9]", "f32[9,9]"},
      {"topk(%x, %s)", "f32[2,3,1], i64[2,3,1]", "f32[2,3,5], i64[2,3,5]"},
      {"topk(%x, %s)", "f32[2,3,1], i64[2,3,1]", "f32[2,3,1], i64[2,3,2]"},
      {"split(%x, %s)", "f32[0,3,4], f32[2,3,4]", "f32[1,3,4], f32[2,3,4]"},
      {"one_hot(%s, %s, %x)", "f32[2,7]", "f32[3,7]"},
      {"constant_of_shape(%s)", "f32[8]", "i64[8]"},
      {"range(%s, %s, %s)", "i64[5]", "i64[5,1]"},
      {"reduce_sum(%x, %s)", "f32[2,1,4]", "f32[2,2,4]"},
      {"reduce_sum(%x, %s) {keepdims=0}", "f32[2,4]", "f32[4,2]"},
      {"squeeze(%x, %s)", "f32[24]", "f32[12]"},
      {"unsqueeze(%x, %s)", "f32[2,3,1,4]", "f32[2,3,2,4]"},
      {"non_max_suppression(%x, %x, %s)", "i64[4,3]", "i64[4,4]"},
      {"resize(%x, _, _, %s)", "f32[1,1,1]", "f32[1,1]"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.op));
    const auto parse = [&](std::string_view types) {
      const bool two = types.find("], ") != std::string_view::npos;
      std::string text = "graph @g(%x: f32[2,3,4], %s: i64[2]) {\n %y";
      text += two ? ", %z = " : " = ";
      text += std::string(c.op) + " : " + std::string(types) + "\n return %y\n}";
      return parseGraph(text);
    };
    const auto possible = parse(c.possible);
    EXPECT_TRUE(possible) << possible.error().str();
    const auto impossible = parse(c.impossible);
    ASSERT_FALSE(impossible);
    EXPECT_NE(impossible.error().str().find("never gives"), std::string::npos)
        << impossible.error().str();
  }
}

TEST(Inference, AxesNamedTwiceAreRefused) {
  const auto errorOf = [](std::string_view op) {
    const auto graph = parseGraph("graph @g(%x: f32[4,4]) {\n %a = const i64[2] [1,-1]\n"
                                  " %two = const i64[2] [1,1]\n %four = const i64[4] [1,1,1,1]\n"
                                  " %y = " +
                                  std::string(op) + "\n return %y\n}");
    return graph ? std::string() : graph.error().str();
  };
  EXPECT_NE(errorOf("pad(%x, %four, _, %a) : f32[4,8]").find("named twice"), std::string::npos);
  EXPECT_NE(errorOf("slice(%x, %two, %two, %a) : f32[4,0]").find("named twice"), std::string::npos);
}

} // namespace
} // namespace enfold
