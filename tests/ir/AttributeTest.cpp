// The values that attributes may have: what the op table states is held to by everything that makes
// an op, and every text that may only be one of some words states them.
#include "ir/Graph.h"
#include "ir/Parser.h"
#include "ir/Verifier.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace enfold {
namespace {

/// Values next to those allowed, and far from them.
std::vector<AttrValue> refusedValues(const AttrInfo& attr) {
  const AllowedValues& allowed = attr.allowed;
  std::vector<AttrValue> values;
  const auto addNumber = [&](double number) {
    if (attr.kind == AttrKind::Int)
      values.emplace_back(static_cast<int64_t>(number));
    else if (attr.kind == AttrKind::Ints)
      values.emplace_back(std::vector<int64_t>{1, static_cast<int64_t>(number)});
    else
      values.emplace_back(static_cast<float>(number));
  };
  if (!allowed.words.empty())
    for (const char* word : {"", "none of them"}) values.emplace_back(std::string(word));
  if (!allowed.words.empty()) values.emplace_back(allowed.words.front() + "x");
  if (!allowed.numbers.empty())
    for (const int64_t number : {int64_t{-1}, std::ranges::max(allowed.numbers) + 1, INT64_MAX})
      values.emplace_back(number);
  if (std::isfinite(allowed.least))
    for (const double distance : {1.0, 1e6}) addNumber(allowed.least - distance);
  if (std::isfinite(allowed.most)) addNumber(allowed.most + 1);
  if (std::isfinite(allowed.least) && attr.kind == AttrKind::Float) addNumber(NAN);
  return values;
}

/// Calls f(row, attribute, value) for every value that is tried of every attribute with a
/// condition.
template <typename F> void forEachRefused(F f) {
  for (const OpInfo& row : opTable())
    for (const AttrInfo& attr : row.attrs)
      for (const AttrValue& value : refusedValues(attr)) f(row, attr, value);
}

void expectNamed(const std::string& message, const AttrInfo& attr, const AttrValue& value) {
  for (const std::string& part : {"'" + attr.name + "'", str(value), attr.allowed.str()})
    EXPECT_NE(message.find(part), std::string::npos) << "no " << part << " in: " << message;
}

/// Attributes that an op must have, with values that are allowed.
AttrMap requiredAttrs(const OpInfo& row) {
  AttrMap attrs;
  for (const AttrInfo& attr : row.attrs) {
    if (!attr.required) continue;
    if (attr.kind == AttrKind::Int) attrs.emplace(attr.name, int64_t{1});
    if (attr.kind == AttrKind::Ints) attrs.emplace(attr.name, std::vector<int64_t>{1, 1});
    if (attr.kind == AttrKind::Type) attrs.emplace(attr.name, ElemType::F32);
    if (attr.kind == AttrKind::String)
      attrs.emplace(attr.name, attr.allowed.words.empty() ? "" : attr.allowed.words.front());
  }
  return attrs;
}

TEST(Attributes, EveryWordIsOneOfSome) {
  for (const OpInfo& row : opTable())
    for (const AttrInfo& attr : row.attrs)
      if (attr.kind == AttrKind::String && attr.name != "equation" && attr.name != "algorithm") {
        EXPECT_FALSE(attr.allowed.words.empty()) << row.name << " " << attr.name;
      }
}

TEST(Attributes, ARowSaysWhatIsAllowed) {
  const auto allowed = [](std::string_view row) { return parseAttr(row).allowed.str(); };
  EXPECT_EQ(allowed("mode: string = a in {a, b, c}"), "a, b or c");
  EXPECT_EQ(allowed("ceil: flag = 0"), "0 or 1");
  EXPECT_EQ(allowed("group: int = 1 >= 1"), "at least 1");
  EXPECT_EQ(allowed("block: int? in [0, 64]"), "from 0 to 64");
  EXPECT_EQ(allowed("alpha: float = 0.5"), "");
  EXPECT_TRUE(parseAttr("p: int in {1, 2}").required);
  EXPECT_FALSE(parseAttr("p: ints? >= 1").required);
  EXPECT_EQ(*parseAttr("epsilon: float = 1e-05 >= 0").defaultValue, AttrValue(1e-5f));
}

TEST(Attributes, CreateRefusesAllOthers) {
  int tried = 0;
  forEachRefused([&](const OpInfo& row, const AttrInfo& attr, const AttrValue& value) {
    Graph graph;
    Value* x = graph.addInput("x", {ElemType::F32, {1, 4, 4, 4}, {}});
    AttrMap attrs = requiredAttrs(row);
    attrs.insert_or_assign(attr.name, value);
    const auto made = graph.create({.kind = row.kind,
                                    .operands = std::vector<Value*>(row.minOperands(), x),
                                    .attrs = std::move(attrs)});
    ASSERT_FALSE(made) << row.name << " " << attr.name << "=" << str(value);
    expectNamed(made.error().str(), attr, value);
    ++tried;
  });
  EXPECT_GT(tried, 300);
}

TEST(Attributes, TheParserRefusesAllOthers) {
  forEachRefused([&](const OpInfo& row, const AttrInfo& attr, const AttrValue& value) {
    std::string operands, attrs = fmt::format("{}={}", attr.name, str(value));
    for (size_t i = 0; i < row.minOperands(); ++i) operands += i ? ", %x" : "%x";
    for (const auto& [name, given] : requiredAttrs(row))
      if (name != attr.name) attrs += fmt::format(", {}={}", name, str(given));
    const auto parsed = parseGraph(fmt::format(
        "graph @g(%x: f32[1,4,4,4]) {{\n  %y = {}({}) {{{}}} : f32[1,4,4,4]\n  return %y\n}}\n",
        row.name, operands, attrs));
    ASSERT_FALSE(parsed) << row.name << " " << attrs;
    expectNamed(parsed.error().str(), attr, value);
  });
}

TEST(Attributes, StepsOfAnEpilogueAreHeldToThemToo) {
  const auto parsed = [](std::string_view step) {
    return parseGraph(fmt::format("graph @g(%x: f32[2,4]) {{\n  %y = relu(%x) epilogue({}) : "
                                  "f32[2,4]\n  return %y\n}}\n",
                                  step));
  };
  EXPECT_TRUE(parsed("gelu(acc) {approximate=\"tanh\"}"));
  const auto refused = parsed("gelu(acc) {approximate=\"cosh\"}");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().str().find("none or tanh"), std::string::npos) << refused.error().str();
}

TEST(Attributes, TheVerifierFindsOthers) {
  Graph graph;
  Value* x = graph.addInput("x", {ElemType::F32, {1, 4, 4, 4}, {}});
  Op* op = *graph.create({.kind = OpKind::DepthToSpace,
                          .operands = {x},
                          .attrs = {{"blocksize", int64_t{2}}},
                          .origins = {"node"}});
  graph.addOutput(op->result(), "y");
  ASSERT_TRUE(verify(graph));
  const_cast<AttrMap&>(op->attrs()).insert_or_assign("mode", std::string("RCD"));
  const auto found = verify(graph);
  ASSERT_FALSE(found);
  for (const char* part : {"'node'", "'mode'", "\"RCD\"", "DCR or CRD"})
    EXPECT_NE(found.error().str().find(part), std::string::npos) << found.error().str();
}

TEST(Ranks, AreNamed) {
  const auto message = [](OpKind kind, const std::vector<Shape>& shapes) {
    Graph graph;
    std::vector<Value*> operands;
    for (const Shape& shape : shapes)
      operands.push_back(graph.addInput("x", {ElemType::F32, shape, {}}));
    const auto made =
        graph.create({.kind = kind, .operands = operands, .attrs = requiredAttrs(info(kind))});
    return made ? std::string() : made.error().str();
  };
  EXPECT_EQ(message(OpKind::DepthToSpace, {{1, 4, 4}}),
            "operand 'input' of depth_to_space is f32[1,4,4], of rank 3 where rank 4 is needed");
  for (const OpKind kind : {OpKind::MaxPool, OpKind::AveragePool, OpKind::LpPool})
    EXPECT_NE(message(kind, {{3, 4}}).find("of rank 2 where rank 3 or more is needed"),
              std::string::npos);
  EXPECT_NE(message(OpKind::Conv, {{3, 4}, {3, 4}}).find("rank 3 or more"), std::string::npos);
  EXPECT_NE(message(OpKind::Conv, {{1, 3, 4, 4}, {3, 4}}).find("of rank 2"), std::string::npos);
  EXPECT_NE(message(OpKind::Gemm, {{1, 3, 4}, {3, 4}}).find("'a' of gemm"), std::string::npos);
  EXPECT_NE(message(OpKind::GridSample, {{1, 1, 4, 4}, {1, 4, 2}}).find("rank 4 is needed"),
            std::string::npos);
}

} // namespace
} // namespace enfold
