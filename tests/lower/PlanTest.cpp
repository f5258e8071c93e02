// The memory plan against a brute-force check: random lifetimes never overlap in memory.
#include "lower/Plan.h"

#include "Differential.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace enfold::lower {
namespace {

/// Buffers of all spaces, of odd sizes, empty ones and unused ones among them.
Plan randomPlan(uint64_t seed) {
  Sizes sizes(seed);
  Plan plan;
  const int64_t calls = sizes.between(1, 30);
  for (int64_t i = sizes.between(0, 60); i > 0; --i) {
    PlanBuffer buffer{.space = sizes.oneOf({Space::Arena, Space::Arena, Space::Arena,
                                            Space::Constant, Space::Input, Space::Output}),
                      .bytes = sizes.oneOf<int64_t>({0, 1, 63, 64, 65, sizes.between(1, 5000)})};
    if (sizes.between(0, 9) > 0) {
      buffer.firstCall = sizes.between(0, calls - 1);
      buffer.lastCall = sizes.between(buffer.firstCall, calls - 1);
    }
    plan.buffers.push_back(std::move(buffer));
  }
  return plan;
}

bool meet(int64_t beginA, int64_t endA, int64_t beginB, int64_t endB) {
  return beginA < endB && beginB < endA;
}

TEST(AssignOffsets, BuffersThatLiveAtOnceNeverOverlap) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Plan plan = randomPlan(seed);
    assignOffsets(plan);
    int64_t live = 0; // the most bytes of any call
    for (int64_t call = 0; call < 30; ++call) {
      int64_t bytes = 0;
      for (const PlanBuffer& b : plan.buffers)
        if (b.space == Space::Arena && b.firstCall >= 0 && b.firstCall <= call &&
            call <= b.lastCall)
          bytes += b.bytes;
      live = std::max(live, bytes);
    }
    EXPECT_GE(plan.arenaBytes, live);
    for (size_t i = 0; i < plan.buffers.size(); ++i) {
      const PlanBuffer& a = plan.buffers[i];
      const bool placed =
          a.space == Space::Constant || (a.space == Space::Arena && a.firstCall >= 0);
      if (!placed) continue;
      EXPECT_GE(a.offset, 0);
      EXPECT_EQ(a.offset % 64, 0);
      EXPECT_LE(a.offset + a.bytes, a.space == Space::Arena ? plan.arenaBytes : plan.constantBytes);
      for (size_t j = 0; j < i; ++j) {
        const PlanBuffer& b = plan.buffers[j];
        if (b.space != a.space || (a.space == Space::Arena && b.firstCall < 0)) continue;
        const bool atOnce = a.space == Space::Constant ||
                            meet(a.firstCall, a.lastCall + 1, b.firstCall, b.lastCall + 1);
        EXPECT_FALSE(atOnce && meet(a.offset, a.offset + a.bytes, b.offset, b.offset + b.bytes))
            << "buffers " << i << " and " << j;
      }
    }
  }
}

TEST(AssignOffsets, MemoryIsUsedAgain) {
  Plan plan;
  for (int64_t call = 0; call < 10; ++call)
    plan.buffers.push_back(
        {.space = Space::Arena, .bytes = 1000, .firstCall = call, .lastCall = call + 1});
  assignOffsets(plan);
  EXPECT_EQ(plan.arenaBytes, 2 * 1024) << "two buffers live at a time";
}

} // namespace
} // namespace enfold::lower
