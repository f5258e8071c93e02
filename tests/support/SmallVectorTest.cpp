// Random operations, against a vector of the standard library.
#include "support/SmallVector.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace enfold {
namespace {

using Small = SmallVector<int, 3>;

void expectSame(const Small& small, const std::vector<int>& wanted) {
  ASSERT_EQ(small.size(), wanted.size());
  EXPECT_EQ(small.empty(), wanted.empty());
  EXPECT_TRUE(std::equal(small.begin(), small.end(), wanted.begin()));
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_EQ(small[i], wanted[i]);
  if (!wanted.empty()) EXPECT_EQ(small.back(), wanted.back());
}

TEST(SmallVector, DoesWhatVectorsDo) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    Small small;
    std::vector<int> wanted;
    for (int step = 0; step < 30; ++step) {
      const int number = static_cast<int>(random() % 1000);
      const auto place = static_cast<ptrdiff_t>(random() % (wanted.size() + 1));
      switch (random() % 7) {
      case 0:
        small.push_back(number);
        wanted.push_back(number);
        break;
      case 1:
        small.insert(small.begin() + place, number);
        wanted.insert(wanted.begin() + place, number);
        break;
      case 2: {
        const std::vector<int> more(random() % 5, number);
        small.insert(small.begin() + place, more.begin(), more.end());
        wanted.insert(wanted.begin() + place, more.begin(), more.end());
        break;
      }
      case 3:
        if (random() % 4 != 0) break;
        small.clear();
        wanted.clear();
        break;
      case 4:
        small.reserve(random() % 8);
        break;
      case 5: { // away and back
        Small other(small);
        EXPECT_TRUE(other == small);
        small = {number};
        small = std::move(other);
        break;
      }
      default: {
        Small other(std::move(small));
        EXPECT_TRUE(small.empty());
        small.push_back(number);
        small = other;
        break;
      }
      }
      expectSame(small, wanted);
    }
  }
}

TEST(SmallVector, ListsAndRanges) {
  const std::vector<int> five{1, 2, 3, 4, 5};
  expectSame(Small{}, {});
  expectSame(Small{7, 8}, {7, 8});
  expectSame(Small(five.begin(), five.end()), five);
  EXPECT_FALSE((Small{1, 2}) == (Small{1, 2, 3}));
  EXPECT_FALSE((Small{1, 2}) == (Small{1, 3}));
  Small same{1, 2, 3, 4};
  const Small& alias = same;
  same = alias;
  expectSame(same, {1, 2, 3, 4});
}

} // namespace
} // namespace enfold
