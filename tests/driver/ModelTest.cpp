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

TEST(Model, ARangeIsNoSize) {
  for (const char* text : {"x=1..64x3x320..1280", "x=[1..64, 3, 320..1280]"}) {
    LoadOptions load;
    ASSERT_TRUE(addShape(load, text)) << text;
    EXPECT_TRUE(load.shapes.empty());
    const std::vector<SizeRange>& ranges = load.ranges.at("x");
    ASSERT_EQ(ranges.size(), 3u);
    EXPECT_EQ(ranges[0].least, 1);
    EXPECT_EQ(ranges[0].most, 64);
    EXPECT_EQ(ranges[1].least, 3);
    EXPECT_EQ(ranges[1].most, 3);
    EXPECT_EQ(ranges[2].most, 1280);
  }
  LoadOptions load;
  ASSERT_TRUE(addShape(load, "x=7..7x2"));
  EXPECT_EQ(load.shapes.at("x"), (Shape{7, 2}));
}

TEST(Model, OtherShapesAreRefused) {
  for (const char* text : {"", "x", "x=", "=1", "x=1x", "x=1,2", "x=[1x2]", "x=[1,]", "x=[1",
                           "x=-1", "x=99999999999999999999", "x=[1,,2]", "x= 1", "x=1..", "x=..2",
                           "x=3..2", "x=1..2..3", "x=1...2"}) {
    LoadOptions load;
    const auto added = addShape(load, text);
    ASSERT_FALSE(added) << text;
    EXPECT_EQ(added.error().kind, ErrorKind::Usage) << text;
    EXPECT_TRUE(load.shapes.empty()) << text;
    EXPECT_TRUE(load.ranges.empty()) << text;
  }
}

} // namespace
} // namespace enfold
