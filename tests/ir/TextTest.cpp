// The text form: what is printed parses back to the same graph, and errors say where.
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Steps.h"
#include "ir/Verifier.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace enfold {
namespace {

std::unique_ptr<Graph> parsed(std::string_view text) {
  auto graph = parseGraph(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().str();
  if (!graph) return nullptr;
  auto valid = verify(**graph);
  EXPECT_TRUE(valid.has_value()) << valid.error().str();
  return std::move(*graph);
}

void expectRoundTrip(std::string_view text) {
  const auto graph = parsed(text);
  ASSERT_NE(graph, nullptr);
  const PrintOptions hex{.constants = PrintOptions::Constants::Hex};
  const std::string once = print(*graph, hex);
  const auto again = parsed(once);
  ASSERT_NE(again, nullptr);
  EXPECT_TRUE(graph->structurallyEquals(*again)) << once;
  EXPECT_EQ(once, print(*again, hex));
  EXPECT_TRUE(graph->structurallyEquals(*graph->clone()));
}

std::string errorOf(std::string_view text) {
  auto graph = parseGraph(text);
  return graph ? "" : graph.error().str();
}

TEST(Text, RoundTripsOpsAttributesAndEpilogues) {
  expectRoundTrip(R"(graph @"two words"(%x: f32[1,4,6,6], %"odd name:0": f32[1,8,6,6]) {
    %w = const f32[8,4,3,3] random(seed=7, low=-0.5, high=0.5)  @"conv.weight"
    %b = const f32[8] [0.1,-0.0,1e-30,inf,-inf,3.0,16777216.0,1.1754944e-38]
    %s = const f32[8,1,1] splat(0.25)
    %top = const f32[] [6.0]
    %y = conv(%x, %w, %b) {pads=[1,1,1,1]} epilogue(mul(acc, %s), add(%"odd name:0", acc), leaky_relu(acc) {alpha=0.1}) : f32[1,8,6,6]  @"/Conv", "/a \"b\" \\ c"
    %p, %i = max_pool(%y) {kernel_shape=[2,2], strides=[2,2]} : f32[1,8,3,3], i64[1,8,3,3]
    %c = clip(%p, _, %top) : f32[1,8,3,3]
    return %c as "out", %i, %c
  })");
}

TEST(Text, RoundTripsEpiloguesThatChangeTheElementType) {
  constexpr std::string_view kText =
      R"(graph @g(%x: f32[1,4,6,6], %r: f32[1,8,6,6], %sizes: i64[4]) {
    %w = const f32[8,4,1,1] splat(2)
    %s = const f32[8,1,1] splat(0.25)
    %y = conv(%x, %w) epilogue(cast(acc) {to=i32}, cast(acc) {to=f32}, mul(acc, %s), add(%r, acc), cast(acc) {to=u8}) : u8[1,8,6,6]
    %m = relu(%r) epilogue(greater(acc, %s), where(acc, %y, %y)) : u8[1,8,6,6]
    %z = resize(%r, _, _, %sizes) epilogue(cast(acc) {to=bf16}, cast(acc) {to=bool}, not(acc)) : bool[1,8,9,9]
    return %m, %z
  })";
  expectRoundTrip(kText);
  const auto graph = parsed(kText);
  ASSERT_NE(graph, nullptr);
  const auto typesOf = [&](std::string_view name) {
    const Op& op = *graph->find(name)->producer();
    std::vector<ElemType> elems = {op.ownElem()};
    for (size_t i = 0; i < op.epilogue().size(); ++i) elems.push_back(op.elemBehind(i));
    return elems;
  };
  using enum ElemType;
  EXPECT_EQ(typesOf("y"), (std::vector{F32, I32, F32, F32, F32, U8}));
  EXPECT_EQ(typesOf("m"), (std::vector{F32, Bool, U8}));
  EXPECT_EQ(typesOf("z"), (std::vector{F32, BF16, Bool, Bool}));
}

TEST(Text, RoundTripsEpiloguesThatConvertOperands) {
  constexpr std::string_view kText =
      R"(graph @g(%x: f32[1,4,6,6], %r: u8[1,4,6,6], %q: i8[1,4,6,6]) {
    %z = const f32[] [3]
    %s = const f32[4,1,1] splat(0.25)
    %y = relu(%x) epilogue(add(acc, mul(sub(cast(%r) {to=f32}, %z), %s)), where(greater(cast(%q) {to=f32}, %z), acc, cast(%r) {to=f32}), div(acc, %s), round(acc), cast(acc) {to=u8}) : u8[1,4,6,6]
    return %y
  })";
  expectRoundTrip(kText);
  const auto graph = parsed(kText);
  ASSERT_NE(graph, nullptr);
  using enum ElemType;
  EXPECT_EQ(elemsBehindSteps(*graph->find("y")->producer()),
            (std::vector{F32, F32, F32, F32, F32, Bool, F32, F32, F32, F32, U8}));
}

TEST(Text, EpiloguesAreChecked) {
  const auto errorIn = [](std::string_view epilogue, std::string_view type) {
    return errorOf("graph @g(%x: f32[2,3], %b: f32[4,2,3], %i: i32[3]) {\n%y = relu(%x) epilogue(" +
                   std::string(epilogue) + ") : " + std::string(type) + "\nreturn %y }");
  };
  EXPECT_EQ(errorIn("add(acc, %i)", "f32[2,3]"),
            "2:10: add of f32 and i32: the element types must agree");
  EXPECT_EQ(errorIn("cast(acc) {to=i32}, sqrt(acc)", "i32[2,3]"),
            "2:10: sqrt is not defined for i32");
  EXPECT_EQ(errorIn("cast(acc) {to=u8}", "f32[2,3]"), "2:10: relu gives u8[2,3], not f32[2,3]");
  EXPECT_EQ(errorIn("add(acc, %b)", "f32[2,3]"), "2:10: epilogue step add makes [4,2,3] of [2,3]");
  EXPECT_EQ(errorIn("add(%x, %x)", "f32[2,3]"), "2:24: epilogue step add ignores the accumulator");
  EXPECT_EQ(errorIn("add(acc, relu(acc))", "f32[2,3]"), "2:42: relu does not convert an operand");
  EXPECT_EQ(errorIn("add(acc, softmax(%x))", "f32[2,3]"),
            "2:10: softmax cannot be an epilogue step");
  EXPECT_EQ(errorIn("add(acc, add(%i, %i))", "f32[2,3]"),
            "2:10: add of f32 and i32: the element types must agree");
  std::string deep = "%x";
  for (int i = 0; i < 1000; ++i) deep = "relu(" + deep + ")";
  EXPECT_NE(errorIn("add(acc, " + deep + ")", "f32[2,3]").find("nest too deeply"),
            std::string::npos);
  EXPECT_EQ(errorIn("add(acc)", "f32[2,3]"), "2:10: add lacks its operand 'b'");
  EXPECT_EQ(errorIn("cast(acc)", "f32[2,3]"), "2:10: cast lacks its attribute 'to'");
  EXPECT_EQ(errorIn("softmax(acc)", "f32[2,3]"), "2:10: softmax cannot be an epilogue step");
}

TEST(Text, RoundTripsEveryElementType) {
  for (const ElemTypeInfo& type : elemTypes()) {
    const std::string values = type.cls == ElemClass::Bool ? "[true,false]" : "[1,0]";
    const std::string constant = type.cls == ElemClass::Complex
                                     ? "data(\"" + std::string(4 * type.bytes, '0') + "\")"
                                     : values;
    expectRoundTrip("graph @g() {\n %c = const " + std::string(type.name) + "[2] " + constant +
                    "\n %big = const " + std::string(type.name) + "[5,5] data(\"" +
                    std::string(50 * type.bytes, '0') + "\")\n return %c, %big\n}");
  }
}

TEST(Text, RoundTripsBlockedLayouts) {
  expectRoundTrip(R"(graph @g(%x: f32[2,8,3,3]) {
    %b = reorder(%x) {block=8} : f32[2,8,3,3]{c8}
    %r = relu(%b) : f32[2,8,3,3]{c8}
    %y = reorder(%r) : f32[2,8,3,3]
    return %y
  })");
}

TEST(Text, ErrorsSayWhereAndWhat) {
  EXPECT_EQ(errorOf("graph"), "1:6: expected '@'");
  EXPECT_EQ(errorOf("graph @g() {\n  %y = relu(%x) : f32[1]\n return %y }"),
            "2:14: %x is not defined before here");
  EXPECT_EQ(errorOf("graph @g(%x: f32[1]) {\n  %y = frob(%x) : f32[1]\n return %y }"),
            "2:8: unknown op 'frob'");
  EXPECT_EQ(errorOf("graph @g(%x: f32[2]) {\n  %y = relu(%x) : f32[3]\n return %y }"),
            "2:12: relu gives f32[2], not f32[3]");
  EXPECT_EQ(errorOf("graph @g(%x: f32[-2]) { return %x }"),
            "1:21: shape [-2] has a negative dimension");
  EXPECT_EQ(errorOf("graph @g(%x: f32[1]) { %x = relu(%x) : f32[1] return %x }"),
            "1:25: %x is defined twice");
  EXPECT_EQ(errorOf("graph @g() { %c = const i8[2] [1,300] return %c }"),
            "1:34: '300' is not a valid i8");
  EXPECT_EQ(errorOf("graph @g() { %c = const f32[9,9] elided(12) return %c }"),
            "1:34: the constant's value was left out of this text, so it can only be viewed");
  EXPECT_EQ(errorOf("graph @g() { %c = const f32[9,9] file(\"../x\", 0) return %c }"),
            "1:48: this text must not refer to files");
}

TEST(Text, NeverCrashesOnBrokenText) {
  const std::string good = R"(graph @g(%x: f32[1,4,6,6]) {
    %w = const f32[8,4,3,3] random(seed=7)  @"w"
    %y = conv(%x, %w, _) {pads=[1,1,1,1]} epilogue(relu(acc)) : f32[1,8,6,6]  @"c"
    return %y as "o"
  })";
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(parseGraph(good.substr(0, cut)).has_value());
    for (char c : {'}', '(', '-', '9', '"', '\0'}) {
      std::string text = good;
      text[cut] = c;
      (void)parseGraph(text);
    }
  }
}

TEST(Text, FilesStayInsideTheFolder) {
  const auto folder = std::filesystem::temp_directory_path() / "enfold-text-test";
  std::filesystem::create_directories(folder / "inner");
  std::ofstream(folder / "secret.bin") << "12345678";
  std::ofstream(folder / "inner" / "w.bin") << "12345678";
  const auto read = [&](std::string_view name, int offset) {
    return parseGraph("graph @g() { %c = const u8[4] file(\"" + std::string(name) + "\", " +
                          std::to_string(offset) + ") return %c }",
                      {.folder = folder / "inner"})
        .has_value();
  };
  EXPECT_TRUE(read("w.bin", 4));
  EXPECT_FALSE(read("w.bin", 5));
  EXPECT_FALSE(read("w.bin", -1));
  EXPECT_FALSE(read("../secret.bin", 0));
  EXPECT_FALSE(read((folder / "inner" / "w.bin").string(), 0));
  EXPECT_FALSE(read(".", 0));
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace enfold
