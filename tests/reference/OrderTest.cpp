// Which elements are greatest: integers that no double tells apart, and NaN.
#include "Support.h"

#include <limits>

namespace enfold::reference::test {
namespace {

constexpr int64_t kBig = int64_t{1} << 53;

TEST(Order, IntegersThatNoDoubleTellsApart) {
  const Tensor x = ints({4}, {kBig, kBig + 1, -kBig - 1, -kBig});
  expectTensor(evaluated(OpKind::ArgMax, {x}, {{"keepdims", int64_t{0}}}), ints({}, {1}));
  expectTensor(evaluated(OpKind::ArgMin, {x}, {{"keepdims", int64_t{0}}}), ints({}, {2}));
  const auto sorted = evaluated(OpKind::TopK, {x, ints({1}, {4})});
  ASSERT_TRUE(sorted);
  EXPECT_TRUE(*sorted == ints({4}, {kBig + 1, kBig, -kBig, -kBig - 1}));
  constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
  const auto least = evaluated(
      OpKind::TopK, {tensor<uint64_t>({3}, {kMost, kMost - 2, kMost - 1}), ints({1}, {2})},
      {{"largest", int64_t{0}}});
  ASSERT_TRUE(least);
  EXPECT_TRUE(*least == tensor<uint64_t>({2}, {kMost - 2, kMost - 1}));
}

TEST(Order, NaNIsTheGreatest) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = floats({2, 3}, {1, kNan, 3, kNan, 1, 2});
  expectTensor(evaluated(OpKind::ArgMax, {x}, {{"axis", int64_t{1}}}), ints({2, 1}, {1, 0}));
  expectTensor(evaluated(OpKind::Hardmax, {x}), floats({2, 3}, {0, 1, 0, 1, 0, 0}));
}

} // namespace
} // namespace enfold::reference::test
