// How models are named and their sizes stated.
#include "driver/Model.h"

#include <gtest/gtest.h>

namespace enfold {
namespace {

TEST(Model, ShapesAreStatedInThreeForms) {
  for (const char* text : {"x=1x3x8x9", "x:1x3x8x9", "x=[1,3,8,9]", "x:[1, 3, 8, 9]"}) {
    LoadOptions load;
    ASSERT_TRUE(addShape(load, text)) << text;
    EXPECT_EQ(load.shapes.at("x"), (Shape{1, 3, 8, 9})) << text;
  }
}

TEST(Model, NamesMayHoldColonsAndEqualSigns) {
  LoadOptions load;
  ASSERT_TRUE(addShape(load, "input:0=2x4"));
  ASSERT_TRUE(addShape(load, "a=b=[5]"));
  EXPECT_EQ(load.shapes.at("input:0"), (Shape{2, 4}));
  EXPECT_EQ(load.dims.at("a=b"), 5);
}

TEST(Model, AnEmptyListIsAScalar) {
  LoadOptions load;
  ASSERT_TRUE(addShape(load, "x=[]"));
  EXPECT_TRUE(load.shapes.at("x").empty());
}

TEST(Model, OtherShapesAreRefused) {
  for (const char* text : {"", "x", "x=", "=1", "x=1x", "x=1,2", "x=[1x2]", "x=[1,]", "x=[1",
                           "x=-1", "x=99999999999999999999", "x=[1,,2]", "x= 1"}) {
    LoadOptions load;
    const auto added = addShape(load, text);
    ASSERT_FALSE(added) << text;
    EXPECT_EQ(added.error().kind, ErrorKind::Usage) << text;
    EXPECT_TRUE(load.shapes.empty()) << text;
  }
}

} // namespace
} // namespace enfold
