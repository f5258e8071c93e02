// Parts of graphs as graphs of their own.
#include "ir/Extract.h"

#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

TEST(Extract, BlockedTensorsAreTakenAndGivenPlain) {
  const auto graph = parseGraph(R"(graph @g(%x: f32[1,8,2,2]) {
    %a = reorder(%x) {block=4} : f32[1,8,2,2]{c4}
    %b = relu(%a) : f32[1,8,2,2]{c4}
    %c = abs(%b) : f32[1,8,2,2]{c4}
    %y = reorder(%c) : f32[1,8,2,2]
    return %y
  })");
  ASSERT_TRUE(graph) << graph.error().str();
  const Value* const outputs[] = {(*graph)->find("c"), (*graph)->find("y")};
  const auto part = extract(**graph, outputs, {(*graph)->find("b")});
  const auto sound = verify(*part);
  EXPECT_TRUE(sound) << sound.error().str() << print(*part);
  ASSERT_EQ(part->inputs().size(), 1u);
  EXPECT_EQ(part->inputs()[0]->name(), "b");
  EXPECT_EQ(part->inputs()[0]->type().str(), "f32[1,8,2,2]");
  EXPECT_EQ(part->outputNames()[0], "c");
  EXPECT_EQ(part->outputs()[0]->type().str(), "f32[1,8,2,2]");
  EXPECT_EQ(part->outputs()[1]->name(), "y");
}

} // namespace
} // namespace enfold
