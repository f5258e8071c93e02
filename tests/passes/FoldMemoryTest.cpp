// Folds that were made before are found by all that decides them, and by nothing less.
#include "passes/FoldMemory.h"

#include <gtest/gtest.h>

#include <limits>

namespace enfold {
namespace {

Tensor tensor(float number) { return Tensor::of<float>({2}, {number, number}); }

TEST(FoldMemory, FindsWhatWasFolded) {
  FoldMemory memory;
  const Tensor w = tensor(1), b = tensor(2);
  memory.add({&w, &b, {1, 2}}, {tensor(3), tensor(4), {.channels = 5}});
  const auto found = memory.find({&w, &b, {1, 2}});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->weights, tensor(3));
  EXPECT_EQ(*found->bias, tensor(4));
  EXPECT_EQ(found->found.channels, 5);
  const Tensor equal = tensor(1);
  EXPECT_FALSE(memory.find({&equal, &b, {1, 2}})); // of other bytes
  const Tensor reshaped = w.reshaped({1, 2});
  EXPECT_FALSE(memory.find({&reshaped, &b, {1, 2}}));
  EXPECT_FALSE(memory.find({&w, nullptr, {1, 2}}));
  EXPECT_FALSE(memory.find({&w, &w, {1, 2}}));
  EXPECT_FALSE(memory.find({&w, &b, {1}}));
  EXPECT_FALSE(memory.find({&w, &b, {1, 3}}));
}

TEST(FoldMemory, NumbersAreComparedByTheirBits) {
  FoldMemory memory;
  const Tensor w = tensor(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  memory.add({&w, nullptr, {0.0, nan}}, {tensor(3), std::nullopt, {}});
  EXPECT_TRUE(memory.find({&w, nullptr, {0.0, nan}}));
  EXPECT_FALSE(memory.find({&w, nullptr, {-0.0, nan}}));
}

TEST(FoldMemory, ForgetsFoldsOfTensorsThatAreGone) {
  FoldMemory memory;
  for (int i = 0; i < 100; ++i) {
    const Tensor w = tensor(static_cast<float>(i));
    memory.add({&w, nullptr, {}}, {tensor(3), std::nullopt, {}});
  }
  EXPECT_EQ(memory.size(), 1u);
}

} // namespace
} // namespace enfold
